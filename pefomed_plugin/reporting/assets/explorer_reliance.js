// Does it look? Figures of a test set, and of each sample what was said about another image, none, and its own mirrored.
// Uses make, drawTable and data of explorer.js, and like it writes text only.

function showReliance() {
  const having = data.sets.filter((set) => set.reliance);
  if (!having.length) return;
  $("reliance").hidden = false;
  for (const set of having) {
    if (having.length > 1) $("looked-sets").append(make("h3", {}, set.key));
    $("looked-sets").append(...drawTable(set.reliance.table));
  }
}

// What was said about the other images, in the full view of one answer.
function looked(sample) {
  if (!sample.looked || !data.texts) return null;
  const [texts] = sample.looked, own = sample.runs[0] && sample.runs[0][0];
  return make("div", { class: "looked" }, make("h3", {}, "Asked again, shown"),
    make("dl", { class: "answers" }, ...Object.values(data.variants).flatMap((shown, at) => [make("dt", {}, shown),
      make("dd", { class: texts[at] === null ? "missing" : null }, (texts[at] === null ? "no answer" : texts[at]) +
        (texts[at] === own ? " (the same)" : ""))])));
}
