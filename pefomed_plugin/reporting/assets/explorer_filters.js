// Which answers are shown: filters, verdicts, disagreements, order. Uses samples, state, make and count of explorer.js.

function addSelect(id, label, options) {
  const select = make("select", { id }, ...options.map(([value, text]) => make("option", { value }, text)));
  $("choices").append(make("label", {}, label + " ", select));
  return select;
}

function setUpFilters() {
  if (data.sets.length > 1) addSelect("f-set", "Test set", [["", "all"], ...data.sets.map((set) => [set.key, set.key])]);
  else $("choices").append(make("input", { id: "f-set", type: "hidden", value: "" }));
  data.fields.forEach((field, at) => {
    const counts = new Map();
    for (const sample of samples) for (const group of sample.groups[at]) counts.set(group, (counts.get(group) || 0) + 1);
    const options = [...counts].sort((a, b) => b[1] - a[1]).map(([group, n]) => [group, `${labelOf(field, group)}: ${count(n)}`]);
    if (counts.size > 1) addSelect(idOfField(field.name), field.title[0].toUpperCase() + field.title.slice(1), [["", "all"], ...options]);
  });
  if (data.runs.length > 1) addSelect("f-run", "Run", data.runs.map((run, at) => [at, run]));
  if (data.scorers.length) {
    const select = addSelect("f-scorer", "Score", data.scorers.map((scorer, at) => [at, scorer.name]));
    const first = Math.max(0, data.scorers.findIndex((scorer) => scorer.verdict));
    select.options[first].defaultSelected = true;
    select.addEventListener("change", fillVerdicts);
    addSelect("f-verdict", "Verdict", []);
    fillVerdicts();
    addSelect("f-order", "Order", [["", "as in the data"], ["up", "lowest score first"], ["down", "highest score first"]]);
  }
  const disagreements = Object.keys(DISAGREEMENTS).filter((kind) => samples.some((sample) => differs(sample, kind)));
  if (disagreements.length)
    addSelect("f-differ", "Disagreement", [["", "show all"], ...disagreements.map((kind) => [kind, DISAGREEMENTS[kind]])]);
  const looks = Object.keys(data.lookedKinds).filter((kind) => samples.some((sample) => isLooked(sample, kind)));
  if (looks.length) addSelect("f-looked", "Does it look?", [["", "all"], ...looks.map((kind) => [kind, data.lookedKinds[kind]])]);
  $("choices").append(make("button", { type: "reset" }, "Reset"));
  let waiting = 0;
  $("filters").addEventListener("input", (event) => {
    clearTimeout(waiting);
    waiting = setTimeout(() => { apply(); remember(event.target === $("search")); }, 80);
  });
  $("filters").addEventListener("reset", () => setTimeout(() => { if ($("f-scorer")) fillVerdicts(); apply(); remember(); }));
  $("filters").addEventListener("submit", (event) => event.preventDefault());
  $("filter-toggle").addEventListener("click", () => {
    const open = $("choices").classList.toggle("open");
    $("filter-toggle").setAttribute("aria-expanded", open);
  });
}

function fillVerdicts() {
  const [good, bad] = data.scorers[$("f-scorer").value].binary ? ["right", "wrong"] : ["better half", "worse half"];
  const before = $("f-verdict").value;
  $("f-verdict").replaceChildren(...[["", "all"], ["right", good], ["wrong", bad], ["unscored", "not scored"]]
    .map(([value, text]) => make("option", { value }, text)));
  $("f-verdict").value = before;
}

const chosen = (id) => $(id) ? $(id).value : "";
const chosenRun = () => Number(chosen("f-run") || 0);

function scoreOf(sample, at, run) {
  const value = sample.runs[run] ? sample.runs[run][1][at] : null;
  return value === undefined ? null : value;
}

function verdictOf(sample, at, run) {
  const value = scoreOf(sample, at, run);
  return value === null ? "unscored" : shareOf(data.scorers[at], value) >= 0.5 ? "right" : "wrong";
}

// Where a score lies between the worst of its range, 0, and the best, 1.
function shareOf(scorer, value) {
  const share = (value - scorer.min) / (scorer.max - scorer.min);
  return scorer.higherIsBetter ? share : 1 - share;
}

const DISAGREEMENTS = {
  any: "scorers disagree", "exact_match~judge": "exact match and judge", "exact_match~human": "exact match and people",
  "judge~human": "judge and people", human: "people among themselves", judge: "runs of the judge", runs: "runs disagree",
};

// Values between 0 and 1 disagree where they lie at least half of that range apart.
const apart = (values) => values.length > 1 && Math.max(...values) - Math.min(...values) >= 0.5;

function scaled(sample, run, wanted) {
  return data.scorers.map((scorer, at) => [scorer, scoreOf(sample, at, run)])
    .filter(([scorer, value]) => wanted(scorer) && value !== null).map(([scorer, value]) => shareOf(scorer, value));
}

function differs(sample, kind) {
  const run = chosenRun();
  if (kind === "any") return apart(scaled(sample, run, (scorer) => scorer.verdict));
  if (kind === "runs") {
    if (!data.scorers.length) return false;
    const at = Number(chosen("f-scorer") || 0);
    const values = data.runs.map((_, other) => scoreOf(sample, at, other)).filter((value) => value !== null);
    return apart(values.map((value) => shareOf(data.scorers[at], value)));
  }
  if (!kind.includes("~"))
    return Object.entries(sample.ratings).some(([at, values]) => data.scorers[at].family === kind &&
      new Set(values.filter((value) => value !== null)).size > 1);
  const [first, second] = kind.split("~").map((family) => scaled(sample, run, (scorer) => scorer.family === family));
  return first.some((one) => second.some((other) => Math.abs(one - other) >= 0.5));
}

const isLooked = (sample, kind) => kind === "mapped" ? Boolean(sample.map) : Boolean(sample.looked) && sample.looked[1].includes(kind);

function apply() {
  const wanted = $("search").value.trim().toLowerCase().split(/\s+/).filter(Boolean);
  const set = data.sets.findIndex((candidate) => candidate.key === chosen("f-set"));
  const fields = data.fields.map((field, at) => [at, chosen(idOfField(field.name))]).filter(([, group]) => group);
  const scorer = Number(chosen("f-scorer") || 0), verdict = chosen("f-verdict"), order = chosen("f-order");
  const differ = chosen("f-differ"), run = chosenRun(), kind = chosen("f-looked");
  if (wanted.length && words === null) words = samples.map(wordsOf);
  state.isApplied = true;
  $("told").textContent = "";
  state.shown = [];
  samples.forEach((sample, at) => {
    if ((set < 0 || sample.set === set) && wanted.every((word) => words[at].includes(word)) &&
        fields.every(([at, group]) => sample.groups[at].includes(group)) &&
        (!verdict || verdictOf(sample, scorer, run) === verdict) && (!differ || differs(sample, differ)) &&
        (!kind || isLooked(sample, kind))) state.shown.push(at);
  });
  if (order) {
    const sign = order === "up" ? 1 : -1, value = (at) => scoreOf(samples[at], scorer, run);
    const last = (at) => value(at) === null ? 1 : 0;
    state.shown.sort((a, b) => last(a) - last(b) || sign * (value(a) - value(b)) || a - b);
  }
  showCount(scorer, run);
  drawAnew();
}

// What a search looks through, made when the first one is typed.
let words = null;
const wordsOf = (sample) => [sample.id, ...sample.files, sample.question, sample.answer, ...sample.runs.map((run) => run && run[0])]
  .filter(Boolean).join("\n").toLowerCase();

function showCount(at, run) {
  const scoredBy = (of) => state.shown.map((place) => scoreOf(samples[place], of, run)).filter((value) => value !== null);
  let scored = scoredBy(at), used = at;
  // Of several test sets some scorers score one alone: then the first that scored these.
  for (let other = 0; !scored.length && other < data.scorers.length; other++) if (data.scorers[other].verdict) scored = scoredBy(used = other);
  const scorer = data.scorers[used];
  let text = `${count(state.shown.length)} of ${count(samples.length)} answers`;
  if (scored.length) {
    const average = scored.reduce((sum, value) => sum + value, 0) / scored.length;
    text += scorer.binary ? `, ${(100 * average).toFixed(1)} % right` : `, mean ${average.toFixed(3)}`;
    text += ` by ${scorer.name}` + (data.runs.length > 1 ? `, ${data.runs[run]}` : "");
  }
  $("count").textContent = text;
}
