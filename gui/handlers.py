"""What each control of the Studio does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import gradio as gr
from gradio.utils import get_upload_folder

from gui import acts, asking, feeding, panel
from gui.aim import aim_of
from gui.components.examples import examples_html
from gui.desk import GONE, Desk, sentence_of
from gui.forms import make_edit
from gui.oneclick import one_click
from gui.screen import Screen, edit_mark, inspected, looked, map_of, say_html
from gui.steps import format_steps
from gui.visits import Visit


class Handlers(Desk):
    """One method a control; each yields or returns updates of widgets."""

    def on_run(
        self, key: str, seen: Any, question: str, options: str, budget: float | None, force: bool,
        temperature: float, seed: float, longest: float, system: str, stepwise: bool = False,
    ) -> Iterator[dict[Any, Any]]:  # fmt: skip
        """Run: ask the model about the picture, or let a run that waits go on to its end."""

        def work(visit: Visit) -> Iterator[Screen]:
            aim_of(seen, visit).check_picture(visit)
            visit.options = acts.parse_options(options or "")
            yield from asking.ask(
                visit, self.workshop, question or "", stepwise,
                budget=None if budget is None else int(budget), force_latents=bool(force),
                temperature=float(temperature), seed=int(seed or 0),
                max_new_tokens=int(longest), system=(system or "").strip() or None,
            )  # fmt: skip

        yield from self.guard(key, work, slow=True)

    def on_force(self, key: str, *rest: Any) -> Iterator[dict[Any, Any]]:
        """The remedy of a run that did not imagine: the same with a forced span."""
        seen, question, options, budget, _, *others = rest
        yield from self.on_run(key, seen, question, options, budget, True, *others)

    def on_step(self, key: str, *asked: Any) -> Iterator[dict[Any, Any]]:
        """Step: go on to where the next latent is about to be fed, and wait there."""
        yield from self.on_run(key, *asked, stepwise=True)

    def on_instead(self, key: str, seen: Any, event: gr.EventData) -> dict[Any, Any]:
        """Something else is to be fed in place of the waiting latent."""
        name = str(event.name)

        def work(visit: Visit) -> None:
            aim_of(seen, visit).check_waiting(visit)
            feeding.feed_instead(visit, self.workshop, name)

        return self.now(key, work)

    def on_point(
        self, key: str, seen: Any, onto: str, event: gr.EventData
    ) -> Iterator[dict[Any, Any]]:
        """A place of the picture was clicked: its patch goes into the selected latents."""
        place = (int(event.row), int(event.column))

        def work(visit: Visit) -> None:
            aim = aim_of(seen, visit)
            aim.check_picture(visit)
            if aim.check_waiting(visit):
                feeding.feed_instead(visit, self.workshop, "patch", place)
                return
            parent = aim.run(visit, onto == panel.SHOWN)
            kind, steps = self.workshop.kind("patch"), format_steps(aim.steps)
            edit = make_edit(kind, parent, steps, aim.span, patch=place)
            aim.select(visit)
            acts.apply(visit, self.workshop, parent, [edit])

        yield from self.guard(key, work, slow=True)

    def on_stop(self, key: str) -> dict[Any, Any]:
        """Stop: honoured within one step of the model."""
        visit = self.visits.get(key)
        if visit is None:
            return {self.page.say: say_html(GONE, True)}
        visit.cancel.set()
        if visit.going or visit.pending is None:
            return {self.page.stop: gr.update()}
        out = self.now(key, lambda visit: asking.stop_waiting(visit, self.workshop))
        return {**out, **self.busy(False)}

    def on_apply(
        self, key: str, seen: Any, steps: str, kind: str, strength: float, mode: str, seed: float,
        donor: str | None, text: str, onto: str, edge: str = "",
    ) -> Iterator[dict[Any, Any]]:  # fmt: skip
        """Apply: the edit of the panel, on the baseline or on the branch that is shown.

        While a latent waits to be fed, that one is edited.
        """

        def work(visit: Visit) -> None:
            aim = aim_of(seen, visit)
            parent, waits = aim.run(visit, onto == panel.SHOWN), aim.check_waiting(visit)
            giver = self.page.panel.donor_trace(donor, visit, self.workshop)
            edit = make_edit(
                self.workshop.kind(kind), parent, "" if waits else steps or "", aim.span, mode,
                strength, int(seed or 0), giver, text or "", edge=edge or "",
            )  # fmt: skip
            if waits:
                mark = edit_mark(edit, self.workshop.titles)
                feeding.feed_edit(visit, self.workshop, edit, mark)
                return
            aim.select(visit)
            acts.apply(visit, self.workshop, parent, [edit])

        yield from self.guard(key, work, slow=True)

    def quick(self, name: str) -> Callable[..., Iterator[dict[Any, Any]]]:
        def on_quick(key: str, seen: Any, mode: str, seed: float) -> Iterator[dict[Any, Any]]:
            def work(visit: Visit) -> None:
                aim = aim_of(seen, visit)
                run, waits = aim.run(visit), aim.check_waiting(visit)
                box, room = self.page.panel, self.workshop
                if room.engine.family.latent:
                    edit, title = box.quick_edit(
                        name, visit, room, mode, int(seed or 0), run, aim.span
                    )
                else:
                    edit, title = one_click(name, visit, room, box)
                if waits:
                    feeding.feed_edit(visit, self.workshop, edit, title)
                    return
                aim.select(visit)
                acts.apply(visit, self.workshop, run, [edit], title)

            yield from self.guard(key, work, slow=True)

        return on_quick

    def on_pick(self, key: str, event: gr.EventData) -> dict[Any, Any]:
        """Latents were selected in the strip; it shows that already, as do picture and map."""
        visit = self.visits.get(key)
        if visit is None or not self.workshop.ready:
            return {self.page.say: say_html(GONE if self.workshop.ready else self.waiting(), True)}
        order = float(event.order)
        acts.select(visit, int(event.span), list(event.steps), order)
        try:
            out = {
                self.page.inspector: inspected(visit, self.workshop),
                self.page.look: looked(visit, self.workshop),
            }
        except Exception as error:
            out = {self.page.say: say_html(sentence_of(error), True)}
        return out if visit.picked <= order else {self.page.say: gr.skip()}

    def on_look(self, key: str, seen: Any, event: gr.EventData) -> dict[Any, Any]:
        """One layer or head was chosen for the attention over the picture."""
        visit = self.visits.get(key)
        if visit is None:
            return {self.page.say: say_html(GONE, True)}
        layer, head = (None if v is None else int(v) for v in (event.layer, event.head))
        try:
            aim_of(seen, visit).select(visit)
            return {self.page.look: looked(visit, self.workshop, layer, head)}
        except Exception as error:
            return {self.page.say: say_html(sentence_of(error), True)}

    def on_method(self, key: str, event: gr.EventData) -> dict[Any, Any]:
        """Another way to draw the map; what takes long is computed here, beside the model."""
        visit, method = self.visits.get(key), str(event.method)
        if visit is None:
            return {self.page.say: say_html(GONE, True)}
        try:
            return {self.page.map: map_of(visit, self.workshop, method)}
        except Exception as error:
            return {self.page.say: say_html(sentence_of(error), True)}

    def on_undo(self, key: str) -> dict[Any, Any]:
        """Back to what was on the screen before."""
        return self._then_donors(key, lambda visit: void(visit.undo()))

    def on_redo(self, key: str) -> dict[Any, Any]:
        """Forward again."""
        return self._then_donors(key, lambda visit: void(visit.redo()))

    def on_tree(self, key: str, event: gr.EventData) -> dict[Any, Any]:
        """A click in the branch list."""
        act, id, text = str(event.act), str(event.id), str(event.text)
        return self._then_donors(key, lambda visit: acts.act_on_branch(visit, act, id, text))

    def _then_donors(self, key: str, work: Callable[[Visit], None]) -> dict[Any, Any]:
        out = self.now(key, work)
        visit = self.visits.get(key)
        return out if visit is None else {**out, **self.page.panel.donors(self.workshop, visit)}

    def on_kind(self, kind: str) -> dict[Any, Any]:
        """Another edit was chosen: its sentence and its fields."""
        if not kind:  # a model without edits: Gradio takes no empty dictionary for an answer
            return {field: gr.skip() for field in self.page.panel.fields}
        return self.page.panel.show(self.workshop.kind(kind))

    def on_picture(self, key: str, event: gr.EventData) -> dict[Any, Any]:
        """A picture was uploaded."""
        folder = get_upload_folder()

        def work(visit: Visit) -> None:
            acts.open_picture(visit, str(event.path), folder)
            visit.say = "New picture. Press Run to ask about it."

        out = self.now(key, work)
        return {**out, self.page.examples: examples_html(self.workshop.thumbnails, None)}

    def on_refused(self, key: str, event: gr.EventData) -> dict[Any, Any]:
        """The browser did not take a file."""

        def work(visit: Visit) -> None:
            raise acts.GuiError(
                f"“{str(event.name)[:80]}” could not be taken; choose a picture of at most 50 MB."
            )

        return self.now(key, work)

    def on_example(self, key: str, event: gr.EventData) -> dict[Any, Any]:
        """A built-in example was chosen."""
        out = self.now(key, lambda visit: acts.open_example(visit, self.workshop, int(event.index)))
        visit = self.visits.get(key)
        if visit is None:
            return out
        return {
            **out,
            self.page.examples: examples_html(self.workshop.thumbnails, visit.example),
            self.page.question: visit.asked,
            self.page.options: acts.format_options(visit.options),
        }


def void(_: object) -> None:
    """Drop a value where an act must return nothing."""
