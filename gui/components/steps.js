// The shown run's latents in a row. A click selects in the Studio's strip, which tells everybody
// (this row, the figures, the server) what is selected now.
const cells = () => [...element.querySelectorAll(".cell")];
const number = (cell) => Number(cell.dataset.step);
const spanOf = (cell) => Number(cell.dataset.span);
let anchor = null;

element.addEventListener("click", (event) => {
  const cell = event.target.closest(".cell");
  if (!cell) return;
  const step = number(cell);
  const low = event.shiftKey && anchor !== null ? Math.min(anchor, step) : step;
  const high = event.shiftKey && anchor !== null ? Math.max(anchor, step) : step;
  if (!event.shiftKey) anchor = step;
  const steps = Array.from({ length: high - low + 1 }, (_, i) => low + i);
  const detail = { span: spanOf(cell), step: step, steps: steps };
  window.dispatchEvent(new CustomEvent("zscope-choose", { detail: detail }));
  trigger("mark", { order: window.zscopeAim().order, points: steps.map((k) => [detail.span, k, "run", "", "", ""]) });
});

element.addEventListener("keydown", (event) => {
  const all = cells();
  const here = all.indexOf(event.target.closest(".cell"));
  const to = { ArrowRight: here + 1, ArrowLeft: here - 1, Home: 0, End: all.length - 1 }[event.key];
  if (here < 0 || to === undefined || !all[to]) return;
  event.preventDefault();
  all[to].focus();
  all[to].click();
});

const show = (event) => {
  if (!element.isConnected) return window.removeEventListener("zscope-pick", show);
  const { span, steps } = event.detail;
  for (const cell of cells()) {
    const on = spanOf(cell) === span && steps.includes(number(cell));
    cell.setAttribute("aria-pressed", on ? "true" : "false");
  }
};
window.addEventListener("zscope-pick", show);
