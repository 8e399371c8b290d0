// The address of what is shown: filters, view and the answer that is open stand behind # in the URL, so that a link leads
// to them and the browser's back button undoes the last choice. Uses state, apply and openDetail of the other parts.

const NAMES_OF_OURS = ["set", "run", "scorer", "verdict", "order", "differ", "looked", "q", "view", "answer"];

// A field of a data set that is called as one of our own filters is told apart from it.
const idOfField = (name) => "f-" + (NAMES_OF_OURS.includes(name) ? "field-" + name : name);

const defaultOf = (select) => ([...select.options].find((option) => option.defaultSelected) || select.options[0] || {}).value;

// Runs and scores stand in an address by their names: their numbers change when the page is written anew with others.
const calledInAddress = (select, option) => ["f-run", "f-scorer"].includes(select.id) ? option.textContent : option.value;

function choices() { return [...$("choices").querySelectorAll("select")]; }

// What is chosen, without what stands as it was when the page opened.
function selection() {
  const found = new URLSearchParams();
  if ($("search").value.trim()) found.set("q", $("search").value.trim());
  for (const select of choices()) if (select.value !== defaultOf(select)) found.set(select.id.slice(2), calledInAddress(select, select.selectedOptions[0]));
  if (state.view !== "cards") found.set("view", state.view);
  return found;
}

// What an address calls an answer: its id, with its test set where two sets have an answer of that id.
const idsTwice = new Set(samples.map((sample) => sample.id).filter((seen => (id) => seen.has(id) || !seen.add(id))(new Set())));
const nameOf = (sample) => (idsTwice.has(sample.id) ? data.sets[sample.set].key + "/" : "") + sample.id;

function addressOf(answer = null) {
  const found = selection();
  if (answer !== null) found.set("answer", nameOf(samples[answer]));
  const text = found.toString();
  return location.href.split("#")[0] + (text ? "#?" + text : "");
}

// Each choice is a step back; letters of a search are one step together.
function remember(isTyping = false) {
  const address = addressOf(state.open >= 0 ? state.shown[state.open] : null);
  if (address === location.href) return;
  if (isTyping && state.wasTyping) history.replaceState(null, "", address); else step(address);
  state.wasTyping = isTyping;
}

// A step of the history; one that a closed answer left behind is used again.
function step(address) {
  history[history.state && history.state.isSpare ? "replaceState" : "pushState"](null, "", address);
}

// Show what the address names; what it names and this page has not is said.
function followAddress() {
  if (location.hash && !location.hash.startsWith("#?")) return;  // a section
  const wanted = new URLSearchParams(location.hash.slice(2)), unknown = [];
  const before = selection().toString(), answer = wanted.get("answer");
  $("search").value = wanted.get("q") || "";
  const fill = (select) => {
    const value = wanted.get(select.id.slice(2));
    const option = value === null ? undefined : [...select.options].find((each) => calledInAddress(select, each) === value);
    if (value !== null && !option) unknown.push(`${select.id.slice(2)} "${value}"`);
    select.value = option ? option.value : defaultOf(select);
  };
  if ($("f-scorer")) { fill($("f-scorer")); fillVerdicts(); }
  choices().filter((select) => select.id !== "f-scorer").forEach(fill);
  const known = new Set(["q", "view", "answer", ...choices().map((select) => select.id.slice(2))]);
  for (const name of wanted.keys()) if (!known.has(name)) unknown.push(`${name} "${wanted.get(name)}"`);
  state.view = wanted.get("view") === "table" ? "table" : "cards";
  if (!state.isApplied || selection().toString() !== before) apply();
  followAnswer(answer, unknown);
  $("told").textContent = unknown.length ? "The address names what this page does not have: " + unknown.join(", ") + "." : "";
}

function followAnswer(answer, unknown) {
  const place = answer === null ? -1 : samples.findIndex((sample) => nameOf(sample) === answer);
  if (answer !== null && place < 0) unknown.push(`answer "${answer}"`);
  if (place < 0) { if ($("detail").open) { state.isGoingBack = true; $("detail").close(); } return; }
  let position = state.shown.indexOf(place);
  if (position < 0) { unknown.push(`answer "${answer}" among those that fit these filters`); return; }
  openDetail(position, "none");
}

async function copyLink(address, button) {
  const before = button.textContent;
  let copied = true;
  try { await navigator.clipboard.writeText(address); } catch (_) { copied = copyByHand(address, button); }
  button.textContent = copied ? "Copied" : "Cannot copy; the address bar has it";
  setTimeout(() => { button.textContent = before; }, 2000);
}

// Where the browser keeps the clipboard from pages of the disk.
function copyByHand(text, beside) {
  const box = make("textarea", { class: "off-screen", "aria-hidden": "true", tabindex: -1 });
  box.value = text;
  beside.after(box);
  box.select();
  const copied = document.execCommand("copy");
  box.remove();
  beside.focus();
  return copied;
}
