// The list of answers, as cards or as a table. It is drawn in chunks as the reader scrolls; chunks that lie far away are
// emptied and keep their height, so that tens of thousands of answers cost what is on the screen.

const PAGE = 48;
const NEAR = "1500px";

// Chunks are filled when they come near and emptied when they have gone; the first stays, and one that has the focus.
const nearObserver = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) {
    if (isIntersecting) fillChunk(target);
    else if (target.wasNear && target.from > 0) emptyChunk(target);
    target.wasNear = target.wasNear || isIntersecting;
  }
}, { rootMargin: NEAR });

const endObserver = new IntersectionObserver((entries) => { if (entries.some((entry) => entry.isIntersecting)) drawMore(); },
  { rootMargin: "800px" });

function drawAnew() {
  nearObserver.disconnect();
  state.drawn = 0;
  state.chunks = [];
  $("cards").replaceChildren();
  $("cards").classList.toggle("as-table", state.view === "table");
  $("view").textContent = state.view === "table" ? "Cards" : "Table";
  if (state.view === "table") $("cards").append(tableFrame());
  $("none").hidden = state.shown.length > 0;
  drawMore();
}

// One chunk more; with a height it stays empty until it comes near.
function drawMore(height = null) {
  const from = state.drawn, to = Math.min(from + PAGE, state.shown.length);
  if (to > from) {
    const chunk = state.view === "table" ? make("tbody", {}) : make("ol", { class: "cards", "aria-label": `Answers ${count(from + 1)} to ${count(to)}` });
    Object.assign(chunk, { from, to, isFilled: false });
    (state.view === "table" ? $("cards").querySelector("table") : $("cards")).append(chunk);
    state.chunks.push(chunk);
    if (height === null) fillChunk(chunk);
    else keepOpen(chunk, height * (to - from) / PAGE);
    nearObserver.observe(chunk);
  }
  state.drawn = to;
  const left = state.shown.length - state.drawn;
  $("end").hidden = left === 0;
  $("more").textContent = `Show ${count(Math.min(left, PAGE))} more of ${count(left)}`;
  // An observer reports changes only; begun anew it also reports an end that is still in sight.
  endObserver.disconnect();
  endObserver.takeRecords();
  endObserver.observe($("end"));
}

function fillChunk(chunk) {
  if (chunk.isFilled) return;
  const draw = state.view === "table" ? tableRow : card, nodes = [];
  for (let position = chunk.from; position < chunk.to; position++) nodes.push(draw(state.shown[position], position));
  chunk.style.height = "";
  chunk.replaceChildren(...nodes);
  chunk.isFilled = true;
}

function emptyChunk(chunk) {
  if (!chunk.isFilled || chunk.contains(document.activeElement) || !chunk.isConnected) return;
  keepOpen(chunk, chunk.getBoundingClientRect().height);
  chunk.isFilled = false;
}

// An empty chunk with the height of what was, or will be, in it.
function keepOpen(chunk, height) {
  if (state.view === "table") chunk.replaceChildren(make("tr", { "aria-hidden": "true" }, make("td", { class: "gap", colspan: 99, style: `height: ${height}px` })));
  else { chunk.replaceChildren(); chunk.style.height = height + "px"; }
}

// Every chosen answer, for paper.
function drawAll() {
  nearObserver.disconnect();
  endObserver.disconnect();
  drawTo(state.shown.length - 1);
  endObserver.disconnect();
  nearObserver.disconnect();
  state.chunks.forEach(fillChunk);
  for (const image of $("cards").querySelectorAll("img")) image.decoding = "sync";
}

// Chunks up to a position, empty but as high as the first.
function drawTo(position) {
  const height = position >= state.drawn && state.chunks.length ? state.chunks[0].getBoundingClientRect().height : 0;
  while (position >= state.drawn && state.drawn < state.shown.length) drawMore(height);
}

// The card or row of a position; its chunk is drawn where it was not.
function answerAt(position) {
  drawTo(position);
  const chunk = state.chunks[Math.floor(position / PAGE)];
  if (!chunk) return null;
  fillChunk(chunk);
  return chunk.children[position - chunk.from] || null;
}

function moveTo(position) {
  const target = answerAt(Math.max(0, Math.min(position, state.shown.length - 1)));
  if (!target) return;
  // What lies around it has its true height before it is scrolled to, and once more when all of it is drawn.
  const place = state.chunks.indexOf(target.parentElement);
  for (const chunk of [state.chunks[place - 1], state.chunks[place + 1]]) if (chunk) fillChunk(chunk);
  target.focus({ preventScroll: true });
  target.scrollIntoView({ block: "nearest" });
  requestAnimationFrame(() => requestAnimationFrame(() => { if (document.activeElement === target) target.scrollIntoView({ block: "nearest" }); }));
}

const opens = (event) => { if (!event.target.closest("a, button")) openDetail(Number(event.currentTarget.dataset.position)); };

function card(at, position) {
  const sample = samples[at];
  return make("li", { class: "card answer" + (data.images ? "" : " no-image"), tabindex: 0, "data-id": sample.id, "data-position": position, onclick: opens },
    imageOf(sample), make("div", { class: "text" }, question(sample), answers(sample), source(sample), tags(sample)));
}

// File and id, small, on every card.
function source(sample) {
  const parts = [...sample.files, ...(sample.question ? [sample.id] : [])];  // without a question the id is the heading
  return parts.length ? make("p", { class: "source" }, ...inALine(parts)) : null;
}

// Names in a line; each keeps its own direction, so that one written from right to left turns no other around.
function inALine(parts) { return parts.flatMap((part, at) => [at ? " · " : "", make("bdi", {}, ...wrapped(part))]); }

const BLOCKS_KEPT = 12;
const blocks = new Map();

// The small image of a number, or null; images lie in blocks, of which those last looked at are kept unpacked.
function thumbnail(number) {
  const block = Math.floor(number / data.imagesABlock);
  const found = blocks.get(block) || JSON.parse($("images-" + block).textContent);
  blocks.delete(block);
  blocks.set(block, found);
  if (blocks.size > BLOCKS_KEPT) blocks.delete(blocks.keys().next().value);
  return found[number % data.imagesABlock];
}

// What stands for an image where it cannot be seen: which it is, of what, and what its data set says that it shows.
function alternative(sample, at) {
  const shows = ["modality", "organ", "view_position"].flatMap((name) => data.fields.flatMap((field, place) => field.name === name
    ? sample.groups[place].filter((group) => group !== NOT_GIVEN).map((group) => labelOf(field, group)) : []));
  const which = sample.views[at] || "image";
  return `${which} of ${sample.id}` + (shows.length ? `: ${shows.join(", ")}` : "") + (sample.files[at] ? `, file ${sample.files[at]}` : "");
}

function imageOf(sample) {
  if (!data.images) return null;
  const shown = sample.images.map((number, at) => {
    const small = thumbnail(number);
    return small ? make("img", { src: "data:image/jpeg;base64," + small, alt: alternative(sample, at), decoding: "async" }) : "image cannot be shown";
  });
  if (shown.length === 1) return make("div", { class: "image" }, ...shown);
  return make("div", { class: "image views" }, ...shown.map((image, at) =>
    make("figure", {}, image, make("figcaption", {}, sample.views[at]))));
}

function question(sample, id) {
  return make("p", { class: "question", id, dir: "auto" }, ...(sample.question ? [sample.question] : wrapped(sample.id)));
}

// The scorer whose right or wrong marks the answers.
function markScorer() {
  const at = chosen("f-scorer") === "" ? -1 : Number(chosen("f-scorer"));
  return at >= 0 && data.scorers[at].binary ? at : data.scorers.findIndex((scorer) => scorer.binary);
}

const MARKS = { right: "✓ ", wrong: "✗ ", unscored: "" };

// What stands where a model said nothing: there is no answer, or one without a letter; otherwise null.
const nothingSaid = (said) => said === null ? "no answer" : said.trim() ? null : "empty answer";

// Reference, then the answer of each run with its verdict; runs that answered the same share a line.
function answers(sample) {
  if (!data.texts) return null;
  const binary = markScorer(), lines = new Map();
  data.runs.forEach((name, run) => {
    if (!sample.runs[run]) return;
    const said = sample.runs[run][0], verdict = binary < 0 ? "unscored" : verdictOf(sample, binary, run);
    const sure = sample.runs[run][2], key = JSON.stringify([said, verdict, sure]);
    if (!lines.has(key)) lines.set(key, { said, verdict, sure, names: [] });
    lines.get(key).names.push(name);
  });
  const list = make("dl", { class: "answers" + (data.runs.length > 1 ? " of-runs" : "") },
    ...(sample.answer ? [make("dt", {}, "Reference"), make("dd", { dir: "auto" }, sample.answer)] : []));
  for (const { said, verdict, sure, names } of lines.values()) {
    list.append(make("dt", {}, ...(data.runs.length > 1 ? wrapped(names.join("; ")) : ["Model"])), nothingSaid(said)
      ? make("dd", { class: "missing" }, MARKS[verdict] + nothingSaid(said))
      : make("dd", { dir: "auto", class: verdict === "unscored" ? "" : "is-" + verdict }, MARKS[verdict] + said));
    if (sure !== undefined) list.append(make("dt", {}, "Confidence"), make("dd", { title: "how probable the model itself holds this answer; not calibrated" }, sure.toFixed(2)));
  }
  return list;
}

function tags(sample) {
  const found = data.fields.flatMap((field, at) => sample.groups[at].filter((group) => field.isTag && group !== NOT_GIVEN)
    .map((group) => make("li", { title: field.title + (field.labels[group] ? ` (${group})` : "") }, labelOf(field, group))));
  const at = chosen("f-scorer"), value = at === "" || data.scorers[at].binary ? null : scoreOf(sample, at, chosenRun());
  if (value !== null) found.push(make("li", {}, `${shortName(data.scorers[at].name)} ${value}`));
  for (const [kind, text] of [["any", "scorers disagree"], ["human", "people disagree"], ["judge", "judge wavers"], ["runs", "runs disagree"]])
    if (differs(sample, kind)) found.push(make("li", { class: "differ" }, text));
  return found.length ? make("ul", { class: "tags" }, ...found) : null;
}

// A group with what its code stands for.
function labelOf(field, group) { return field.labels[group] || group; }

function shortName(scorer) { return scorer.startsWith("lexical/") ? scorer.split("/")[2] : scorer.split("/").slice(0, 2).join("/"); }

// -- as a table

function tableFrame() {
  const heads = [data.images ? "Image" : null, "Id, file", ...(data.texts ? ["Question", "Reference", ...data.runs] : []), "Score"].filter((head) => head !== null);
  const wrap = make("div", { class: "table-wrap answers-table", tabindex: 0, role: "region", "aria-label": "Answers as a table" }, make("table", { style: `min-width: ${9 * heads.length}rem` },
    make("thead", {}, make("tr", {}, ...heads.map((head) => make("th", { scope: "col", class: "text-cell" }, ...wrapped(head)))))));
  return saysThatItScrolls(wrap);
}

function tableRow(at, position) {
  const sample = samples[at], binary = markScorer(), scorer = Number(chosen("f-scorer") || 0);
  const cell = (attributes, ...children) => make("td", { ...attributes, class: "text-cell " + (attributes.class || "") }, ...children);
  const score = data.scorers.length ? scoreOf(sample, scorer, chosenRun()) : null;
  const small = data.images ? thumbnail(sample.images[0]) : null;
  return make("tr", { class: "answer", tabindex: 0, "data-id": sample.id, "data-position": position, onclick: opens },
    data.images ? cell({ class: "small-image" }, small ? make("img", { src: "data:image/jpeg;base64," + small, alt: alternative(sample, 0), decoding: "async" }) : "–") : null,
    cell({}, ...wrapped(sample.id), ...sample.files.map((file) => make("div", { class: "source" }, ...wrapped(file)))),
    ...(data.texts ? [cell({ dir: "auto" }, sample.question || ""), cell({ dir: "auto" }, sample.answer), ...data.runs.map((_, run) => {
      const said = sample.runs[run], verdict = said && binary >= 0 ? verdictOf(sample, binary, run) : "unscored";
      return said ? cell({ dir: "auto", class: nothingSaid(said[0]) ? "missing" : verdict === "unscored" ? "" : "is-" + verdict }, MARKS[verdict] + (nothingSaid(said[0]) || said[0])) : cell({}, "–");
    })] : []),
    cell({}, score === null ? "–" : String(score)));
}
