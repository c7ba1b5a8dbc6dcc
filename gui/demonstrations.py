"""What the Guide does on its stage: ask, edit, count, each with a sentence made at that moment."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gui import acts
from gui.oneclick import one_click, rewrite
from gui.panel import other_example
from gui.tallies import Tally, alikeness, tally, traced
from gui.visits import Visit
from gui.wording import answer_line, sentence

if TYPE_CHECKING:
    from gui.panel import Panel
    from gui.shelf import Shelf
    from gui.workshop import Workshop

STORY = 2  # the example the story is told with: one object is asked for, among other colours


@dataclass
class Show:
    """Where a step happens.

    Attributes:
        shelf: the models.
        panel: the edit panel, which makes the one-click edits.
        visit: what is on the Guide's stage.
        model: name of the model on the stage.
        tallies: what was counted before, by (model, edit).
    """

    shelf: Shelf
    panel: Panel
    visit: Visit = field(default_factory=Visit)
    model: str = ""
    tallies: dict[tuple[str, str], Tally] = field(default_factory=dict)

    def open(self, model: str, index: int = STORY) -> Workshop:
        """Put an example on the stage, answered by a model."""
        room = self.shelf.get(model)
        self.visit, self.model = Visit(model=model), model
        acts.open_example(self.visit, room, min(index, len(room.items) - 1))
        return room

    def edit(self, room: Workshop, name: str) -> None:
        """Do a one-click edit on what is on the stage."""
        assert self.visit.baseline is not None
        made, title = one_click(name, self.visit, room, self.panel)
        acts.apply(self.visit, room, self.visit.baseline, [made], title)

    @property
    def before(self) -> str:
        """The answer before the edit."""
        trace = self.visit.baseline
        return f"“{answer_line(trace)}”" if trace is not None else "nothing"

    @property
    def after(self) -> str:
        """The answer after it."""
        trace = self.visit.edited
        return f"“{answer_line(trace)}”" if trace is not None else self.before


Act = Callable[[Show], Iterator[str]]


def ask(model: str, index: int = STORY) -> Act:
    """Ask the model the example's question."""

    def act(show: Show) -> Iterator[str]:
        room = show.open(model, index)
        trace = show.visit.baseline
        said = sentence(trace) if trace is not None else ""
        if said:
            yield f"It imagined “{said}” and answered {show.before}."
        elif trace is not None and trace.spans:
            yield f"It imagined {len(trace.spans[0])} latents and answered {show.before}."
        else:
            what = "a sentence" if room.engine.family.imagines_in_words else "latents"
            yield f"It answered {show.before} without imagining {what}."

    return act


def change(model: str, name: str, done: str) -> Act:
    """Edit everything it imagined at once; ``done`` says what was done."""

    def act(show: Show) -> Iterator[str]:
        room = show.open(model)
        show.edit(room, name)
        cared = "stayed" if show.before == show.after else "turned into"
        yield f"{done}: the answer {show.before} {cared} {show.after}."

    return act


def swap(model: str) -> Act:
    """Put another example's imagination in."""

    def act(show: Show) -> Iterator[str]:
        room = show.open(model)
        donor = other_example(show.visit, room)
        show.edit(room, "swap")
        implied = None
        if donor is not None:
            implied = room.items[show.visit.example or 0].transferred_from(room.items[donor])
        what = "sentence" if room.engine.family.imagines_in_words else "latents"
        says = f", which say “{implied}”" if what == "latents" else f", which says “{implied}”"
        cared = "stayed" if show.before == show.after else "turned into"
        yield (
            f"With the {what} of example {(donor or 0) + 1}{says if implied else ''}, "
            f"the answer {show.before} {cared} {show.after}."
        )

    return act


def own_sentence(show: Show) -> Iterator[str]:
    """The sham: the sentence the model imagined, put back by hand."""
    room = show.open("words")
    base = show.visit.baseline
    assert base is not None
    said = sentence(base)
    if not said:
        raise acts.GuiError("This model answered without a sentence, so there is none to put back.")
    acts.apply(show.visit, room, base, [rewrite(said)], "Its own sentence again")
    cared = "stayed" if show.before == show.after else "turned into"
    yield f"With its own sentence put back, the answer {show.before} {cared} {show.after}."


def count(model: str, name: str) -> Act:
    """The same edit on every example."""

    def act(show: Show) -> Iterator[str]:
        room = show.open(model)
        show.edit(room, name)
        for now in tally(name, room, show.panel):
            show.tallies[model, name] = now
            if now.asked < now.examples:
                yield f"Example {now.asked + 1} of {now.examples}…"
            else:
                yield counted(name, now)

    return act


def counted(name: str, now: Tally) -> str:
    """A tally in one sentence."""
    if name == "zero":
        return f"Zeroing all {now.latents} latents changed {now.changed} of {now.asked} answers."
    what = "latents" if now.latents else "sentence"
    return (
        f"Swapping in another picture's {what} changed {now.changed} of {now.asked} answers; "
        f"{now.followed} of the {now.could} that could follow did."
    )


def alike(show: Show) -> Iterator[str]:
    """How alike the latents of different pictures are."""
    room = show.open("shortcut")
    for seen, mean in alikeness(room):
        if mean is None:
            yield f"Example {seen} of {len(room.items)}…"
        else:
            yield (
                f"At the same step, the latents of {seen} different pictures have a mean cosine "
                f"of {mean:.2f}."
            )


def path(show: Show) -> Iterator[str]:
    """The trail of nearest patches on a planning picture."""
    room = show.shelf.get("faithful")
    first = next((i for i, item in enumerate(room.items) if item.task == "plan"), None)
    if first is None:
        raise acts.GuiError("There is no planning picture among the examples.")
    show.open("faithful", first)
    for seen, of, right in traced(room):
        if seen < of:
            yield f"Planning picture {seen + 1} of {of}…"
        else:
            yield (
                f"On {right} of {of} planning pictures, the patches the latents are nearest to "
                "are the path, square by square."
            )


def together(*models: str) -> Act:
    """The same edit in several models; the last is left on the stage."""

    def act(show: Show) -> Iterator[str]:
        said = []
        for model in models:
            if (model, "swap") not in show.tallies or not _whole(show.tallies[model, "swap"]):
                room = show.shelf.get(model)
                for now in tally("swap", room, show.panel):
                    show.tallies[model, "swap"] = now
                    if now.asked < now.examples:
                        yield f"{model}: example {now.asked + 1} of {now.examples}…"
            now = show.tallies[model, "swap"]
            said.append(f"{model} {now.followed} of {now.could}")
        room = show.open(models[-1])
        show.edit(room, "swap")
        yield "Answers that followed another picture's imagination: " + ", ".join(said) + "."

    return act


def _whole(now: Tally) -> bool:
    return now.asked == now.examples
