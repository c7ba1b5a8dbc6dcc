// Selection and keyboard of the strip. Nothing is drawn anew on selection: attributes change
// here at once, and Python hears of it through the "pick" event.
const cells = () => [...element.querySelectorAll(".cell")];
const strip = () => element.querySelector(".strip");
let anchor = null;
let told = 0;
let asked = 0;

function chosen() {
  const box = strip();
  if (!box || !box.dataset.chosen) return [];
  return box.dataset.chosen.split(",").map(Number);
}

function show(span, steps, focus) {
  const box = strip();
  if (!box) return;
  box.dataset.span = span;
  box.dataset.chosen = steps.join(",");
  for (const cell of cells()) {
    const on = Number(cell.dataset.span) === span && steps.includes(Number(cell.dataset.step));
    cell.setAttribute("aria-pressed", on ? "true" : "false");
    const lead = Number(cell.dataset.span) === span && Number(cell.dataset.step) === focus;
    cell.tabIndex = lead || (focus === null && on) ? 0 : -1;
    if (lead) cell.focus({ preventScroll: false });
  }
  // The newest selection counts, in whatever order the server hears of several; a key that is
  // held down does not ask for every latent it passes.
  clearTimeout(told);
  const since = Date.now() - asked;
  const tell = () => {
    asked = Date.now();
    trigger("pick", { span: span, steps: steps, order: asked });
  };
  if (since > 150) tell();
  else told = setTimeout(tell, 150 - since);
  const news = new CustomEvent("zscope-pick", { detail: { span: span, steps: steps } });
  setTimeout(() => window.dispatchEvent(news));
}

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
