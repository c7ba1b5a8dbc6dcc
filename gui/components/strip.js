// Selection and keyboard of the strip. Nothing is drawn anew on selection: attributes and the steps
// field change here at once, and Python hears of it through the "pick" event.
const cells = () => [...element.querySelectorAll(".cell")];
const strip = () => element.querySelector(".strip");
let anchor = null;
let told = 0;
let asked = 0;
let newest = { order: 0, span: 0, steps: [], text: "all" }; // selection made here
let filling = false;

function chosen() {
  const box = strip();
  if (!box || !box.dataset.chosen) return [];
  return box.dataset.chosen.split(",").map(Number);
}

// Steps from 0 as people write them, "2–3, 5"; nothing stands for all.
window.zscopeSteps = (steps) => {
  const parts = [];
  for (const step of steps) {
    const last = parts[parts.length - 1];
    if (last && step === last[1] + 1) last[1] = step;
    else parts.push([step, step]);
  }
  return parts.map(([a, b]) => (a === b ? `${a + 1}` : `${a + 1}–${b + 1}`)).join(", ") || "all";
};

// What is on the screen goes with every act: the server may not have heard of it yet.
const field = () => document.querySelector("#edit-steps textarea, #edit-steps input");
window.zscopeAim = () => {
  const seen = (strip() || { dataset: {} }).dataset;
  const figure = document.querySelector("#picture figure[data-picture]");
  return {
    base: seen.base || "", shown: seen.shown || "", span: Number(seen.span || 0), steps: chosen(),
    order: newest.order, waits: seen.waits || "", picture: figure ? figure.dataset.picture : "",
    text: field() ? field().value : window.zscopeSteps(chosen()),
  };
};

// The steps field says what is selected, at once.
function fill(text) {
  const place = field();
  if (!place || place.value === text) return;
  filling = true;
  place.value = text;
  place.dispatchEvent(new Event("input", { bubbles: true }));
  filling = false;
}

function mark(span, steps, focus) {
  const box = strip();
  box.dataset.span = span;
  box.dataset.chosen = steps.join(",");
  for (const [place, cell] of cells().entries()) {
    const on = Number(cell.dataset.span) === span && steps.includes(Number(cell.dataset.step));
    cell.setAttribute("aria-pressed", on ? "true" : "false");
    const lead = Number(cell.dataset.span) === span && Number(cell.dataset.step) === focus;
    cell.tabIndex = lead || (focus === null && on) || (!steps.length && !place) ? 0 : -1;
    if (lead) cell.focus({ preventScroll: false });
  }
}

function show(span, steps, focus, text) {
  if (!strip()) return;
  mark(span, steps, focus);
  const order = Math.max(Date.now(), newest.order + 1);
  newest = { order: order, span: span, steps: steps, text: text || window.zscopeSteps(steps) };
  fill(newest.text);
  // The newest selection counts, in whatever order the server hears of several; a key that is
  // held down does not ask for every latent it passes.
  clearTimeout(told);
  const since = Date.now() - asked;
  const tell = () => {
    asked = Date.now();
    trigger("pick", { span: span, steps: steps, order: order });
  };
  if (since > 150) tell();
  else told = setTimeout(tell, 150 - since);
  const news = new CustomEvent("zscope-pick", { detail: { span: span, steps: steps } });
  setTimeout(() => window.dispatchEvent(news));
}

// The strip came anew from the server, which may not have heard of the newest selection.
function settle() {
  const box = strip();
  if (!box) return;
  const here = (step) =>
    cells().some((c) => Number(c.dataset.span) === newest.span && Number(c.dataset.step) === step);
  if (newest.order > Number(box.dataset.order || 0) && newest.steps.every(here)) {
    mark(newest.span, newest.steps, null);
    fill(newest.text);
  } else fill(window.zscopeSteps(chosen()));
}
watch("value", settle);

// Steps typed into the field, counted from 1; null where they are none of the run's.
function read(text) {
  const count = cells().filter((c) => c.dataset.span === strip().dataset.span).length;
  const plain = text.trim().toLowerCase().replace(/–/g, "-").replace(/z/g, "").replace(/\s*-\s*/g, "-");
  if (["", "all", "*"].includes(plain)) return [];
  const steps = new Set();
  for (const part of plain.split(/[,\s]+/).filter(Boolean)) {
    const [whole, first, last] = part.match(/^(\d{1,6})(?:-(\d{1,6}))?$/) || [];
    const [low, high] = [Number(first), Number(last || first)];
    if (!whole || low < 1 || high < low || high > count) return null;
    for (let n = low; n <= high; n++) steps.add(n - 1);
  }
  return [...steps].sort((a, b) => a - b);
}
if (window.zscopeTyped) document.removeEventListener("input", window.zscopeTyped);
window.zscopeTyped = (event) => {
  if (filling || !strip() || !event.target.closest || !event.target.closest("#edit-steps")) return;
  const steps = read(event.target.value);
  const span = Number(strip().dataset.span || 0);
  if (steps) show(span, steps, null, event.target.value);
  else {
    mark(span, [], null); // the server says what is wrong with it, once it is asked to edit
    newest = { order: Math.max(Date.now(), newest.order + 1), span: span, steps: [], text: event.target.value };
  }
};
document.addEventListener("input", window.zscopeTyped);

function pick(cell, extend) {
  const span = Number(cell.dataset.span);
  const step = Number(cell.dataset.step);
  if (extend && anchor && anchor.span === span) {
    const low = Math.min(anchor.step, step);
    const high = Math.max(anchor.step, step);
    show(span, Array.from({ length: high - low + 1 }, (_, i) => low + i), step);
  } else {
    anchor = { span: span, step: step };
    show(span, [step], step);
  }
}

// A latent was clicked in a figure that is linked to the strip.
if (window.zscopeChoose) window.removeEventListener("zscope-choose", window.zscopeChoose);
window.zscopeChoose = (event) => {
  const { span, step, steps } = event.detail; // several steps: of a lasso
  const there = (cell) => Number(cell.dataset.span) === span && Number(cell.dataset.step) === step;
  if (!cells().some(there)) return;
  anchor = { span: span, step: step };
  show(span, steps || [step], null);
};
window.addEventListener("zscope-choose", window.zscopeChoose);

element.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (!button || !element.contains(button)) return;
  if (button.dataset.act === "force") trigger("force", {});
  else if (button.dataset.act === "step") trigger("step", {});
  else if (button.dataset.act === "instead") trigger("instead", { name: button.dataset.name });
  else if (button.closest(".cell.waits")) return;
  else if (button.classList.contains("cell")) pick(button, event.shiftKey);
});

element.addEventListener("keydown", (event) => {
  const cell = event.target.closest(".cell");
  if (!cell) return;
  const all = cells();
  const here = all.indexOf(cell);
  const to = { ArrowRight: here + 1, ArrowLeft: here - 1, Home: 0, End: all.length - 1 }[event.key];
  if (to === undefined) return;
  event.preventDefault();
  if (all[to]) pick(all[to], event.shiftKey);
});

// One listener for the page, however often the strip is mounted.
if (window.zscopeStripKeys) document.removeEventListener("keydown", window.zscopeStripKeys);
window.zscopeStripKeys = (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const place = event.target;
  if (place.closest && place.closest("input, textarea, select, [contenteditable]")) return;
  if (event.key === "e") {
    const field = document.querySelector("#edit-kind input");
    if (field) {
      event.preventDefault();
      field.focus();
    }
  } else if (event.key === "z") {
    event.preventDefault();
    trigger("undo", {});
  } else if (event.key === "Z") {
    event.preventDefault();
    trigger("redo", {});
  }
};
document.addEventListener("keydown", window.zscopeStripKeys);
