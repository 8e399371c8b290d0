"use strict";
// What goes to the server. A rating that is not saved keeps its item in sight; a comment that is not is kept, named, and
// tried again. Whoever has the page open twice is told what the other window has said. Uses the state of rating.js.

async function ask(path, options) {
  let answer;
  try {
    answer = await fetch(path, options);
  } catch (_) {
    throw new Error("The server does not answer. Ask who runs this page, then try again.");
  }
  const content = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(content.error || "The server answers " + answer.status + ".");
  return content;
}

function post(said) {
  return ask("/rating", {
    method: "POST", headers: { "Content-Type": "application/json" }, keepalive: true,  // arrives also if the page is left
    body: JSON.stringify({ rater: state.session.rater, round: state.session.round, ...said }),
  });
}

// Keeps what is said; whether all of it stands. A comment goes with the one it replaces, and only if it was changed: a
// page that was left open must not wipe what another window has written since.
async function save(item, said) {
  const seen = item.seen;
  const { comment, ...rating } = said;
  const changed = comment !== undefined && comment !== seen, most = state.session.commentLimit;
  if (changed && comment.length > most)  // not cut by the box, which would say nothing
    throw new Error(`A comment has at most ${most.toLocaleString("en")} characters, and this one has ${comment.length.toLocaleString("en")}: shorten it.`);
  const answer = await post({ item: item.item, ...rating, ...(changed ? { comment, seen } : {}) });
  if (rating.rating !== undefined) item.cannot = false;
  if (rating.cannot) item.rating = null;
  Object.assign(item, said);
  item.refused = answer.comment !== undefined;
  item.seen = answer.comment ?? comment ?? seen;
  if (item.refused) {
    throw new Error((rating.rating === undefined && !rating.cannot ? "" : "The rating is saved. ") + "Your comment is not: another window has written \u201c" +
      answer.comment + "\u201d. Yours is still in the box; press Enter in it to put it in that one's place.");
  }
  if (comment !== undefined) item.failed = "";
  return answer;
}

async function keepComment() {
  const at = state.at, item = items()[at], comment = $("comment").value;
  if (comment === item.seen) item.failed = "";
  else {
    item.comment = comment;  // at once: the rater may come back before the server has answered
    try {
      await save(item, { comment });
      if (state.at === at) complain("problem");
    } catch (problem) {
      item.failed = problem.message;
      if (state.at === at) complain("problem", (item.refused ? "" : "The comment is not saved. ") + problem.message);
    }
  }
  showUnsaved();
}

const unsaved = () => state.session ? items().map((item, at) => ({ item, at })).filter(({ item }) => item.failed) : [];

// Which comments the server does not have; in sight whatever item is shown.
function showUnsaved() {
  const found = unsaved(), here = $("rating").hidden ? -1 : state.at;
  const elsewhere = found.filter(({ at }) => at !== here).map(({ at }) => "item " + (at + 1));
  $("unsaved-text").textContent = elsewhere.length ? "Not saved: the comment on " + elsewhere.join(", ") + "." : "";
  $("unsaved").hidden = !elsewhere.length;
}

// Those that failed, once more; where another window has written, only the rater can say which counts.
async function keepFailed() {
  const { session } = state;
  for (const { item } of unsaved()) {
    if (item.refused || state.session !== session) continue;
    try {
      await save(item, { comment: item.comment });
    } catch (problem) {
      item.failed = problem.message;
    }
  }
  showUnsaved();
}

// What the server has by now, of this rater's other windows too; what is typed and not saved stays.
async function readAgain() {
  const { session } = state;
  if (!session) return;
  const fresh = await ask("/session?" + new URLSearchParams({ rater: session.rater, round: session.round })).catch(() => null);
  if (!fresh || state.session !== session) return;
  const found = new Map(fresh.items.map((item) => [item.item, item]));
  for (const item of items()) {
    const { rating, cannot, comment } = found.get(item.item) || item;
    Object.assign(item, { rating, cannot });
    if (item.comment === item.seen) item.comment = item.seen = comment;
  }
  const own = items()[state.at];
  if (document.activeElement !== $("comment") && !own.failed) $("comment").value = own.comment;
  showRatings();
}

function setUpSaving() {
  $("comment").addEventListener("blur", keepComment);
  $("try").addEventListener("click", keepFailed);
  addEventListener("online", () => { keepFailed(); showFilmAgain(); });
  const keepOpen = () => { if (state.session && !$("rating").hidden) keepComment(); };
  addEventListener("pagehide", keepOpen);
  document.addEventListener("visibilitychange", () => { if (document.visibilityState === "hidden") keepOpen(); else readAgain(); });
  addEventListener("beforeunload", (event) => { if (unsaved().length) event.preventDefault(); });
}
