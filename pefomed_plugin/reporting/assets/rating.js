"use strict";
// The rating page. One request brings a rater's items, in the rater's own order. What a rater says is about the item in
// sight; rating_row.js has it saved while the page goes on. Texts are shown with textContent: nothing of the data is ever
// HTML. make.js, viewer.js, rating_film.js, rating_saving.js and rating_row.js come before it.

const address = new URL(location.href);
const state = { session: null, at: 0, last: null, ...emptyRow() };

function complain(id, text) {
  $(id).textContent = text || "";
  $(id).hidden = !text;
}

const show = (id) => ["enter", "done", "rating"].forEach((part) => { $(part).hidden = part !== id; });
const items = () => state.session.items;
const isRated = (item) => item.rating !== null || item.cannot;
const answerOf = ({ rating, cannot }) => ({ rating, cannot });
const wordOf = (item) => item.cannot ? state.session.cannotJudge : (levels().find(({ value }) => value === item.rating) || {}).label;
const levels = () => state.session.levels;

// ---- who rates

async function enter(name) {
  try {
    const round = address.searchParams.get("round");
    state.session = await ask("/session?" + new URLSearchParams({ rater: name, ...(round ? { round } : {}) }));
  } catch (problem) {
    leave();
    $("name").value = name;
    return complain("enter-problem", problem.message);
  }
  // kept and seen are what the server holds; rating, cannot and comment, what the page shows
  items().forEach((item) => Object.assign(item, { kept: answerOf(item), seen: item.comment, failed: "", rejected: "" }));
  complain("enter-problem");
  address.searchParams.set("rater", state.session.rater);
  history.replaceState(null, "", address);
  films.clear();
  setUpRater();
  const next = items().findIndex((item) => !isRated(item));
  if (next < 0) return finish();
  go(next);
}

function leave() {
  const open = notSaved();
  if (open.length && !confirm("Not saved: " + open.map(({ words }) => words).join(", ") + ". Leave without?")) return;
  Object.assign(state, { session: null, ...emptyRow() });
  forget();
  showNotSaved();
  for (const name of ["rater", "round"]) address.searchParams.delete(name);
  history.replaceState(null, "", address);
  $("progress").hidden = $("who").hidden = true;
  complain("enter-problem");
  show("enter");
  $("name").value = "";
  $("name").focus();
}

function setUpRater() {
  const session = state.session, isSide = session.sideBySide;
  forget();
  $("who").textContent = session.rater;
  $("who").title = "Rate under another name";
  $("progress").hidden = $("who").hidden = false;
  $("rating").classList.toggle("no-image", !session.images);
  $("rating").classList.toggle("side-by-side", isSide);
  $("film").hidden = !session.images;
  $("answer-title").textContent = isSide ? "A" : session.title;
  $("second-part").hidden = !isSide;
  $("scale").setAttribute("aria-label", isSide ? "Which " + session.text + " is better" : "Rating");
  $("scale").replaceChildren(...levels().map(({ value, label, word, when }) => make("button", {
    type: "button", value, title: word + ": " + when, "aria-pressed": "false", onclick: () => rate({ rating: value }),
  }, make("b", {}, label), make("span", { class: "when" }, when))));
  $("rubric").replaceChildren(...levels().flatMap(({ label, word, when }) =>
    [make("dt", {}, isSide ? word : label + " " + word), make("dd", {}, when)]));
  const keys = levels().map(({ key, word }) => make("kbd", { title: word }, key.toUpperCase()));
  $("keys").replaceChildren(...(isSide ? keys : keys.reverse()).flatMap((key) => [key, " "]));
}

// ---- one item

function go(at) {
  state.at = Math.max(0, Math.min(at, items().length - 1));
  const item = items()[state.at];
  item.notUndone = "";
  show("rating");
  $("question").textContent = item.question || state.session.asked;
  for (const name of ["reference", "answer", "second"]) {
    $(name).textContent = item[name] || "";
    $(name).scrollTop = 0;
  }
  $("comment").value = item.comment;
  if (state.session.images) {
    $("film").replaceChildren(filmOf(state.at));
    for (let ahead = 1; ahead <= AHEAD; ahead++) filmOf(state.at + ahead);
  }
  $("back").disabled = state.at === 0;
  $("forth").disabled = state.at === items().length - 1;
  showRatings();
  showNotSaved();
  scrollTo(0, 0);
}

function showRatings() {
  const item = items()[state.at], rated = keptCount();
  const round = state.session.rounds > 1 ? "round " + state.session.round + ": " : "";
  $("rated").textContent = round + rated + " of " + items().length + " rated";
  $("bar").max = items().length;
  $("bar").value = rated;
  $("number").textContent = "Item " + (state.at + 1) + " of " + items().length +
    (item.cannot ? ", " + wordOf(item) : isRated(item) ? ", rated " + wordOf(item) : ", not rated yet") + (!waitsFor(item) ? "" : isStuck() ? ", not saved yet" : ", saving");
  for (const button of $("scale").children) {
    button.setAttribute("aria-pressed", String(item.rating !== null && Number(button.value) === item.rating));
  }
  $("cannot").setAttribute("aria-pressed", String(item.cannot));
  $("open").disabled = items().every(isRated);
}

// After a rating: the next item without one, from the top again after the last, or the end. After a correction: the
// item behind it.
function goOn(wasRated) {
  document.activeElement.blur();
  if (wasRated && state.at + 1 < items().length) return go(state.at + 1);
  const open = items().map((item, at) => (isRated(item) ? -1 : at)).filter((at) => at >= 0);
  if (open.length === 0) return state.waiting.length ? stayOn(state.waiting[state.waiting.length - 1]) : finish();
  go(open.find((at) => at > state.at) ?? open[0]);
}

function finish() {
  showRatings();
  show("done");
  showNotSaved();
}

// ---- keys and buttons

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
  if ($("full").open) return inFull(event);
  if ((event.key === "u" || event.key === "U") && event.target !== $("comment") && state.session) {
    event.preventDefault();
    return undo();
  }
  if ($("rating").hidden) return;
  if (event.target === $("comment")) {
    if (event.key === "Escape" || event.key === "Enter") $("comment").blur();
    return;
  }
  const key = event.key.toLowerCase(), level = levels().find((each) => each.key === key);
  if (level) rate({ rating: level.value });
  else if (key === "x") rate({ cannot: true });
  else if (key === "arrowleft") go(state.at - 1);
  else if (key === "arrowright") go(state.at + 1);
  else if (key === "c") $("comment").focus();
  else if (key === "z" && $("film").querySelector(".view")) $("film").querySelector(".view").click();
  else return;
  event.preventDefault();
}

setUpTheme();
setUpSaving();
$("enter").addEventListener("submit", (event) => { event.preventDefault(); enter($("name").value); });
$("who").addEventListener("click", leave);
$("back").addEventListener("click", () => go(state.at - 1));
$("forth").addEventListener("click", () => go(state.at + 1));
$("open").addEventListener("click", () => go(items().findIndex((item) => !isRated(item))));
$("review").addEventListener("click", () => go(0));
$("cannot").addEventListener("click", () => rate({ cannot: true }));
$("undo").addEventListener("click", undo);
$("full").addEventListener("close", () => $("viewer").replaceChildren());
document.addEventListener("keydown", onKey);
if (address.searchParams.get("rater")) enter(address.searchParams.get("rater"));
else leave();
