"""The Atlas's widgets and where they stand."""

from __future__ import annotations

import gradio as gr

from gui.atlas.view import BETWEEN, WITHIN
from gui.banker import SCENES
from gui.components import steps
from gui.components.plot import plot
from gui.figures.bank import BY
from gui.likeness import kinds
from gui.mapping import FROZEN, JOINT
from gui.screen import say_html

METHODS = {"pca": "PCA", "umap": "UMAP", "tsne": "t-SNE"}
BESIDE = {"branches": "all branches", "patches": "image patches", "words": "words"}


class Layout:
    """The widgets, laid out where it is made.

    Args:
        builds: a bank may be built here; on a hosted copy it may not.
    """

    def __init__(self, builds: bool) -> None:
        self.builds = builds
        with gr.Column(elem_id="atlas"):
            with gr.Row(elem_id="atlas-head"):
                self.steps = gr.HTML("", js_on_load=steps.SCRIPT, elem_id="atlas-steps")
                with gr.Accordion("The bank", open=False, elem_id="atlas-bank"):
                    self._lay_bank()
            with gr.Row(elem_id="atlas-map-row"):
                with gr.Column(elem_id="atlas-left", min_width=320):
                    self._lay_map()
                with gr.Column(elem_id="atlas-right", min_width=320):
                    self._lay_matrix()
            with gr.Row(elem_id="atlas-grid-row"):
                with gr.Column(elem_id="atlas-panels-column", min_width=320):
                    self.panels = plot("Across items, step by step", "atlas-panels")
                with gr.Column(elem_id="atlas-collapse-column", min_width=280):
                    self.collapse = plot("Collapse", "atlas-collapse")
                    self.facts = gr.HTML("", elem_id="atlas-facts")

    def _lay_bank(self) -> None:
        self.about = gr.HTML("", elem_id="atlas-bank-about")
        with gr.Row(elem_id="atlas-bank-go"):
            self.place = gr.Textbox(
                SCENES, label="Items: “scenes”, or a folder or table of pictures and questions",
                elem_id="atlas-bank-place", interactive=self.builds, max_length=1000,
            )  # fmt: skip
            self.count = gr.Number(
                200, label="How many", precision=0, minimum=1, elem_id="atlas-bank-count",
                interactive=self.builds,
            )  # fmt: skip
            self.build = gr.Button("Build", elem_id="atlas-build", interactive=self.builds)
            self.stop = gr.Button("Stop", elem_id="atlas-stop", interactive=False)
        self.bank_say = gr.HTML(say_html("", False), elem_id="atlas-bank-say")

    def _lay_map(self) -> None:
        with gr.Row(elem_id="atlas-map-choices", elem_classes="choices"):
            self.method = gr.Radio(
                [(title, key) for key, title in METHODS.items()], value="pca", label="Map",
                elem_id="atlas-method", elem_classes="pills",
            )  # fmt: skip
            self.by = gr.Radio(
                list(BY), value="step", label="Colour", elem_id="atlas-by", elem_classes="pills"
            )
        with gr.Row(elem_id="atlas-map-more", elem_classes="choices"):
            self.placed = gr.Radio(
                [("one joint fit", JOINT), ("bank fitted, runs placed", FROZEN)], value=JOINT,
                label="Placed by", elem_id="atlas-placed", elem_classes="pills",
            )  # fmt: skip
            self.beside = gr.CheckboxGroup(
                [(title, key) for key, title in BESIDE.items()], label="Also",
                elem_id="atlas-beside", elem_classes="pills",
            )  # fmt: skip
        self.map = plot("Map of the latents", "atlas-map")
        self.status = gr.HTML("", elem_id="atlas-status")
        self.nearest = gr.HTML("", elem_id="atlas-nearest")

    def _lay_matrix(self) -> None:
        with gr.Row(elem_id="atlas-matrix-choices", elem_classes="choices"):
            self.which = gr.Radio(
                [("within the run", WITHIN), ("before × after", BETWEEN)], value=WITHIN,
                label="Similarity", elem_id="atlas-which", elem_classes="pills",
            )  # fmt: skip
            self.kind = gr.Radio(
                kinds(), value="raw", label="Cosine", elem_id="atlas-kind", elem_classes="pills"
            )
        self.matrix = plot("Similarity of steps", "atlas-matrix")
