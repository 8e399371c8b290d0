// What every script of ours begins with. Texts become text nodes, never HTML.

const $ = (id) => document.getElementById(id);

function make(tag, attributes, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (name === "class") node.className = value;
    else if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value !== null && value !== undefined && value !== false) node.setAttribute(name, value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

function draw(tag, attributes) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  return node;
}

// A long name as pieces that may be parted behind its separators and nowhere else; numbers stay whole.
function wrapped(name) {
  return String(name).split(/(?<=[/_:~#@])(?=.)|(?<=[^\s.-][.-])(?=[^\d\s])/).flatMap((part, at) => at ? [make("wbr"), part] : [part]);
}

function setTheme(dark) {
  document.documentElement.dataset.theme = dark ? "dark" : "light";
  if ($("theme")) $("theme").textContent = dark ? "Light" : "Dark";
}

function setUpTheme() {
  const prefers = matchMedia("(prefers-color-scheme: dark)");
  setTheme(prefers.matches);
  prefers.addEventListener("change", (event) => setTheme(event.matches));
  if ($("theme")) $("theme").addEventListener("click", () => setTheme(document.documentElement.dataset.theme !== "dark"));
}

// A table wider than its place says that it scrolls, as long as it does. In its place where it stands already, otherwise
// both are given back.
const widthObserver = new ResizeObserver((entries) => { for (const { target } of entries) saysWhether(target.closest("[tabindex]") || target); });

function saysWhether(wrap) {
  const note = wrap.previousElementSibling;
  if (note && note.classList.contains("scrolls")) note.hidden = wrap.scrollWidth <= wrap.clientWidth + 1;
}

function saysThatItScrolls(wrap) {
  const note = make("p", { class: "small scrolls", hidden: "hidden" }, "This table is wider than its place: it scrolls sideways →");
  const both = document.createDocumentFragment();
  if (wrap.parentNode) wrap.before(note);
  else both.append(note, wrap);
  widthObserver.observe(wrap);
  widthObserver.observe(wrap.firstElementChild || wrap);
  return both;
}
