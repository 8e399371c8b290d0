"use strict";
// The rating page. One request brings a rater's items, in the rater's own order; every rating is posted at once and
// the page goes on when it is saved. Texts are shown with textContent: nothing of the data is ever HTML.

const AHEAD = 2;
const $ = (id) => document.getElementById(id);
const address = new URL(location.href);
const state = { session: null, at: 0, saving: false };
const films = new Map();

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

function make(tag, properties, ...children) {
  const node = Object.assign(document.createElement(tag), properties);
  node.append(...children);
  return node;
}

function complain(id, text) {
  $(id).textContent = text || "";
  $(id).hidden = !text;
}

const show = (id) => ["enter", "done", "rating"].forEach((part) => { $(part).hidden = part !== id; });
const items = () => state.session.items;
const isRated = (item) => item.rating !== null;
const levels = () => state.session.levels;

// ---- who rates

async function enter(name) {
  try {
    state.session = await ask("/session?" + new URLSearchParams({ rater: name }));
  } catch (problem) {
    leave();
    $("name").value = name;
    return complain("enter-problem", problem.message);
  }
  items().forEach((item) => { item.seen = item.comment; });  // what the server holds; comment is what the box holds
  complain("enter-problem");
  address.searchParams.set("rater", state.session.rater);
  history.replaceState(null, "", address);
  films.clear();
  setUpRater();
  const next = items().findIndex((item) => !isRated(item));
  if (next < 0) return finish();
  go(next);
}

function leave() {
  state.session = null;
  address.searchParams.delete("rater");
  history.replaceState(null, "", address);
  $("progress").hidden = $("who").hidden = true;
  complain("enter-problem");
  show("enter");
  $("name").value = "";
  $("name").focus();
}

function setUpRater() {
  const session = state.session;
  $("who").textContent = session.rater;
  $("who").title = "Rate under another name";
  $("progress").hidden = $("who").hidden = false;
  $("rating").classList.toggle("no-image", !session.images);
  $("film").hidden = !session.images;
  $("answer-title").textContent = session.title;
  $("comment").maxLength = session.commentLimit;
  $("scale").replaceChildren(...levels().map(({ value, word, when }) => make("button", {
    type: "button", value, title: word + ": " + when, onclick: () => rate(value),
  }, make("b", { textContent: value }), make("span", { className: "when", textContent: when }))));
  $("rubric").replaceChildren(...levels().flatMap(({ value, word, when }) =>
    [make("dt", { textContent: value + " " + word }), make("dd", { textContent: when })]));
  const keys = levels().map(({ key, word }) => make("kbd", { textContent: key, title: word })).reverse();
  $("keys").replaceChildren(...keys.flatMap((key) => [key, " "]));
}

// ---- one item

function go(at) {
  state.at = Math.max(0, Math.min(at, items().length - 1));
  const item = items()[state.at];
  show("rating");
  complain("problem");
  $("question").textContent = item.question;
  $("question").hidden = !item.question;
  for (const name of ["reference", "answer"]) {
    $(name).textContent = item[name];
    $(name).scrollTop = 0;
  }
  $("comment").value = item.comment;
  $("film").classList.remove("large");
  if (state.session.images) {
    $("film").replaceChildren(filmOf(state.at));
    for (let ahead = 1; ahead <= AHEAD; ahead++) filmOf(state.at + ahead);
  }
  $("back").disabled = state.at === 0;
  $("forth").disabled = state.at === items().length - 1;
  showRatings();
  scrollTo(0, 0);
}

// The image of an item; kept a little around the one that is shown, so that the next is there before it is wanted.
function filmOf(at) {
  const item = items()[at];
  if (!item) return null;
  if (!films.has(item.item)) films.set(item.item, item.images ? loadFilm(item) : noFilm());
  for (const code of films.keys()) {
    if (films.size <= 3 * AHEAD) break;
    films.delete(code);
  }
  return films.get(item.item);
}

function loadFilm(item) {
  const views = Array.from({ length: item.images }, (_, number) => make("img", {
    alt: item.views[number] || "The image that this is about", decoding: "async",
    onerror: () => { films.set(item.item, noFilm()); film.replaceWith(films.get(item.item)); },
    src: "/image?" + new URLSearchParams({ rater: state.session.rater, item: item.item, number }),
  }));
  const film = views.length === 1 ? views[0] : make("div", { className: "views" }, ...views.map((view, at) =>
    make("figure", {}, view, make("figcaption", { textContent: item.views[at] }))));
  return film;
}

const noFilm = () => make("p", { textContent: "This image cannot be shown." });

function showRatings() {
  const item = items()[state.at];
  const rated = items().filter(isRated).length;
  $("rated").textContent = rated + " of " + items().length + " rated";
  $("bar").max = items().length;
  $("bar").value = rated;
  $("number").textContent = "Item " + (state.at + 1) + " of " + items().length + (isRated(item) ? ", rated " + item.rating : ", not rated yet");
  for (const button of $("scale").children) {
    button.setAttribute("aria-pressed", String(Number(button.value) === item.rating));
  }
  $("open").disabled = rated === items().length;
}

// Keeps what is said; whether all of it stands. A comment goes with the one it replaces, and only if it was changed: a
// page that was left open must not wipe what another window has written since.
async function save(item, said) {
  const seen = item.seen;
  const { comment, ...rating } = said;
  const changed = comment !== undefined && comment !== seen;
  const answer = await ask("/rating", {
    method: "POST", headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ rater: state.session.rater, item: item.item, ...rating, ...(changed ? { comment, seen } : {}) }),
  });
  Object.assign(item, said);
  item.refused = answer.comment !== undefined;
  item.seen = answer.comment ?? comment ?? seen;
  if (item.refused) {
    throw new Error((rating.rating === undefined ? "" : "The rating is saved. ") + "Your comment is not: another window has written \u201c" +
      answer.comment + "\u201d. Yours is still in the box; press Enter in it to put it in that one's place.");
  }
}

async function rate(value) {
  if (state.saving) return;
  const { at, session } = state;
  const wasRated = isRated(items()[at]);
  state.saving = true;
  try {
    const comment = items()[at].refused ? {} : { comment: $("comment").value };
    await save(items()[at], { rating: value, ...comment });
    if (state.session === session && state.at === at) goOn(wasRated);
  } catch (problem) {
    complain("problem", (items()[at].refused ? "" : "Not saved. ") + problem.message);
    showRatings();
  } finally {
    state.saving = false;
  }
}

// After a rating: the next item without one, from the top again after the last, or the end. After a correction: the
// item behind it.
function goOn(wasRated) {
  document.activeElement.blur();
  if (wasRated && state.at + 1 < items().length) return go(state.at + 1);
  const open = items().map((item, at) => (isRated(item) ? -1 : at)).filter((at) => at >= 0);
  if (open.length === 0) return finish();
  go(open.find((at) => at > state.at) ?? open[0]);
}

async function keepComment() {
  const item = items()[state.at];
  if ($("comment").value === item.seen) return;
  item.comment = $("comment").value;  // at once: the rater may come back before the server has answered
  try {
    await save(item, { comment: item.comment });
    complain("problem");
  } catch (problem) {
    complain("problem", (item.refused ? "" : "The comment is not saved. ") + problem.message);
  }
}

function finish() {
  showRatings();
  show("done");
}

// ---- keys and buttons

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || $("rating").hidden) return;
  if (event.target === $("comment")) {
    if (event.key === "Escape" || event.key === "Enter") $("comment").blur();
    return;
  }
  const level = levels().find(({ key }) => key === event.key);
  if (level) rate(level.value);
  else if (event.key === "ArrowLeft") go(state.at - 1);
  else if (event.key === "ArrowRight") go(state.at + 1);
  else if (event.key === "c" || event.key === "C") $("comment").focus();
  else return;
  event.preventDefault();
}

function setTheme(dark) {
  document.documentElement.dataset.theme = dark ? "dark" : "light";
  $("theme").textContent = dark ? "Light" : "Dark";
}

const darkness = matchMedia("(prefers-color-scheme: dark)");
setTheme(darkness.matches);
darkness.addEventListener("change", (event) => setTheme(event.matches));
$("theme").addEventListener("click", () => setTheme(document.documentElement.dataset.theme !== "dark"));
$("enter").addEventListener("submit", (event) => { event.preventDefault(); enter($("name").value); });
$("who").addEventListener("click", leave);
$("back").addEventListener("click", () => go(state.at - 1));
$("forth").addEventListener("click", () => go(state.at + 1));
$("open").addEventListener("click", () => go(items().findIndex((item) => !isRated(item))));
$("review").addEventListener("click", () => go(0));
$("comment").addEventListener("blur", keepComment);
$("film").addEventListener("click", () => $("film").classList.toggle("large"));
document.addEventListener("keydown", onKey);
if (address.searchParams.get("rater")) enter(address.searchParams.get("rater"));
else leave();
