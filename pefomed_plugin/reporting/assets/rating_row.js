"use strict";
// What raters say, on its way: a row of ratings and undos that is saved one by one, in order, while the page goes on. Where
// saving does not work, or too many wait, the page waits too. Nothing leaves the row but saved, or named as rejected. Uses
// the state of rating.js.

const MOST_WAITING = 4;
const BAD_REQUEST = 400;  // will never be taken; after any other failure the same rating may

const emptyRow = () => ({ waiting: [], sending: false });
const waitsFor = (item) => state.waiting.some((entry) => entry.item === item);
const isStuck = () => state.waiting.length > 0 && state.waiting[0].problem !== "";
const keptCount = () => items().filter(({ kept }) => isRated(kept)).length;

// Of the item in sight.
function rate(said) {
  const { at } = state, item = items()[at], comment = $("comment").value;
  if (tooLong(comment)) return complain("problem", "Not saved. " + tooLong(comment));
  const entry = { at, item, said: { rating: null, cannot: false, ...said }, before: answerOf(item), wasRated: isRated(item), problem: "" };
  const earlier = state.waiting.find((other) => other.item === item && !other.sent && !other.undone);
  if (earlier) {  // the later word counts
    Object.assign(entry, { before: earlier.before, wasRated: earlier.wasRated });
    state.waiting = state.waiting.filter((other) => other !== earlier);
  }
  Object.assign(item, entry.said, { comment, rejected: "", notUndone: "" });
  state.waiting.push(entry);
  state.last = entry;
  if (isStuck() || state.waiting.length > MOST_WAITING) stayOn(entry);
  else goOn(entry.wasRated);
  showRow();
  send();
}

// The page is left on this item until it is saved.
function stayOn(entry) {
  entry.stays = true;
  showRatings();
}

// Takes back what was rated last, until something else is rated or the rater leaves.
function undo() {
  const entry = state.last;
  if (!entry) return tell("Nothing to undo since this page was opened or since the last undo: \u2190 leads back, and another rating takes the place of one.");
  const { at, item, before } = entry;
  state.last = null;
  Object.assign(item, before);
  if (entry.sent) state.waiting.push({ at, item, undone: entry, problem: "" });
  else state.waiting = state.waiting.filter((other) => other !== entry);
  go(at);
  if (entry.sent) tell("Undoing item " + (at + 1) + " \u2026");
  else tellUndone(entry);
  send();
}

async function send() {
  const { session } = state;
  if (state.sending || !session) return;
  state.sending = true;
  let works = true;
  while (works && state.waiting.length) works = await sendFirst();
  if (state.session !== session) return;  // the next rater has a row of their own
  state.sending = false;
  if (works) await keepFailed();
}

// The first of the row; whether the one behind it can follow.
async function sendFirst() {
  const { session } = state, entry = state.waiting[0];
  entry.sent = true;
  let answer, problem = null;
  try {
    answer = await (entry.undone ? post({ item: entry.item.item, undo: entry.undone.saved }) : sendRating(entry));
  } catch (failure) {
    problem = failure;
  }
  if (state.session !== session) return false;
  if (problem && !entry.undone && problem.status !== BAD_REQUEST) {
    entry.problem = problem.message;
    showRow();
    return false;
  }
  state.waiting = state.waiting.filter((other) => other !== entry);
  if (entry.undone) await afterUndo(entry, answer, problem);
  else if (problem) reject(entry, problem);
  else await afterRating(entry, answer);
  return state.session === session;
}

function sendRating({ item, said }) {
  const comment = item.refused || tooLong(item.comment) ? {} : { comment: item.comment };
  return save(item, { ...(said.cannot ? { cannot: true } : { rating: said.rating }), ...comment });
}

async function afterRating(entry, { saved, rated, replaced }) {
  const { at, item } = entry, { session } = state;
  const stood = isRated(item.kept) ? wordOf(item.kept) : null;
  entry.saved = saved;
  item.kept = entry.said;
  if (state.last === entry) tell("Saved: item " + (at + 1) + ", " + wordOf(entry.said) + ".");
  if (replaced !== stood) entry.note = ` Another window had said ${replaced ?? "nothing"}.`;
  if (entry.note) tell("Saved: item " + (at + 1) + ", " + wordOf(entry.said) + "." + entry.note);
  showRow();
  if (rated !== keptCount()) await readAgain();
  const inSight = state.session === session && state.at === at && !$("rating").hidden;
  if (inSight && entry.stays && !waitsFor(item) && !item.failed) goOn(entry.wasRated);
}

// One that the server will not take whenever it is sent; the page shows what stands.
function reject(entry, problem) {
  const { item } = entry;
  state.waiting = state.waiting.filter((other) => other.undone !== entry);
  if (!waitsFor(item)) Object.assign(item, item.kept, { rejected: wordOf(entry.said) + ": " + problem.message });
  if (state.last === entry) forget();
  showRow();
}

async function afterUndo({ at, item, undone }, answer, problem) {
  if (answer) item.kept = answerOf(answer);
  if (!waitsFor(item)) Object.assign(item, item.kept);
  if (!problem) {
    if (!state.last) tellUndone(undone);
    return showRow();
  }
  if (!state.last) forget();
  await readAgain();
  if (!state.session) return;
  go(at);
  item.notUndone = "Not undone. " + problem.message;
  showNotSaved();
}

function tell(text) {
  $("saved-text").textContent = text;
  $("undo").hidden = !state.last;
  $("saved").hidden = false;
}

function tellUndone({ at, item }) {
  tell("Undone: item " + (at + 1) + (isRated(item) ? " is " + wordOf(item) + " again." : " is not rated."));
}

function forget() {
  state.last = null;
  $("saved").hidden = true;
}

// What is on its way; what does not get through is said beside its item, or above where another is in sight.
function showRow() {
  const ratings = state.waiting.filter(({ undone }) => !undone), { last } = state;
  if (isStuck()) $("saved").hidden = true;
  else if (last && ratings.includes(last)) {
    tell("Saving " + (ratings.length > 1 ? ratings.length + " ratings" : "item " + (last.at + 1) + ", " + wordOf(last.said)) + " \u2026");
  }
  showRatings();
  showNotSaved();
}

const problemOf = (item) => item.rejected ? "Not saved. " + item.rejected :
  isStuck() && waitsFor(item) ? "Not saved. " + state.waiting[0].problem : item.notUndone || item.failed;

// Everything that the server does not have although it was said.
function notSaved() {
  if (!state.session) return [];
  const ratings = state.waiting.filter(({ undone }) => !undone).map(({ at }) => ({ at, words: "the rating of item " + (at + 1), why: state.waiting[0].problem }));
  items().forEach((item, at) => {
    if (item.rejected) ratings.push({ at, words: "the rating of item " + (at + 1), why: item.rejected });
    if (item.failed) ratings.push({ at, words: "the comment on item " + (at + 1), why: " " });
  });
  return ratings;
}

function showNotSaved() {
  const here = !state.session || $("rating").hidden ? -1 : state.at;
  const elsewhere = notSaved().filter(({ at, why }) => at !== here && why);
  const why = [...new Set(elsewhere.map((each) => each.why.trim()).filter(Boolean))].join(" ");
  $("unsaved-text").textContent = elsewhere.length ? "Not saved: " + elsewhere.map(({ words }) => words).join(", ") + "." + (why ? " " + why : "") : "";
  $("unsaved").hidden = !elsewhere.length;
  if (here >= 0) complain("problem", problemOf(items()[here]));
}

// When the page is left: what waits behind the one on its way goes at once.
function sendAllAtOnce() {
  for (const entry of state.waiting.slice(state.sending ? 1 : 0)) if (!entry.undone) sendRating(entry).catch(() => {});
}
