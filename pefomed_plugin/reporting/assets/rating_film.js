"use strict";
// The images of an item: beside its texts, the next ones loaded ahead, and in full with zoom, window and level.

const AHEAD = 2;
const films = new Map();

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

function imageQuery(item, number) {
  return new URLSearchParams({ rater: state.session.rater, item: item.item, number, round: state.session.round });
}

function loadFilm(item) {
  const views = Array.from({ length: item.images }, (_, number) => {
    const name = item.views[number] || "The image that this is about";
    return make("button", {
      type: "button", class: "view", title: "Image in full: zoom, window and level (Z)", "aria-label": name + ", in full",
      onclick: () => showFull(item, number, name),
    }, make("img", {
      alt: name, decoding: "async", src: "/image?" + imageQuery(item, number),
      onerror: () => { films.set(item.item, noFilm(true)); film.replaceWith(films.get(item.item)); },
    }));
  });
  const film = views.length === 1 ? views[0] : make("div", { class: "views" }, ...views.map((view, at) =>
    make("figure", {}, view, make("figcaption", {}, item.views[at]))));
  return film;
}

// Every bit of the file, so that window and level are computed here.
async function showFull(item, number, name) {
  $("viewer").replaceChildren(make("p", { role: "status" }, "Opening the image …"));
  $("full").showModal();
  try {
    $("viewer").replaceChildren(viewerOf(await ask("/full?" + imageQuery(item, number)), name));
    $("viewer").querySelector(".stage").focus();
  } catch (problem) {
    $("viewer").replaceChildren(make("p", { role: "alert" }, problem.message));
  }
}

// One that was there when the study began may come when it is asked for again.
const noFilm = (mayCome) => make("p", {}, "This image cannot be shown. ",
  mayCome ? make("button", { type: "button", class: "again", onclick: showFilmAgain }, "Try again") : null);

function showFilmAgain() {
  if (!state.session || !state.session.images) return;
  for (const [code, film] of films) if (film.querySelector(".again")) films.delete(code);
  $("film").replaceChildren(filmOf(state.at));
}

// Window and level by keys, in steps of a fiftieth of what the file spans; zoom is the viewer's own.
function inFull(event) {
  const at = { w: 0, l: 1 }[event.key.toLowerCase()];
  const range = at === undefined ? null : $("viewer").querySelectorAll("input[type=range]")[at];
  if (!range) return;
  const step = (Number(range.max) - Number(range.min)) / 50;
  range.value = Number(range.value) + (event.shiftKey ? -step : step);
  range.dispatchEvent(new Event("input"));
  event.preventDefault();
}
