// Figures of the run, by group and beside other runs. Uses data of explorer.js.

const count = (n) => n.toLocaleString("en");
const several = (n, one) => `${count(n)} ${one}${n === 1 ? "" : "s"}`;
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

function showSummary() {
  document.title = data.title + " – PeFoMed report";
  $("title").append(...wrapped(data.title));
  const total = data.samples.length;
  const checkpoint = data.producer.checkpoint ? data.producer.checkpoint.split("/").slice(-2).join("/") : "";
  $("lead").append(...wrapped(`${several(total, "answer")} about ${several(data.imageCount, "image")}` +
    (data.runs.length > 1 ? `, beside those of ${data.runs.slice(1).join("; ")}` : "") + (checkpoint ? `, by ${checkpoint}` : "") + "."));
  if (data.notice) $("sets").append(make("p", { class: "warning" }, data.notice));
  for (const set of data.sets) $("sets").append(setPanel(set));
  for (const section of document.querySelectorAll("main > section:not([hidden])"))
    $("nav").append(make("a", { href: "#" + section.id }, section.id === "summary" ? "Summary" : section.querySelector("h2").textContent));
  $("footer").append(make("p", {}, "Keys: ", make("kbd", {}, "?"), " shows them all. ", make("button", { type: "button", id: "help-below" }, "Keys")),
    make("p", {}, ...wrapped(`pefomed_plugin ${data.version}. ` + Object.entries(data.producer).map(([key, value]) => `${key}: ${value}`).join(" · "))));
}

function setPanel(set) {
  const headline = set.headline;
  const left = make("div", {}, make("h2", { class: "set-name" }, `${set.dataset}, ${set.split} split`));
  if (headline) {
    const value = headline.value === null ? "–" : headline.unit === "%" ? headline.value.toFixed(1) : headline.value.toFixed(3);
    left.append(make("p", { class: "headline" }, value, headline.unit === "%" ? make("small", {}, "%") : null),
      make("p", { class: "small" }, ...wrapped(`${headline.scorer} ${headline.group}` + (headline.shownInterval ? `, 95 % interval ${headline.shownInterval}` : headline.noInterval ? `; no 95 % interval: ${headline.noInterval}` : ""))));
  }
  left.append(make("p", { class: "small" }, `${several(set.n, "sample")}, ${several(set.images, "image")}` +
    (set.missing ? `; ${count(set.missing)} without an answer` : "")));
  left.append(...set.beside.map((line) => make("p", { class: "small" }, ...wrapped(line))));
  const right = make("div", {});
  if (set.runs.length) right.append(runsBeside(set));
  for (const scorer of new Set(set.figures.map((figure) => figure.scorer)))
    right.append(make("div", { class: "scorer" }, make("h3", {}, ...wrapped(scorer)),
      ...set.figures.filter((figure) => figure.scorer === scorer).map(figureRow), floorNote(set, scorer)));
  if (!set.figures.length) right.append(make("p", { class: "small" }, set.references ? "Nothing scored yet: pefomed score SCORER predictions.jsonl" : "There are no references, so nothing can be scored."));
  return make("article", { class: "set" }, left, right);
}

// The headline figure of every run, the page's own marked.
function runsBeside(set) {
  const { scorer, group, min, max } = set.headline;
  return make("div", { class: "scorer runs-beside" }, make("h3", {}, ...wrapped(`Every run, ${scorer} ${group}`)), ...set.runs.map((run) => {
    const interval = run.interval || {}, isOwn = run.run === data.runs[0];
    return make("div", { class: "figure" + (isOwn ? " own" : "") }, make("span", {}, ...wrapped(run.run), isOwn ? make("span", { class: "small" }, " this page") : null),
      run.value === null ? make("span", { class: "small" }, ...wrapped(run.shown)) : strip(run.value, interval.low, interval.high, [min, max], `${run.run}: ${run.shown}`, run.floor),
      make("b", {}, run.value === null ? "–" : run.shown));
  }));
}

// What the tick on the bars of a scorer is; nothing where there is none.
function floorNote(set, scorer) {
  return set.floors[scorer] ? make("p", { class: "small floor-note" }, make("span", { class: "floor-mark", "aria-hidden": "true" }), ...wrapped("Floor: " + set.floors[scorer])) : null;
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
  $("plots-bare").hidden = together || !chosen.some((breakdown) => breakdown.cells.some((cell) => cell.value !== null && cell.low === null));
  $("plots").replaceChildren(...chosen.map((breakdown) => {
    const plot = make("div", { class: "plot" }, make("h3", {}, "By " + breakdown.title));
    const beside = names.map((name) => set.breakdowns.find((other) => other.scorer === name && other.axis === breakdown.axis));
    if (together) plot.append(make("p", { class: "small legend" }, ...beside.map((other, at) =>
      make("span", { class: "series-" + at % 4 }, ...wrapped(other.scorer)))));
    breakdown.cells.forEach((cell, place) => {
      const cells = beside.map((other) => other.cells[place]);
      plot.append(make("button", { class: "group", type: "button", title: `Show the ${count(cell.n)} answers` + (cell.label === cell.group ? "" : ` (${cell.group})`),
        onclick: () => chooseGroup(set, breakdown.axis, cell.group) },
      make("span", {}, ...wrapped(cell.label)), make("span", {}, count(Math.max(...cells.map((other) => other.n)))),
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
  const select = $(idOfField(axis));
  if (select) select.value = group;
  apply();
  remember();
  $("gallery").scrollIntoView();
}

function showComparison() {
  if (!data.comparison) return;
  $("comparison").hidden = false;
  $("comparison-title").textContent = data.comparison.title;
  for (const compared of data.comparison.tables) {
    const [min, max] = compared.range, ends = [compared.floor || min, ...compared.bars.map((bar) => bar.interval.high || bar.value || min)];
    // A range of which little is used is shown up to what is used.
    const range = [min, compared.unit === "%" ? max : Math.min(max, min + Math.max(1e-9, ...ends.map((end) => end - min)) * 1.1)];
    const block = make("div", { class: "compared" }, make("h3", {}, ...wrapped(compared.table.title)));
    for (const bar of compared.bars)
      block.append(make("div", { class: "figure" }, make("span", {}, ...wrapped(bar.run)),
        strip(bar.value, bar.interval.low, bar.interval.high, range, `${bar.run}: ${bar.shown}`, compared.floor), make("b", {}, bar.shown)));
    if (compared.floor !== null) block.append(make("p", { class: "small floor-note" }, make("span", { class: "floor-mark", "aria-hidden": "true" }), ...wrapped(compared.floorSaid)));
    block.append(...compared.said.map((line) => make("p", { class: "said" }, ...wrapped(line))), ...drawTable(compared.table));
    $("tables").append(block);
  }
  for (const table of data.comparison.further)
    $("tables").append(make("div", { class: "compared" }, make("h3", {}, ...wrapped(table.title)), ...drawTable(table)));
  $("tables").append(...data.comparison.notes.map((note) => make("p", { class: "note" }, note)));
}

// A table and its notes, as table.py prepares them; the title stands above it or is its label.
function drawTable(table) {
  const cell = (column, tag, text, attributes) => make(tag, { ...attributes, class: column.kind === "text" ? "text-cell" : null }, ...wrapped(text));
  return [saysThatItScrolls(make("div", { class: "table-wrap", tabindex: 0, role: "region", "aria-label": table.title }, make("table", {},
    make("thead", {}, make("tr", {}, ...table.columns.map((column) => column.header === "" ? make("td", {}) :
      cell(column, "th", column.header, { scope: "col", title: column.help || null })))),
    make("tbody", {}, ...table.rows.map((row) => make("tr", {}, ...row.map((text, at) => cell(table.columns[at], "td", text)))))))),
  ...table.notes.map((note) => make("p", { class: "small" }, ...wrapped(note)))];
}
