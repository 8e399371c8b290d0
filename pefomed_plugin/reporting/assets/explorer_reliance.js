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
      make("dd", { dir: "auto", class: texts[at] === null ? "missing" : null }, (texts[at] === null ? "no answer" : texts[at]) +
        (texts[at] === own ? " (the same)" : ""))])));
}

// The map of an answer over its image, with a switch and a scale; orange speaks for the answer, blue against it.
function mapped(sample, image) {
  if (!sample.map || !image) return image;
  const { drops, strongest, place } = sample.map, grid = drops.length, values = drops.flat();
  const most = Math.max(1e-9, ...values.map(Math.abs)), low = Math.min(0, ...values), high = Math.max(0, ...values);
  const words = place ? `The answer leans most on the ${place}.` : "Covering no part makes the answer less likely.";
  const svg = draw("svg", { class: "map", viewBox: `0 0 ${grid} ${grid}`, preserveAspectRatio: "none", role: "img", "aria-label": words });
  drops.forEach((line, row) => line.forEach((value, column) => svg.append(draw("rect", { x: column, y: row, width: 1, height: 1,
    class: value > 0 ? "for" : "against", "fill-opacity": (0.65 * Math.abs(value) / most).toFixed(3) }))));
  if (place) svg.append(draw("rect", { class: "strongest", x: strongest[1], y: strongest[0], width: 1, height: 1 }));
  const picture = image.querySelector("img");
  if (picture) { const wrap = make("div", { class: "map-wrap" }); picture.replaceWith(wrap); wrap.append(picture, svg); }
  const toggle = make("button", { type: "button", "aria-pressed": "true", onclick: () => {
    svg.toggleAttribute("hidden"); toggle.setAttribute("aria-pressed", String(!svg.hasAttribute("hidden"))); } }, "Map");
  return make("div", { class: "mapped" }, image, make("div", { class: "map-legend" }, toggle,
    make("div", { class: "map-scale" }, make("span", {}, (Math.round(100 * low) / 100 || 0).toFixed(2)), make("span", { class: "map-bar",
      style: `--zero: ${(100 * -low / (high - low || 1)).toFixed(1)}%`, role: "presentation" }), make("span", {}, high.toFixed(2))),
    make("p", { class: "small" }, "Log-probability of the answer that is lost where a cell is covered. " + words +
      " What the answer leans on, not where a finding is.")));
}
