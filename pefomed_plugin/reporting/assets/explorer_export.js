// The chosen answers as CSV and on paper. Uses data, samples, state and labelOf of the other parts.

// A text with ' before it where a spreadsheet would take it for a formula, a number or a date; as our sheets have it.
const NUMBERLIKE = new RegExp("^(?:" + data.guard.numberlike + ")$", "i");
function guarded(text) {
  const inDanger = data.guard.starts.some((start) => text.startsWith(start)) || NUMBERLIKE.test(text.trim());
  return inDanger ? "'" + text : text;
}

// Numbers of ours as they are, texts guarded; a quote doubled (RFC 4180).
function csvCell(value) {
  if (value === null || value === undefined) return "";
  if (typeof value === "number") return String(value);
  const text = guarded(String(value));
  return /[",\r\n;\t]/.test(text) ? '"' + text.replaceAll('"', '""') + '"' : text;
}

function csvOf(places) {
  const named = (run, what) => data.runs.length > 1 ? `${data.runs[run]}: ${what}` : what;
  const sure = data.runs.map((_, run) => samples.some((sample) => sample.runs[run] && sample.runs[run][2] !== undefined));
  const header = ["id", "test set", "images", ...(data.texts ? ["question", "reference"] : []), ...data.fields.map((field) => field.title),
    ...data.runs.flatMap((_, run) => [...(data.texts ? [named(run, "answer")] : []), ...(sure[run] ? [named(run, "confidence")] : []), ...data.scorers.map((scorer) => named(run, scorer.name))])];
  const lines = [header];
  for (const place of places) {
    const sample = samples[place];
    lines.push([sample.id, data.sets[sample.set].key, sample.files.join("; "), ...(data.texts ? [sample.question, sample.answer] : []),
      ...data.fields.map((field, at) => sample.groups[at].map((group) => labelOf(field, group)).join("; ")),
      ...data.runs.flatMap((_, run) => [...(data.texts ? [sample.runs[run] ? sample.runs[run][0] : null] : []),
        ...(sure[run] ? [sample.runs[run] ? sample.runs[run][2] : null] : []),
        ...data.scorers.map((_, at) => scoreOf(sample, at, run))])]);
  }
  return lines.map((line) => line.map(csvCell).join(",")).join("\r\n") + "\r\n";
}

function downloadCsv() {
  const file = new Blob(["\ufeff", csvOf(state.shown)], { type: "text/csv" }), address = URL.createObjectURL(file);
  const link = make("a", { href: address, download: data.title.replace(/[^\w.-]+/g, "_") + "-answers.csv" });
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 60000);
}

// On paper every chosen answer is there, whole, dark on light, and what was chosen is said.
function setUpPrint() {
  let theme = "";
  addEventListener("beforeprint", () => {
    theme = document.documentElement.dataset.theme;
    setTheme(false);
    const chosenNow = choices().filter((select) => select.value !== defaultOf(select)).map((select) =>
      `${select.parentElement.firstChild.textContent.trim()}: ${select.selectedOptions[0].textContent}`);
    if ($("search").value.trim()) chosenNow.unshift(`Search: ${$("search").value.trim()}`);
    $("chosen").textContent = chosenNow.length ? "Chosen: " + chosenNow.join(" · ") : "";
    drawAll();
  });
  addEventListener("afterprint", () => { setTheme(theme === "dark"); drawAnew(); });
}
