// Clicks and arrow keys of the Guide; keys count while it is the tab that is seen.
element.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-by], button[data-finding]");
  if (!button || button.disabled) return;
  if (button.dataset.finding !== undefined) trigger("go", { finding: Number(button.dataset.finding) });
  else trigger("go", { by: Number(button.dataset.by) });
});
const onKey = (event) => {
  if (!element.isConnected) {
    document.removeEventListener("keydown", onKey);
    return;
  }
  if (!element.offsetParent || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.closest && event.target.closest("input, textarea, select, [role=tab], dialog")) return;
  if (event.key === "ArrowRight" || event.key === "PageDown") trigger("go", { by: 1 });
  else if (event.key === "ArrowLeft" || event.key === "PageUp") trigger("go", { by: -1 });
  else return;
  event.preventDefault();
};
document.addEventListener("keydown", onKey);
