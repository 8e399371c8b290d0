"use strict";
// Who has rated how many, for who runs the study. The server sends counts and no verdicts. make.js comes before it.

const EVERY_MS = 10000;

function row(found, several) {
  const done = found.rated + found.cannot;
  const cells = [found.rater, ...(several ? [found.round] : []), `${done} of ${found.of}`];
  const bar = make("progress", { max: found.of, value: done, "aria-label": `${found.rater}, ${done} of ${found.of}` });
  return make("tr", {}, make("th", { scope: "row" }, String(cells[0])), ...cells.slice(1).map((cell) => make("td", {}, String(cell))),
    make("td", {}, bar), ...[found.cannot, found.commented, found.on_page, found.on_sheets].map((count) => make("td", {}, String(count))),
    make("td", {}, found.last ? found.last.slice(0, 16).replace("T", " ") : "–"));
}

async function refresh() {
  try {
    const answer = await fetch("/progress");
    const found = await answer.json();
    if (!answer.ok) throw new Error(found.error);
    const several = found.rounds.length > 1;
    const heads = ["Rater", ...(several ? ["Round"] : []), "Done", "", "Cannot judge", "Comments", "On the page", "On sheets", "Last (UTC)"];
    $("head").replaceChildren(make("tr", {}, ...heads.map((head) => head ? make("th", { scope: "col" }, head) : make("td", {}))));
    $("rows").replaceChildren(...found.raters.map((each) => row(each, several)));
    $("note").textContent = [found.raters.length ? "" : "Nobody has begun.", found.same ? `${found.same} items with the same answer from both models are not shown: ties.` : ""].join(" ").trim();
    $("problem").hidden = true;
  } catch (problem) {
    $("problem").textContent = "The counts cannot be read: " + problem.message;
    $("problem").hidden = false;
  }
}

setUpTheme();
saysThatItScrolls($("raters"));
refresh();
setInterval(refresh, EVERY_MS);
