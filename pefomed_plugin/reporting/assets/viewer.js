// One image in full: zoom, and window and level over all the bits that the file has. Uses make.js alone.
// A `full` has media and data (base64), bits, note, and of grey images of more than 8 bits `depth`: value = slope * pixel +
// intercept, the window that it opens with, and whether low values are bright.

const EIGHT_BITS = { slope: 1, intercept: 0, low: 0, high: 255, least: 0, most: 255, inverted: false };
const STEP = 1.25, MOST_ZOOM = 32;

function bytesOf(base64) {
  const text = atob(base64), bytes = new Uint8Array(text.length);
  for (let at = 0; at < text.length; at++) bytes[at] = text.charCodeAt(at);
  return bytes;
}

async function inflate(parts) {
  return new Uint8Array(await new Response(new Blob(parts).stream().pipeThrough(new DecompressionStream("deflate"))).arrayBuffer());
}

// Grey PNG of 16 bits (PNG specification, sections 5, 9 and 7.2): browsers show 8 of them, so it is unpacked here.
async function sixteenBits(bytes) {
  const view = new DataView(bytes.buffer), parts = [];
  const width = view.getUint32(16), height = view.getUint32(20);
  for (let at = 8; at < bytes.length;) {
    const length = view.getUint32(at);
    if (String.fromCharCode(...bytes.subarray(at + 4, at + 8)) === "IDAT") parts.push(bytes.subarray(at + 8, at + 8 + length));
    at += length + 12;
  }
  const raw = await inflate(parts), line = 2 * width, values = new Uint16Array(width * height);
  let before = new Uint8Array(line), own = new Uint8Array(line);
  for (let row = 0; row < height; row++) {
    const start = row * (line + 1), filter = raw[start];
    for (let at = 0; at < line; at++) {
      const left = at > 1 ? own[at - 2] : 0, up = before[at], corner = at > 1 ? before[at - 2] : 0;
      own[at] = raw[start + 1 + at] + [0, left, up, (left + up) >> 1, filter === 4 ? paeth(left, up, corner) : 0][filter];
    }
    for (let at = 0; at < width; at++) values[row * width + at] = own[2 * at] << 8 | own[2 * at + 1];
    [before, own] = [own, before];
  }
  return { width, height, values, channels: 1 };
}

function paeth(left, up, corner) {
  const guess = left + up - corner, far = [left, up, corner].map((value) => Math.abs(guess - value));
  return far[0] <= far[1] && far[0] <= far[2] ? left : far[1] <= far[2] ? up : corner;
}

async function eightBits(full) {
  const picture = new Image();
  picture.src = `data:${full.media};base64,${full.data}`;
  await picture.decode();
  const canvas = make("canvas", { width: picture.naturalWidth, height: picture.naturalHeight }), pen = canvas.getContext("2d", { willReadFrequently: true });
  pen.drawImage(picture, 0, 0);
  return { width: canvas.width, height: canvas.height, values: pen.getImageData(0, 0, canvas.width, canvas.height).data, channels: 4 };
}

// What each stored value looks like under a window.
function levelsOf({ slope, intercept, inverted, most, least }, low, high) {
  const table = new Uint8ClampedArray(Math.round((most - least) / slope) + 1), span = Math.max(high - low, 1e-9);
  for (let pixel = 0; pixel < table.length; pixel++) {
    const share = 255 * (pixel * slope + intercept - low) / span;
    table[pixel] = inverted ? 255 - share : share;
  }
  return table;
}

function paint(canvas, { width, height, values, channels }, table) {
  const pen = canvas.getContext("2d", { willReadFrequently: true }), drawn = pen.createImageData(width, height), into = drawn.data;
  if (channels === 1) for (let at = 0; at < values.length; at++) { const to = 4 * at; into[to] = into[to + 1] = into[to + 2] = table[values[at]]; into[to + 3] = 255; }
  else for (let at = 0; at < values.length; at++) into[at] = at % 4 === 3 ? values[at] : table[values[at]];
  pen.putImageData(drawn, 0, 0);
}

// The viewer of one image; `name` is its alternative text.
function viewerOf(full, name) {
  const depth = full.depth || EIGHT_BITS, most = depth.most, least = depth.least, canvas = make("canvas", {});
  const stage = make("div", { class: "stage", tabindex: 0, role: "region", "aria-label": name + ": drag or scroll to move" }, canvas);
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", name);
  const state = { image: null, zoom: 1, waiting: 0 };
  const range = (label, from, to, value) => {
    const output = make("output", {}), input = make("input", { type: "range", min: from, max: to, step: depth.slope, value, oninput: () => repaint() });
    return { input, output, label: make("label", {}, label + " ", make("span", { class: "range" }, input, output)) };
  };
  const window_ = range("Window", depth.slope, most - least, depth.high - depth.low), level = range("Level", least, most, (depth.high + depth.low) / 2);
  const digits = depth.slope < 1 ? 2 : 0;
  function repaint() {
    const width = Number(window_.input.value), centre = Number(level.input.value);
    window_.output.textContent = width.toFixed(digits);
    level.output.textContent = centre.toFixed(digits);
    cancelAnimationFrame(state.waiting);
    state.waiting = requestAnimationFrame(() => state.image && paint(canvas, state.image, levelsOf(depth, centre - width / 2, centre + width / 2)));
  }
  function reset() {
    window_.input.value = depth.high - depth.low;
    level.input.value = (depth.high + depth.low) / 2;
    repaint();
    zoomTo(fitting());
  }
  const fitting = () => state.image ? Math.min(stage.clientWidth / state.image.width, stage.clientHeight / state.image.height) || 1 : 1;
  // Larger or smaller, what lies under (x, y) of the stage staying there.
  function zoomTo(zoom, x = stage.clientWidth / 2, y = stage.clientHeight / 2) {
    if (!state.image) return;
    const next = Math.max(Math.min(fitting(), 1) / 4, Math.min(MOST_ZOOM, zoom)), ratio = next / state.zoom;
    const left = (stage.scrollLeft + x) * ratio - x, top = (stage.scrollTop + y) * ratio - y;
    state.zoom = next;
    canvas.style.width = state.image.width * next + "px";
    canvas.style.height = state.image.height * next + "px";
    canvas.classList.toggle("pixels", next > 2);
    stage.scrollTo(left, top);
    shown.textContent = Math.round(100 * next) + " %";
  }
  const shown = make("output", { class: "small" }), facts = make("span", { class: "small facts", role: "status" }, "opening");
  const button = (text, label, onclick) => make("button", { type: "button", "aria-label": label, title: label, onclick }, text);
  const tools = make("div", { class: "tools", role: "group", "aria-label": "Zoom, window and level" },
    button("−", "Zoom out", () => zoomTo(state.zoom / STEP)), button("+", "Zoom in", () => zoomTo(state.zoom * STEP)), shown,
    button("Fit", "Fit to the window", () => zoomTo(fitting())), button("1:1", "1:1, one pixel of the file is one of the screen", () => zoomTo(1 / devicePixelRatio)),
    window_.label, level.label, button("Reset", "Reset: as it opened", reset), facts);
  stage.addEventListener("wheel", (event) => {
    event.preventDefault();
    const box = stage.getBoundingClientRect();
    zoomTo(state.zoom * (event.deltaY < 0 ? STEP : 1 / STEP), event.clientX - box.left, event.clientY - box.top);
  }, { passive: false });
  stage.addEventListener("pointermove", (event) => {
    if (!event.buttons || event.pointerType === "touch") return;
    if (event.shiftKey || event.buttons & 2) {
      window_.input.value = Number(window_.input.value) + event.movementX * (most - least) / 512;
      level.input.value = Number(level.input.value) - event.movementY * (most - least) / 512;
      repaint();
    } else stage.scrollBy(-event.movementX, -event.movementY);
  });
  stage.addEventListener("contextmenu", (event) => event.preventDefault());
  stage.addEventListener("keydown", (event) => {
    const act = { "+": () => zoomTo(state.zoom * STEP), "=": () => zoomTo(state.zoom * STEP), "-": () => zoomTo(state.zoom / STEP), 0: () => zoomTo(fitting()), 1: () => zoomTo(1 / devicePixelRatio) }[event.key];
    if (act && !event.ctrlKey && !event.metaKey) { event.preventDefault(); event.stopPropagation(); act(); }
  });
  (full.depth ? sixteenBits(bytesOf(full.data)) : eightBits(full)).then((image) => {
    state.image = image;
    canvas.width = image.width;
    canvas.height = image.height;
    facts.textContent = [`${image.width} × ${image.height}`, `${full.bits} bits`, full.note].filter(Boolean).join(" · ");
    reset();
  }).catch((problem) => { facts.textContent = "This image cannot be shown: " + problem.message; });
  return make("div", { class: "viewer" }, tools, stage);
}
