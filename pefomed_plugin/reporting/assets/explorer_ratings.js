// Judges and people: one run under every evaluation, means of runs and raters, levels of reports, agreement.
// Uses make, strip, drawTable, count and data of explorer.js, and like it writes text only.

const STATISTIC_NAMES = { kappa: "Cohen's kappa", kappa_linear: "kappa, linear weights", kappa_quadratic: "kappa, quadratic weights",
  kendall_tau_b: "Kendall's tau-b", spearman: "Spearman's rho" };

function showRatings() {
  const having = data.sets.filter((set) => set.ratings);
  if (!having.length) return;
  $("ratings").hidden = false;
  $("ratings-note").textContent = (data.hasPaperFigures ? "In brackets the paper's figure; behind" : "Behind") +
    " ± the standard deviation over runs or raters. Intervals are 95 % bootstraps over studies or images.";
  for (const set of having) {
    const block = make("div", { class: "rated" });
    if (having.length > 1) block.append(make("h3", {}, set.key));
    const evaluations = set.ratings.evaluations;
    if (evaluations) block.append(make("h3", {}, evaluations.title), ...drawTable(evaluations));
    const panels = make("div", { class: "plots" }, ...set.ratings.repeated.map(runsPanel));
    if (set.ratings.levels.length) panels.prepend(levelsPanel(set.ratings.levels));
    block.append(panels);
    if (set.ratings.agreement) block.append(...agreementPanel(set.ratings.agreement, set.key));
    $("rated-sets").append(block);
  }
}

// Each run of a judge, or each rater, as a dot; their mean with its interval below.
function runsPanel(found) {
  const interval = found.interval || {};
  const panel = make("div", { class: "plot" }, make("h3", {}, ...wrapped(found.scorer)));
  found.runs.forEach(([value, shown], at) => panel.append(make("div", { class: "rater" }, make("span", {}, `${found.word} ${at + 1}`),
    strip(value, null, null, [found.min, found.max], `${found.word} ${at + 1}: ${shown}`), make("b", {}, shown))));
  panel.append(make("div", { class: "rater all" }, make("span", {}, "mean ± SD"),
    strip(found.value, interval.low, interval.high, [found.min, found.max], `mean: ${found.shown}`, found.floor), make("b", {}, found.shown)));
  const notes = [...found.facts, ...(found.unscored ? [`${count(found.unscored)} not scored`] : [])];
  if (notes.length) panel.append(make("p", { class: "small" }, ...wrapped(notes.join(" · "))));
  return panel;
}

function levelsPanel(rows) {
  const panel = make("div", { class: "plot" }, make("h3", {}, "Levels and their mean"));
  for (const row of rows) {
    const text = row.shares.map((share, place) => `${row.levels[place]}: ${share.toFixed(1)} %`).join(", ");
    const bar = make("div", { class: "levels", role: "img", "aria-label": text, title: text });
    row.shares.forEach((share, place) => bar.append(make("span", { class: "level-" + Math.round(4 * place / (row.levels.length - 1)), style: `flex-grow: ${share}` },
      share >= 14 ? `${row.levels[place].slice(6)}: ${share.toFixed(0)} %` : "")));
    panel.append(make("div", { class: "levels-row" }, make("span", {}, row.label), make("b", {}, row.mean), bar));
  }
  return panel;
}

function agreementPanel(found, key) {
  const select = make("select", {}, ...found.statistics.map((name) => make("option", { value: name }, STATISTIC_NAMES[name])));
  const matrix = make("div", { class: "table-wrap", tabindex: 0, role: "region", "aria-label": "Agreement of pairs, " + key });
  const counts = make("div", { class: "counts", "aria-live": "polite" });
  const fill = () => { counts.replaceChildren(); matrix.replaceChildren(agreementMatrix(found, select.value, counts)); };
  select.addEventListener("change", fill);
  fill();
  return [make("div", { class: "section-head agreement" }, make("h3", {}, "Agreement, " + key), make("label", {}, "Statistic ", select)), saysThatItScrolls(matrix), counts,
    ...(found.together ? drawTable(found.together) : []),
    ...found.corrected.flatMap((table) => [make("h3", {}, table.title + ", " + key), ...drawTable(table)])];
}

function agreementMatrix(found, statistic, counts) {
  const pairOf = (row, column) => found.pairs[`${row} ~ ${column}`] || null, columns = found.names.slice(1);
  const rows = found.names.filter((row) => columns.some((column) => pairOf(row, column)));
  return make("table", { class: "matrix" },
    make("thead", {}, make("tr", {}, make("td", {}), ...columns.map((name) => make("th", { scope: "col" }, ...wrapped(name))))),
    make("tbody", {}, ...rows.map((row) => make("tr", {}, make("th", { scope: "row" }, ...wrapped(row)), ...columns.map((column) => {
      const pair = pairOf(row, column);
      return pair ? agreementCell(found, row, column, pair, pair.figures[statistic], counts) : make("td", {}, "");
    })))));
}

function agreementCell(found, row, column, pair, [value, low, high], counts) {
  const name = `${row} ~ ${column}`;
  return make("td", { style: `--agree: ${Math.max(0, value || 0)}` }, make("button", { type: "button",
    title: `${name}, ${count(pair.n)} items: show the counts`, onclick: () => counts.replaceChildren(...countsTable(found, row, column, pair)) },
  make("b", {}, value === null ? "undefined" : value.toFixed(2)),
  make("span", { class: "small" }, low === null ? `n ${count(pair.n)}` : `${low.toFixed(2)} to ${high.toFixed(2)}`)));
}

function countsTable(found, row, column, pair) {
  const table = { title: "Counts", notes: [],
    columns: ["", ...found.scale].map((level, at) => ({ header: String(level), kind: at ? "count" : "text" })),
    rows: pair.table.map((cells, at) => [String(found.scale[at]), ...cells.map(String)]) };
  return [make("p", { class: "small" }, `${count(pair.n)} items by ${row} (rows) and ${column} (columns)`), ...drawTable(table)];
}
