"""The edit panel: kind, steps, strength, what becomes of later latents, and the quick row."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

import gradio as gr

from gui.components.modes import SHORT, mode_html
from gui.forms import EDGES, form, make_edit, usable
from gui.wording import sentence

if TYPE_CHECKING:
    from core.records import Edit, Trace
    from gui.visits import Visit
    from gui.workshop import Workshop

BASELINE, SHOWN = "baseline", "this branch"
DRAWN = ("gaussian", "rotate", "resample", "permute", "shared")  # kinds whose outcome is drawn

# One-click edits of all latents of the span, for a stage: name → (kinds, first usable one is
# taken, strength, label, title of the branch).
QUICK = {
    "zero": (("zero",), None, "Zero"),
    "mean": (("step_mean", "global_mean"), None, "Mean"),
    "noise": (("gaussian",), 1.0, "Noise"),
    "swap": (("swap",), None, "Swap"),
    "shuffle": (("permute",), None, "Shuffle"),
    "same": (("shared", "repeat_first"), None, "Same for all"),
}


class Panel:
    """The widgets of the edit panel."""

    def __init__(self) -> None:
        with gr.Row(elem_id="quick"):
            self.all = gr.HTML('<span class="label">All at once</span>', elem_classes="quick-label")
            self.quick = {
                name: gr.Button(label, size="sm", interactive=False, elem_id=f"quick-{name}")
                for name, (_, _, label) in QUICK.items()
            }
        with gr.Column(elem_id="edit"):
            with gr.Row(elem_id="edit-what"):
                self.kind = gr.Dropdown([], label="Edit", elem_id="edit-kind")
                self.steps = gr.Textbox("all", label="Steps", elem_id="edit-steps")
                self.strength = gr.Slider(
                    0, 4, 1, step=0.05, label="Strength", visible=False,
                    elem_id="edit-strength", buttons=[],
                )  # fmt: skip
                self.donor = gr.Dropdown([], label="Donor", visible=False, elem_id="edit-donor")
                self.text = gr.Textbox("", label="Token", visible=False, elem_id="edit-text")
                self.edge = gr.Dropdown(
                    list(EDGES.items()), value="answer latents", label="Cut", visible=False,
                    elem_id="edit-edge",
                )  # fmt: skip
                self.seed = gr.Number(
                    0, label="Draw", precision=0, visible=False, elem_id="edit-seed"
                )
            with gr.Row(elem_id="edit-go"):
                self.mode = gr.Dropdown(
                    [(title, name) for name, title in SHORT.items()],
                    value="propagate", label="Later latents", elem_id="edit-mode",
                )  # fmt: skip
                self.onto = gr.Dropdown(
                    [BASELINE, SHOWN], value=BASELINE, label="Starting from", elem_id="edit-onto"
                )
                self.apply = gr.Button(
                    "Apply", variant="primary", elem_id="apply", interactive=False
                )
            with gr.Row(elem_id="edit-says"):
                self.sentence = gr.HTML("", elem_id="edit-sentence")
                self.meaning = gr.HTML(mode_html("propagate"), elem_id="edit-meaning")
        self.fields = [
            self.sentence, self.strength, self.donor, self.text, self.seed, self.edge
        ]  # fmt: skip

    def fill(self, workshop: Workshop, visit: Visit) -> dict[Any, Any]:
        """Updates that make the panel fit the model."""
        kinds = self.offered(workshop)
        names = {k.name for k in kinds}
        first = next((k for k in kinds if k.name == "gaussian"), kinds[0] if kinds else None)
        in_words = bool(workshop.engine.family.imagines_in_words)
        out: dict[Any, Any] = {
            self.kind: gr.update(
                choices=[(k.title, k.name) for k in kinds],
                value=first.name if first else None,
                visible=len(kinds) > 1,
            ),
            self.apply: gr.update(interactive=first is not None, visible=first is not None),
            self.all: gr.update(visible=workshop.engine.family.latent or in_words),
            self.mode: gr.update(visible=workshop.engine.family.latent),
            self.meaning: gr.update(visible=workshop.engine.family.latent),
            **self.donors(workshop, visit),
        }
        for name, (needed, _, _) in QUICK.items():
            here = bool(names & set(needed)) or (in_words and name == "swap")
            out[self.quick[name]] = gr.update(interactive=here, visible=here)
        out[self.quick["swap"]]["value"] = "Another picture's sentence" if in_words else "Swap"
        if first is None:
            nothing = "This model does not imagine, so there is nothing to edit."
            hidden = {field: gr.update(visible=False) for field in self.fields[1:]}
            return {**out, **hidden, self.sentence: f"<p>{nothing}</p>"}
        return {**out, **self.show(first, said(workshop, visit))}

    def offered(self, workshop: Workshop) -> list[Any]:
        """The kinds this model can be given."""
        engine = workshop.engine
        bank = getattr(engine, "bank", None) is not None
        return [k for k in workshop.kinds if usable(k, engine.family, bank)]

    def show(self, kind: Any, said: str = "") -> dict[Any, Any]:
        """Updates for the fields of one kind.

        Args:
            said: the imagined sentence that is to be rewritten; "" leaves the field as it is.
        """
        fields = form(kind)
        s = fields.strength
        slider = (
            gr.update(visible=False)
            if s is None
            else gr.update(
                visible=True, label=s.label, minimum=s.low, maximum=s.high, step=s.step,
                value=s.start,
            )
        )  # fmt: skip
        return {
            self.sentence: f"<p>{escape(kind.sentence)}</p>",
            self.strength: slider,
            self.donor: gr.update(visible=fields.donor),
            self.edge: gr.update(visible=fields.edge),
            self.seed: gr.update(visible=kind.name in DRAWN),
            self.text: gr.update(
                visible=bool(fields.text), label=fields.text or "Token",
                lines=3 if fields.text == "Imagined text" else 1,
                **({"value": said} if said and "text" in kind.parameters else {}),
            ),
        }  # fmt: skip

    def donors(self, workshop: Workshop, visit: Visit) -> dict[Any, Any]:
        """Updates for the list of runs latents can be taken from."""
        choices = [
            (f"Example {i + 1}: {question}", f"example:{i}")
            for i, (_, question, _) in enumerate(workshop.thumbnails)
            if i != visit.example
        ]
        choices += [
            (f"Branch: {branch.title}", f"branch:{id}")
            for id, branch in visit.branches.items()
            if branch.trace.spans and branch.depth
        ]
        return {self.donor: gr.update(choices=choices)}

    def donor_trace(self, donor: str | None, visit: Visit, workshop: Workshop) -> Trace | None:
        """The run a donor's entry stands for."""
        kind, _, name = (donor or "").partition(":")
        if kind == "example" and name.isdecimal() and int(name) < len(workshop.items):
            return workshop.example(int(name))
        return visit.trace(name) if kind == "branch" else None

    def quick_edit(
        self, name: str, visit: Visit, workshop: Workshop, mode: str, seed: int, run: Trace,
        span: int,
    ) -> tuple[Edit, str]:  # fmt: skip
        """The edit of a quick button, made of a span of ``run``, and the title of its branch."""
        from core.errors import EditError

        needed, strength, label = QUICK[name]
        kind = next((k for k in self.offered(workshop) if k.name in needed), None)
        if kind is None:
            raise EditError(f"This model takes no edit called “{label}”.")
        donor = None
        if form(kind).donor:
            index = other_example(visit, workshop)
            if index is None:
                raise EditError("There is no other example to take latents from.")
            donor = workshop.example(index)
            label = f"Latents of example {index + 1}"
        edit = make_edit(kind, run, "all", span, mode, strength, seed, donor)
        return edit, label


def said(workshop: Workshop, visit: Visit) -> str:
    """The sentence imagined in words by the run on the screen; "" for any other run."""
    shown = visit.edited or visit.baseline
    in_words = workshop.engine.family.imagines_in_words
    return sentence(shown) if shown is not None and in_words else ""


def other_example(visit: Visit, workshop: Workshop) -> int | None:
    """An example of the same task with another answer, else any other one."""
    items = workshop.items
    here = visit.example
    task = items[here].task if here is not None else None
    truth = items[here].answer if here is not None else None
    start = (here or 0) + 1
    order = [(start + i) % len(items) for i in range(len(items))] if items else []
    order = [i for i in order if i != here]
    same = [i for i in order if items[i].task == task and items[i].answer != truth]
    # one whose imagination, believed, gives another answer to this very question
    telling = [i for i in same if _implied(items[here], items[i]) not in (None, truth)]
    return next(iter(telling or same or order), None)


def _implied(item: Any, donor: Any) -> str | None:
    """The answer to an item's question read at the donor's evidence."""
    implied: str | None = item.transferred_from(donor)
    return implied
