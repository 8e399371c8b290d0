// One answer in full, its image in full, and the help of the keys. Uses the parts of explorer_answers.js and viewer.js.

// `how` it comes into the history: "push" from the list, "replace" from another answer, "none" where the address led here.
function openDetail(position, how = "push") {
  if (position < 0 || position >= state.shown.length) return;
  const sample = samples[state.shown[position]], isNew = !$("detail").open;
  state.open = position;
  if (how === "push") step(addressOf(state.shown[position]));
  else if (how === "replace") history.replaceState(null, "", addressOf(state.shown[position]));
  if (isNew) state.isPushed = how === "push";
  const link = make("button", { type: "button", onclick: () => copyLink(addressOf(state.shown[position]), link) }, "Copy link");
  $("detail-body").replaceChildren(make("div", { class: "detail" + (data.images ? "" : " no-image") },
    data.images ? make("div", { class: "seen" }, mapped(sample, imageOf(sample)), fullLinks(sample)) : null,
    make("div", { class: "text" }, question(sample, "detail-question"), answers(sample), looked(sample), scoresOf(sample),
      make("p", { class: "small" }, ...inALine([...sample.files, sample.id, data.sets[sample.set].key])), tags(sample),
      make("div", { class: "steps" },
        make("button", { type: "button", onclick: () => openDetail(position - 1, "replace") }, "Previous"),
        make("button", { type: "button", onclick: () => openDetail(position + 1, "replace") }, "Next"), link,
        make("button", { type: "button", onclick: () => $("detail").close() }, "Close"),
        make("span", { class: "small" }, `${count(position + 1)} of ${count(state.shown.length)}`)))));
  if (isNew) $("detail").showModal();
  $("detail").scrollTop = 0;
  $("detail").focus();
}

function scoresOf(sample) {
  const runs = data.runs.map((_, run) => run).filter((run) => sample.runs[run]);
  const shown = (value) => value === null ? "–" : String(value);
  const rows = data.scorers.map((scorer, at) => [scorer.name + (sample.ratings[at] && sample.ratings[at].length > 1
    ? ` (${sample.ratings[at].map((value) => value === null ? "–" : value).join(" ")})` : ""),
    ...runs.map((run) => shown(scoreOf(sample, at, run)))]).filter((row) => row.slice(1).some((text) => text !== "–"));
  if (!rows.length) return null;
  const head = data.runs.length > 1 ? make("thead", {}, make("tr", {}, make("td", {}),
    ...runs.map((run) => make("th", { scope: "col" }, ...wrapped(data.runs[run]))))) : null;
  return saysThatItScrolls(make("div", { class: "table-wrap", tabindex: 0, role: "region", "aria-label": "Scores" }, make("table", {}, head, make("tbody", {}, ...rows.map(([name, ...values]) =>
    make("tr", {}, make("th", { scope: "row" }, ...wrapped(name)), ...values.map((value) => make("td", {}, value))))))));
}

// A way to each image in full: here, in a page of its own, or, where the report was written without, the small one.
function fullLinks(sample) {
  const several = sample.images.length > 1;
  const links = sample.images.map((number, at) => {
    const name = several ? `${sample.views[at]} in full` : "Image in full";
    if (data.full.mode === "linked" && !data.full.missing.includes(number))
      return make("a", { class: "button", href: `./${encodeURIComponent(data.full.folder)}/${String(number).padStart(5, "0")}.html`, target: "_blank", rel: "noopener" }, name);
    return thumbnail(number) || $("full-" + number) ? make("button", { type: "button", onclick: () => openFull(sample, at) }, name.replace("in full", data.full.mode ? "in full" : "larger")) : null;
  });
  return make("div", { class: "full-links" }, ...links);
}

function openFull(sample, at) {
  const number = sample.images[at], stored = $("full-" + number);
  const full = stored ? JSON.parse(stored.textContent) : { media: "image/jpeg", data: thumbnail(number), bits: 8, depth: null,
    note: `the small image of this page, at most ${data.full.smallPx} pixels; pefomed report --full-images embedded has all of it` };
  const close = make("button", { type: "button", onclick: () => $("full").close() }, "Close");
  $("full-body").replaceChildren(make("div", { class: "full-head" }, make("h2", { id: "full-name" }, ...wrapped(sample.files[at] || sample.id)), close),
    viewerOf(full, alternative(sample, at)));
  $("full").showModal();
  $("full-body").querySelector(".stage").focus();
}

// -- keys

const KEYS = [["?", "this help"], ["/", "search"], ["j", "next answer"], ["k", "previous answer"], ["Enter", "open the answer"],
  ["← →", "in an open answer: the one before, the one after"], ["c", "copy a link to what is shown"], ["t", "cards or table"], ["Esc", "close, or leave the search"],
  ["+ − 0 1", "in an image: larger, smaller, fit, one to one"], ["Shift + drag", "in an image: window (sideways) and level (up and down)"]];

function showKeys() {
  $("keys-list").replaceChildren(...KEYS.flatMap(([key, text]) => [make("dt", {}, make("kbd", {}, key)), make("dd", {}, text)]));
  if (!$("keys").open) $("keys").showModal();
}

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
  if ($("full").open || $("keys").open) return;
  const typing = /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName);
  if (typing) { if (event.key === "Escape") event.target.blur(); return; }
  if (event.key === "?") { event.preventDefault(); return showKeys(); }
  if (event.key === "c") { event.preventDefault(); return void copyLink(addressOf(state.open >= 0 ? state.shown[state.open] : null), $("link")); }
  if ($("detail").open) {
    const step = { ArrowRight: 1, j: 1, ArrowLeft: -1, k: -1 }[event.key];
    if (step) { event.preventDefault(); openDetail(state.open + step, "replace"); }
    return;
  }
  const focused = document.activeElement.closest(".answer"), at = focused ? Number(focused.dataset.position) : -1;
  if (event.key === "/") { event.preventDefault(); $("search").focus(); }
  else if (event.key === "t") changeView();
  else if (event.key === "j") moveTo(at + 1);
  else if (event.key === "k") moveTo(Math.max(at - 1, 0));
  else if (event.key === "Enter" && focused) { event.preventDefault(); openDetail(at); }
}

function changeView() {
  state.view = state.view === "table" ? "cards" : "table";
  remember();
  drawAnew();
}

function setUpDialogs() {
  for (const id of ["detail", "keys"]) $(id).addEventListener("click", (event) => { if (event.target === $(id)) $(id).close(); });
  $("detail").addEventListener("close", () => {
    const position = state.open;
    state.open = -1;
    // Not history.back(): it comes later, and would undo what is chosen meanwhile.
    if (state.isGoingBack) state.isGoingBack = false;
    else history.replaceState({ isSpare: state.isPushed }, "", addressOf());
    moveTo(position);
  });
  for (const id of ["help", "help-below"]) $(id).addEventListener("click", showKeys);
  $("keys-close").addEventListener("click", () => $("keys").close());
  $("link").addEventListener("click", () => copyLink(addressOf(), $("link")));
  $("csv").addEventListener("click", downloadCsv);
  $("view").addEventListener("click", changeView);
  document.addEventListener("keydown", onKey);
}
