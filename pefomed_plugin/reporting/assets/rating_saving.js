"use strict";
// What goes to the server, and comments. One that is not saved is kept, named, and tried again. Whoever has the page open
// twice is told what the other window has said. Uses the state of rating.js.

async function ask(path, options) {
  let answer;
  try {
    answer = await fetch(path, options);
  } catch (_) {
    throw new Error("The server does not answer. Ask who runs this page, then try again.");
  }
  const content = await answer.json().catch(() => ({}));
  if (!answer.ok) throw Object.assign(new Error(content.error || "The server answers " + answer.status + "."), { status: answer.status });
  return content;
}

function post(said) {
  return ask("/rating", {
    method: "POST", headers: { "Content-Type": "application/json" }, keepalive: true,  // arrives also if the page is left
    body: JSON.stringify({ rater: state.session.rater, round: state.session.round, study: state.session.study, ...said }),
  });
}

function tooLong(comment) {  // not cut by the box, which would say nothing
  const most = state.session.commentLimit, count = (number) => number.toLocaleString("en");
  return comment.length > most ? `A comment has at most ${count(most)} characters, and this one has ${count(comment.length)}: shorten it.` : "";
}

// Keeps what is said. A comment goes with the one it replaces, and only if it was changed: a page that was left open must
// not wipe what another window has written since.
async function save(item, { comment, ...rating }) {
  const { seen } = item, changed = comment !== undefined && comment !== seen;
  if (changed && tooLong(comment)) throw new Error(tooLong(comment));
  const answer = await post({ item: item.item, ...rating, ...(changed ? { comment, seen } : {}) });
  if (comment === undefined) return answer;
  item.refused = answer.comment !== undefined;
  item.seen = answer.comment ?? comment;
  item.failed = !item.refused ? "" : (Object.keys(rating).length ? "The rating is saved. " : "") + "Your comment is not: another window has written \u201c" +
    answer.comment + "\u201d. Yours is still in the box; press Enter in it to put it in that one's place.";
  return answer;
}

async function keepComment() {
  const item = items()[state.at], comment = $("comment").value;
  item.comment = comment;  // at once: the rater may come back before the server has answered
  if (comment === item.seen) item.failed = "";
  else await save(item, { comment }).catch((problem) => { item.failed = "The comment is not saved. " + problem.message; });
  showNotSaved();
}

const unsaved = () => state.session ? items().filter(({ failed }) => failed) : [];

// Those that failed, once more; where another window has written, only the rater can say which counts.
async function keepFailed() {
  const { session } = state;
  for (const item of unsaved()) {
    if (item.refused || state.session !== session) continue;
    await save(item, { comment: item.comment }).catch((problem) => { item.failed = "The comment is not saved. " + problem.message; });
  }
  showNotSaved();
}

// What the server has by now, of this rater's other windows too; what is typed and not saved stays.
async function readAgain() {
  const { session } = state;
  if (!session) return;
  const fresh = await ask("/session?" + new URLSearchParams({ rater: session.rater, round: session.round })).catch(() => null);
  if (!fresh || state.session !== session || fresh.study !== session.study) return;
  const found = new Map(fresh.items.map((item) => [item.item, item]));
  for (const item of items()) {
    const { comment, ...said } = found.get(item.item) || { ...item.kept, comment: item.comment };
    item.kept = answerOf(said);
    if (!waitsFor(item)) Object.assign(item, item.kept);
    if (item.comment === item.seen) item.comment = item.seen = comment;
  }
  const own = items()[state.at];
  if (document.activeElement !== $("comment") && !own.failed) $("comment").value = own.comment;
  showRatings();
}

function setUpSaving() {
  $("comment").addEventListener("blur", keepComment);
  $("try").addEventListener("click", send);
  addEventListener("online", () => { send(); showFilmAgain(); });
  const keepOpen = () => { if (state.session && !$("rating").hidden) keepComment(); };
  addEventListener("pagehide", () => { keepOpen(); sendAllAtOnce(); });
  document.addEventListener("visibilitychange", () => { if (document.visibilityState === "hidden") keepOpen(); else readAgain(); });
  addEventListener("beforeunload", (event) => { if (unsaved().length || isStuck()) event.preventDefault(); });
}
