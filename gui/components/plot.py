"""A plotly figure drawn by the page's own copy of plotly.js, in the page's colours.

The library's file is served from where the plotly package keeps it; nothing is fetched from
another host. A new figure is drawn into the same node, so zoom survives a redraw.
"""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from importlib.util import find_spec
from pathlib import Path

import gradio as gr

SCRIPT = (Path(__file__).parent / "plot.js").read_text(encoding="utf-8")


def library() -> Path:
    """plotly.js as the installed package ships it."""
    spec = find_spec("plotly")
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError("plotly is not installed; run pip install -r requirements.txt.")
    return Path(next(iter(spec.submodule_search_locations))) / "package_data" / "plotly.min.js"


def plot(
    name: str,
    elem_id: str,
    note: str = "",
    methods: Mapping[str, str] | None = None,
    linked: bool = False,
    large: str = "",
) -> gr.HTML:
    """One figure; its value is a figure dictionary or None, a click triggers ``point``.

    Args:
        name: heading, and the name of saved files.
        elem_id: HTML id.
        note: says beside the heading how to read it.
        methods: ways to compute it, key → title, the first as drawn by every act; another one
            is asked for with the event ``method``.
        linked: a click selects the latent in the Studio's strip instead, and what is selected
            there has a ring here.
        large: HTML id of the tab that shows it large; "" for none.
    """
    path = library()
    gr.set_static_paths([path])
    buttons = "".join(
        f'<button type="button" data-method="{key}" aria-pressed="{str(not n).lower()}">'
        f"{escape(title)}</button>"
        for n, (key, title) in enumerate((methods or {}).items())
    )
    opens = (
        f'<button type="button" class="large" data-open="{large}" title="Open large in the Atlas" '
        f'aria-label="Open {escape(name, quote=True)} large in the Atlas">↗</button>'
    )
    heading = (
        f"<h3><span>{escape(name)}</span>{buttons}<small>{escape(note)}</small>"
        f"{opens if large else ''}</h3>"
    )
    return gr.HTML(
        value=None,
        html_template=f'<div class="plot-frame">{heading}<div class="plot"></div></div>',
        js_on_load=SCRIPT,
        elem_id=elem_id,
        plotly_path=str(path),
        plot_name=name,
        linked=linked,
    )
