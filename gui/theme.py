"""Gradio's theme brought to system fonts and calm colours; the rest is assets/style.css."""

from __future__ import annotations

import gradio as gr

FONT = ("ui-sans-serif", "system-ui", "-apple-system", "Segoe UI", "Roboto", "sans-serif")
MONO = ("ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "monospace")

HEAD = (
    '<meta name="viewport" content="width=device-width, initial-scale=1">'
    '<meta name="color-scheme" content="light dark">'
)

# Runs once when the page is there: theme, presenter mode, and their buttons and key.
START = """
() => {
  const body = document.body;
  const query = new URLSearchParams(location.search);
  let kept = null;
  try { kept = localStorage.getItem("zscope:theme"); } catch { kept = null; }
  const wanted = query.get("theme") || query.get("__theme") || kept;
  const paint = (dark) => {
    body.classList.toggle("dark", dark);
    document.documentElement.style.colorScheme = dark ? "dark" : "light";
    window.dispatchEvent(new Event("zscope-theme"));
  };
  if (wanted === "dark" || wanted === "light") paint(wanted === "dark");
  else paint(matchMedia("(prefers-color-scheme: dark)").matches);
  const present = () => {
    body.classList.toggle("present");
    window.dispatchEvent(new Event("resize"));
  };
  if (query.get("present") === "1") present();
  document.addEventListener("click", (event) => {
    const stands = event.target.closest("button[data-press]"); // for a control elsewhere
    if (stands) document.querySelector(stands.dataset.press).click();
    const button = event.target.closest("button[data-page]");
    if (!button) return;
    if (button.dataset.page === "present") present();
    if (button.dataset.page === "theme") {
      const dark = !body.classList.contains("dark");
      paint(dark);
      try { localStorage.setItem("zscope:theme", dark ? "dark" : "light"); } catch {}
    }
  });
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.closest && event.target.closest("input, textarea, select")) return;
    if (event.key === "p") present();
  });
}
"""


def theme() -> gr.themes.Base:
    """The theme handed to ``launch``."""
    return gr.themes.Base(
        primary_hue=gr.themes.colors.slate,
        secondary_hue=gr.themes.colors.slate,
        neutral_hue=gr.themes.colors.slate,
        font=FONT,
        font_mono=MONO,
        radius_size=gr.themes.sizes.radius_md,
        text_size=gr.themes.sizes.text_md,
        spacing_size=gr.themes.sizes.spacing_md,
    )
