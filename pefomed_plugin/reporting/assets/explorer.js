"use strict";
// The page of a run. Reads two JSON blocks, builds everything with textContent (nothing of the data is ever HTML), and
// adds cards as the reader scrolls, so that thousands of answers cost what is on the screen.

const PAGE = 48;
const NOT_GIVEN = "not given";
const TOGETHER = " side by side";

const $ = (id) => document.getElementById(id);
const data = JSON.parse($("data").textContent);
let images = null;
const samples = data.samples.map((row) => Object.fromEntries(data.columns.map((name, at) => [name, row[at]])));
const words = samples.map((sample) => [sample.id, sample.question, sample.answer, ...sample.runs.map((run) => run && run[0])]
  .filter(Boolean).join("\n").toLowerCase());
const state = { shown: [], drawn: 0, open: -1, opener: null };

function make(tag, attributes, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (name === "class") node.className = value;
    else if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value !== null && value !== undefined && value !== false) node.setAttribute(name, value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

function draw(tag, attributes) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  return node;
}

const count = (n) => n.toLocaleString("en");
const mean = (value, unit) => value === null ? "–" : unit === "%" ? value.toFixed(1) + " %" : value.toFixed(3);

// A mean with its interval on a rail over the range of the score, and a tick at what is reached without looking.
function strip(value, low, high, [min, max], label, floor = null) {
  const hasFloor = floor !== null && floor !== undefined;
  const svg = draw("svg", { class: "strip", role: "img", "aria-label": hasFloor ? `${label}, floor ${floor.toFixed(max > 10 ? 1 : 3)}` : label });
  const at = (number) => Math.max(0, Math.min(100, 100 * (number - min) / (max - min))) + "%";
  svg.append(draw("line", { class: "rail", x1: 0, x2: "100%", y1: 9, y2: 9 }));
  if (value !== null) {
    svg.append(draw("line", { class: "bar", x1: 0, x2: at(value), y1: 9, y2: 9 }));
    if (low !== null && low !== undefined)
      svg.append(draw("line", { class: "range", x1: at(low), x2: at(high), y1: 9, y2: 9 }),
        draw("line", { class: "range", x1: at(low), x2: at(low), y1: 5, y2: 13 }),
        draw("line", { class: "range", x1: at(high), x2: at(high), y1: 5, y2: 13 }));
    svg.append(draw("circle", { class: "dot", cx: at(value), cy: 9, r: 4 }));
  }
  if (hasFloor) svg.append(draw("line", { class: "floor", x1: at(floor), x2: at(floor), y1: 1, y2: 17 }));
  return svg;
}

// -- summary, breakdowns, ablation ------------------------------------------------------------------------------------

function showSummary() {
  document.title = data.title + " – PeFoMed report";
  $("title").textContent = data.title;
  const total = data.samples.length;
  $("lead").textContent = `${count(total)} answers about ${count(data.imageCount)} images` +
    (data.runs.length > 1 ? `, beside those of ${data.runs.slice(1).join("; ")}` : "") +
    (data.producer.checkpoint ? `, by ${data.producer.checkpoint}` : "") + ".";
  if (data.notice) $("sets").append(make("p", { class: "warning" }, data.notice));
  for (const set of data.sets) $("sets").append(setPanel(set));
  for (const section of document.querySelectorAll("main > section:not([hidden])"))
    $("nav").append(make("a", { href: "#" + section.id }, section.id === "summary" ? "Summary" : section.querySelector("h2").textContent));
  $("footer").append(make("p", {}, "Keys: ", ...keys("/", "search"), ...keys("j", "next"), ...keys("k", "previous"),
    ...keys("Enter", "open"), ...keys("Esc", "close")),
    make("p", {}, `pefomed_plugin ${data.version}. ` + Object.entries(data.producer).map(([key, value]) => `${key}: ${value}`).join(" · ")));
}

function keys(key, text) { return [make("kbd", {}, key), " " + text + "   "]; }

function setPanel(set) {
  const headline = set.figures.find((figure) => figure.group === "overall" && figure.unit === "%") ||
    set.figures.find((figure) => figure.group === "cider") || set.figures[0];
  const left = make("div", {}, make("p", { class: "set-name" }, `${set.dataset}, ${set.split} split`));
  if (headline) {
    const value = headline.value === null ? "–" : headline.unit === "%" ? headline.value.toFixed(1) : headline.value.toFixed(3);
    left.append(make("p", { class: "headline" }, value, headline.unit === "%" ? make("small", {}, "%") : null),
      make("p", { class: "small" }, `${headline.scorer} ${headline.group}` + (headline.shownInterval ? `, 95 % interval ${headline.shownInterval}` : "")));
  }
  left.append(make("p", { class: "small" }, `${count(set.n)} samples, ${count(set.images)} images` +
    (set.missing ? `; ${count(set.missing)} without an answer` : "")));
  left.append(...set.beside.map((line) => make("p", { class: "small" }, line)));
  const right = make("div", {});
  for (const scorer of new Set(set.figures.map((figure) => figure.scorer)))
    right.append(make("div", { class: "scorer" }, make("h3", {}, scorer),
      ...set.figures.filter((figure) => figure.scorer === scorer).map(figureRow), floorNote(set, scorer)));
  if (!set.figures.length) right.append(make("p", { class: "small" }, "Nothing scored yet: pefomed score SCORER predictions.jsonl"));
  return make("article", { class: "set" }, left, right);
}

// What the tick on the bars of a scorer is; nothing where there is none.
function floorNote(set, scorer) {
  return set.floors[scorer] ? make("p", { class: "small floor-note" }, make("span", { class: "floor-mark", "aria-hidden": "true" }), "Floor: " + set.floors[scorer]) : null;
}

function figureRow(figure) {
  const interval = figure.interval || {};
  const value = figure.value === null ? "–" : figure.shown;
  return make("div", { class: "figure" },
    make("span", {}, figure.group + " ", make("span", { class: "small" }, figure.value === null ? figure.shown : figure.n)),
    strip(figure.value, interval.low, interval.high, [figure.min, figure.max], `${figure.shown} ${figure.shownInterval}`, figure.floor), make("b", {}, value));
}

function setUpBreakdowns() {
  const having = data.sets.filter((set) => set.breakdowns.length);
  if (!having.length) return;
  $("breakdowns").hidden = false;
  for (const set of having) $("plot-set").append(make("option", { value: set.key }, set.key));
  const fill = () => {
    const set = data.sets.find((candidate) => candidate.key === $("plot-set").value);
    const names = [...new Set(set.breakdowns.map((breakdown) => breakdown.scorer))];
    const together = set.together.length ? [make("option", { value: TOGETHER }, "exact match, judges and people side by side")] : [];
    $("plot-scorer").replaceChildren(...together, ...names.map((name) => make("option", { value: name }, name)));
    showPlots();
  };
  $("plot-set").addEventListener("change", fill);
  $("plot-scorer").addEventListener("change", showPlots);
  fill();
}

function showPlots() {
  const set = data.sets.find((candidate) => candidate.key === $("plot-set").value), together = $("plot-scorer").value === TOGETHER;
  const names = together ? set.together : [$("plot-scorer").value];
  const chosen = set.breakdowns.filter((breakdown) => breakdown.scorer === names[0]);
  $("plots-side").hidden = !together;
  $("plots-one").hidden = together;
  $("plots-floor").hidden = !chosen.some((breakdown) => breakdown.cells.some((cell) => cell.floor !== null && cell.floor !== undefined));
  $("plots").replaceChildren(...chosen.map((breakdown) => {
    const plot = make("div", { class: "plot" }, make("h3", {}, "By " + breakdown.title));
    const beside = names.map((name) => set.breakdowns.find((other) => other.scorer === name && other.axis === breakdown.axis));
    if (together) plot.append(make("p", { class: "small legend" }, ...beside.map((other, at) =>
      make("span", { class: "series-" + at % 4 }, other.scorer))));
    breakdown.cells.forEach((cell, place) => {
      const cells = beside.map((other) => other.cells[place]);
      plot.append(make("button", { class: "group", type: "button", title: `Show the ${count(cell.n)} answers`,
        onclick: () => chooseGroup(set, breakdown.axis, cell.group) },
      make("span", {}, cell.label), make("span", {}, count(Math.max(...cells.map((other) => other.n)))),
      ...cells.flatMap((other, at) => bar(other, breakdown, together ? at : -1, beside[at].scorer))));
    });
    return plot;
  }));
}

// The strip of one group and its value: with the interval of one scorer, or, side by side, with the SD over runs or raters.
function bar(cell, breakdown, series, scorer) {
  const shown = mean(cell.value, breakdown.unit), spread = cell.sd === null ? "" : " ± " + cell.sd.toFixed(breakdown.unit === "%" ? 1 : 3);
  const [low, high] = series < 0 ? [cell.low, cell.high] : cell.sd === null ? [null, null] : [cell.value - cell.sd, cell.value + cell.sd];
  const drawn = strip(cell.value, low, high, [breakdown.min, breakdown.max], `${cell.label}, ${scorer}: ${shown}${spread}`, cell.floor);
  if (series >= 0) drawn.classList.add("series-" + series % 4);
  return [drawn, make("b", { title: scorer }, shown.replace(" %", spread + " %"))];
}

function chooseGroup(set, axis, group) {
  $("filters").reset();
  $("f-set").value = set.key;
  const select = $("f-" + axis);
  if (select) select.value = group;
  apply();
  $("gallery").scrollIntoView();
}

function showComparison() {
  if (!data.comparison) return;
  $("comparison").hidden = false;
  for (const compared of data.comparison.tables) {
    const [min, max] = compared.range, ends = [compared.floor || min, ...compared.bars.map((bar) => bar.interval.high || bar.value || min)];
    // A range of which little is used is shown up to what is used.
    const range = [min, compared.unit === "%" ? max : Math.min(max, min + Math.max(1e-9, ...ends.map((end) => end - min)) * 1.1)];
    const block = make("div", { class: "compared" }, make("h3", {}, compared.table.title));
    for (const bar of compared.bars) {
      const shown = mean(bar.value, compared.unit);
      block.append(make("div", { class: "figure" }, make("span", {}, bar.run),
        strip(bar.value, bar.interval.low, bar.interval.high, range, `${bar.run}: ${shown}`, compared.floor), make("b", {}, shown)));
    }
    block.append(...compared.said.map((line) => make("p", { class: "said" }, line)), ...drawTable(compared.table));
    $("tables").append(block);
  }
  for (const table of data.comparison.further)
    $("tables").append(make("div", { class: "compared" }, make("h3", {}, table.title), ...drawTable(table)));
  $("tables").append(...data.comparison.notes.map((note) => make("p", { class: "note" }, note)));
}

// A table and its notes, as table.py prepares them; the title stands above it or is its label.
function drawTable(table) {
  const cell = (column, tag, text, attributes) => make(tag, { ...attributes, class: column.kind === "text" ? "text-cell" : null }, text);
  return [make("div", { class: "table-wrap", tabindex: 0, role: "region", "aria-label": table.title }, make("table", {},
    make("thead", {}, make("tr", {}, ...table.columns.map((column) =>
      cell(column, "th", column.header, { scope: "col", title: column.help || null })))),
    make("tbody", {}, ...table.rows.map((row) => make("tr", {}, ...row.map((text, at) => cell(table.columns[at], "td", text))))))),
  ...table.notes.map((note) => make("p", { class: "small" }, note))];
}

// -- judges and people ------------------------------------------------------------------------------------------------

// @include explorer_ratings.js

// -- does it look? ----------------------------------------------------------------------------------------------------

// @include explorer_reliance.js

// -- filters ----------------------------------------------------------------------------------------------------------

// @include explorer_filters.js

// -- cards ------------------------------------------------------------------------------------------------------------

function drawMore() {
  const next = state.shown.slice(state.drawn, state.drawn + PAGE);
  $("cards").append(...next.map((at, offset) => card(at, state.drawn + offset)));
  state.drawn += next.length;
  const left = state.shown.length - state.drawn;
  $("end").hidden = left === 0;
  $("more").textContent = `Show ${count(Math.min(left, PAGE))} more of ${count(left)}`;
  // An observer reports changes only; begun anew it also reports an end that is still in sight.
  endObserver.disconnect();
  endObserver.takeRecords();
  endObserver.observe($("end"));
}

const endObserver = new IntersectionObserver((entries) => { if (entries.some((entry) => entry.isIntersecting)) drawMore(); },
  { rootMargin: "800px" });

function card(at, position) {
  const sample = samples[at];
  return make("li", { class: "card" + (data.images ? "" : " no-image"), tabindex: 0, "data-id": sample.id, "data-position": position,
    onclick: (event) => openDetail(Number(event.currentTarget.dataset.position)) },
  imageOf(sample), make("div", { class: "text" }, question(sample), answers(sample), tags(sample)));
}

function imageOf(sample) {
  if (!data.images) return null;
  if (images === null) images = JSON.parse($("images").textContent);
  const shown = sample.images.map((number) => images[number]
    ? make("img", { src: "data:image/jpeg;base64," + images[number], alt: "", decoding: "async" })
    : "image cannot be shown");
  if (shown.length === 1) return make("div", { class: "image" }, ...shown);
  return make("div", { class: "image views" }, ...shown.map((image, at) =>
    make("figure", {}, image, make("figcaption", {}, sample.views[at]))));
}

function question(sample, id) {
  return make("p", { class: "question", id }, sample.question || sample.id);
}

// Reference, then the answer of each run with its verdict; runs that answered the same share a line.
function answers(sample) {
  if (!data.texts) return null;
  const chosenScorer = chosen("f-scorer") === "" ? -1 : Number(chosen("f-scorer"));
  const binary = chosenScorer >= 0 && data.scorers[chosenScorer].binary ? chosenScorer : data.scorers.findIndex((scorer) => scorer.binary);
  const lines = new Map();
  data.runs.forEach((name, run) => {
    if (!sample.runs[run]) return;
    const said = sample.runs[run][0], verdict = binary < 0 ? "unscored" : verdictOf(sample, binary, run);
    const key = JSON.stringify([said, verdict]);
    if (!lines.has(key)) lines.set(key, { said, verdict, names: [] });
    lines.get(key).names.push(name);
  });
  const list = make("dl", { class: "answers" + (data.runs.length > 1 ? " of-runs" : "") },
    make("dt", {}, "Reference"), make("dd", {}, sample.answer));
  for (const { said, verdict, names } of lines.values()) {
    const mark = { right: "✓ ", wrong: "✗ ", unscored: "" }[verdict];
    list.append(make("dt", {}, data.runs.length > 1 ? names.join("; ") : "Model"), said === null
      ? make("dd", { class: "missing" }, mark + "no answer")
      : make("dd", { class: verdict === "unscored" ? "" : "is-" + verdict }, mark + said));
  }
  return list;
}

function tags(sample) {
  const found = data.fields.flatMap((field, at) => sample.groups[at].filter((group) => field.isTag && group !== NOT_GIVEN)
    .map((group) => make("li", { title: field.title }, labelOf(field, group))));
  const at = chosen("f-scorer"), value = at === "" || data.scorers[at].binary ? null : scoreOf(sample, at, chosenRun());
  if (value !== null) found.push(make("li", {}, `${shortName(data.scorers[at].name)} ${value}`));
  for (const [kind, text] of [["any", "scorers disagree"], ["human", "people disagree"], ["judge", "judge wavers"], ["runs", "runs disagree"]])
    if (differs(sample, kind)) found.push(make("li", { class: "differ" }, text));
  return make("ul", { class: "tags" }, ...found);
}

// A group with what its code stands for.
function labelOf(field, group) { return field.labels[group] || group; }

function shortName(scorer) { return scorer.startsWith("lexical/") ? scorer.split("/")[2] : scorer.split("/").slice(0, 2).join("/"); }

// -- one answer in full -----------------------------------------------------------------------------------------------

function openDetail(position) {
  if (position < 0 || position >= state.shown.length) return;
  const sample = samples[state.shown[position]];
  state.open = position;
  const facts = [sample.id, data.sets[sample.set].key];
  const runs = data.runs.map((_, run) => run).filter((run) => sample.runs[run]);
  const shown = (value) => value === null ? "–" : String(value);
  const rows = data.scorers.map((scorer, at) => [scorer.name + (sample.ratings[at] && sample.ratings[at].length > 1
    ? ` (${sample.ratings[at].map((value) => value === null ? "–" : value).join(" ")})` : ""),
    ...runs.map((run) => shown(scoreOf(sample, at, run)))]).filter((row) => row.slice(1).some((text) => text !== "–"));
  const head = data.runs.length > 1 ? make("thead", {}, make("tr", {}, make("th", {}, ""),
    ...runs.map((run) => make("th", { scope: "col" }, data.runs[run])))) : null;
  $("detail-body").replaceChildren(make("div", { class: "detail" + (data.images ? "" : " no-image") }, mapped(sample, imageOf(sample)),
    make("div", { class: "text" }, question(sample, "detail-question"), answers(sample), looked(sample),
      make("table", {}, head, make("tbody", {}, ...rows.map((row) => make("tr", {}, ...row.map((cell) => make("td", {}, cell)))))),
      make("p", { class: "small" }, facts.join(" · ")), tags(sample), make("div", { class: "steps" },
        make("button", { type: "button", onclick: () => openDetail(position - 1) }, "Previous"),
        make("button", { type: "button", onclick: () => openDetail(position + 1) }, "Next"),
        make("button", { type: "button", onclick: () => $("detail").close() }, "Close"),
        make("span", { class: "small" }, `${count(position + 1)} of ${count(state.shown.length)}`)))));
  if (!$("detail").open) $("detail").showModal();
  $("detail").focus();
}

function moveTo(position) {
  while (position >= state.drawn && state.drawn < state.shown.length) drawMore();
  const target = $("cards").children[Math.max(0, Math.min(position, state.shown.length - 1))];
  if (target) { target.focus(); target.scrollIntoView({ block: "nearest" }); }
}

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const typing = /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName);
  if ($("detail").open) {
    const step = { ArrowRight: 1, j: 1, ArrowLeft: -1, k: -1 }[event.key];
    if (step) { event.preventDefault(); openDetail(state.open + step); }
    return;
  }
  if (typing) { if (event.key === "Escape") event.target.blur(); return; }
  const focused = document.activeElement.closest(".card");
  const at = focused ? Number(focused.dataset.position) : -1;
  if (event.key === "/") { event.preventDefault(); $("search").focus(); }
  else if (event.key === "j") moveTo(at + 1);
  else if (event.key === "k") moveTo(Math.max(at - 1, 0));
  else if (event.key === "Enter" && focused) { event.preventDefault(); openDetail(at); }
}

function setTheme(dark) {
  document.documentElement.dataset.theme = dark ? "dark" : "light";
  $("theme").textContent = dark ? "Light" : "Dark";
}

setTheme(matchMedia("(prefers-color-scheme: dark)").matches);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", (event) => setTheme(event.matches));
$("theme").addEventListener("click", () => setTheme(document.documentElement.dataset.theme !== "dark"));
document.addEventListener("keydown", onKey);
$("detail").addEventListener("click", (event) => { if (event.target === $("detail")) $("detail").close(); });
$("detail").addEventListener("close", () => moveTo(state.open));
setUpFilters();
setUpBreakdowns();
showRatings();
showReliance();
showComparison();
showSummary();
$("more").addEventListener("click", drawMore);
apply();
