"""“Copy as Python”: a script that, in a fresh interpreter, gives what is on the screen.

Runs of built-in examples are made anew from the example. What cannot be made anew from a few
words, an uploaded picture or vectors put in by hand, is read from the saved session.
"""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from core.records import Edit, Settings, Trace
    from gui.visits import Visit
    from gui.workshop import Workshop

# Settings that engine.run takes by name; the others are fixed when the model is loaded.
ASKED = (
    "budget", "force_latents", "forbid_latents", "seed", "temperature", "top_p", "top_k",
    "max_new_tokens", "strategy", "end_threshold", "criterion",
)  # fmt: skip


class Script:
    """Writes the script of one screen.

    Args:
        visit: what is on the screen.
        workshop: its model.
        source: how the script names the checkpoint.
        session: the saved session's file, for what cannot be made anew.
    """

    def __init__(self, visit: Visit, workshop: Workshop, source: str, session: str) -> None:
        self.visit, self.workshop, self.source, self.session = visit, workshop, source, session
        self._names: dict[str, str] = {}
        self._lines: list[str] = []
        self._pictures: dict[str, str] = {}
        self._opened = False

    def text(self) -> str:
        """The script.

        Raises:
            gui.acts.GuiError: when nothing is on the screen.
        """
        from gui.acts import GuiError

        visit = self.visit
        if visit.baseline is None:
            raise GuiError("There is nothing to write down yet; run a question first.")
        base = self._run(visit.baseline, "before")
        edited = self._run(visit.edited, "after") if visit.edited is not None else ""
        shown = [base, edited] if edited else [base]
        self._lines.append("")
        for name, said in zip(shown, ("before:", "after: "), strict=False):
            self._lines.append(f'print({said!r}, {name}.answer, {name}.text, sep=" | ")')
        if visit.options:
            for name in shown:
                self._lines.append(f"print(engine.score({name}, {list(visit.options)!r}))")
        for name in shown[1:]:
            self._lines += [
                f"for receipt in {name}.receipts:",
                "    print(receipt.kind, receipt.epsilon, receipt.cosine)",
            ]
        return "\n".join([*self._head(), *self._lines, ""])

    def _head(self) -> list[str]:
        engine = self.workshop.engine
        settings = self.visit.baseline.settings if self.visit.baseline else None
        assert settings is not None
        return [
            "# What Zscope showed, made again. Start Python in the folder of launch.py.",
            "import core",
            "",
            "engine = core.load(",
            f"    {self.source!r},",
            f"    family={engine.family.name!r},",
            f"    device={settings.device!r},",
            f"    dtype={settings.dtype!r},",
            f"    attention={settings.attention!r},",
            ")",
        ]

    def _run(self, trace: Trace, name: str) -> str:
        """Lines that make a run and what it came from; the variable it is in."""
        if trace.id in self._names:
            return self._names[trace.id]
        parent = self.visit.trace(trace.parent)
        if trace.parent is not None and parent is not None:
            origin = self._run(parent, "before" if parent is self.visit.baseline else "run")
            edits = [self._edit(edit, trace, i) for i, edit in enumerate(trace.edits)]
            name = self._name(name)
            self._lines.append(f"{name} = engine.branch({origin}, [{', '.join(edits)}])")
        elif trace.edits or trace.parent is not None:
            place, picture = self._saved(trace), self._picture(trace)
            name = self._name(name)
            others = ", session.traces" if trace.parent is not None else ""
            self._lines.append(f"{name} = engine.adopt({place}, {picture}{others})")
        else:
            picture = self._picture(trace)
            name = self._name(name)
            words = [picture, repr(trace.prompt.question), *self._asked(trace)]
            self._lines.append(f"{name} = engine.run({', '.join(words)})")
        self._names[trace.id] = name
        return name

    def _name(self, wanted: str) -> str:
        taken = set(self._names.values())
        name, n = wanted, 2
        while name in taken:
            name, n = f"{wanted}{n}", n + 1
        return name

    def _asked(self, trace: Trace) -> list[str]:
        from core.records import Settings

        usual: Settings = Settings()
        engine = self.workshop.engine
        words = []
        for field in fields(Settings):
            value = getattr(trace.settings, field.name)
            plain = getattr(usual, field.name)
            if field.name == "budget":
                plain = engine.budget if engine.family.latent else None
            if field.name == "strategy":
                plain = next(iter(engine.family.strategies), None)
            if field.name in ASKED and value != plain:
                words.append(f"{field.name}={value!r}")
        if trace.prompt.system is not None and trace.prompt.system != engine.family.prompt.system:
            words.append(f"system={trace.prompt.system!r}")
        return words

    def _picture(self, trace: Trace) -> str:
        """An expression for the picture a run was asked about."""
        wanted = trace.prompt.image_hash
        if not wanted:
            return "None"
        if wanted not in self._pictures:
            index = self._example(wanted)
            if index is None:
                self._open_session()
                self._pictures[wanted] = f"session.images[{wanted!r}]"
            else:
                if not self._pictures:
                    self._lines.append("examples = core.scenes.gallery()")
                self._pictures[wanted] = f"examples[{index}].image"
        return self._pictures[wanted]

    def _example(self, wanted: str) -> int | None:
        from core.records.picture import fingerprint

        items = self.workshop.items
        if self.visit.example is not None and self.visit.example < len(items):
            order = [self.visit.example, *range(len(items))]
        else:
            order = list(range(len(items)))
        return next((i for i in order if fingerprint(items[i].image) == wanted), None)

    def _edit(self, edit: Edit, trace: Trace, place: int) -> str:
        words = [f"{k}={v!r}" for k, v in edit.plain().items() if k not in ("kind", "donor_id")]
        if edit.donor is not None:
            donor = self._donor(edit)
            words.append(f"donor={donor or f'{self._saved(trace)}.edits[{place}].donor'}")
        if edit.values is not None:
            words.append(f"values={self._saved(trace)}.edits[{place}].values")
        return f"core.Edit({', '.join([repr(edit.kind), *words])})"

    def _donor(self, edit: Edit) -> str:
        """The variable of the run the donor's latents are from; "" when it is not known."""
        branch = self.visit.trace(edit.donor_id)
        if branch is not None:
            return self._run(branch, "donor")
        index = self.workshop.example_of(edit.donor_id)
        if index is None:
            return ""
        donor = self.workshop.example(index)
        return self._run(donor, "donor")

    def _saved(self, trace: Trace) -> str:
        self._open_session()
        order = list(self.visit.branches)
        return f"session.traces[{order.index(trace.id)}]"

    def _open_session(self) -> None:
        if not self._opened:
            self._opened = True
            self._lines.append(f"session = core.records.load({self.session!r})")


def source_of(engine: Any, root: Path) -> str:
    """How a script names the checkpoint: relative to the checkout where it lies in it."""
    path = Path(engine.name)
    if path.is_absolute() and path.is_relative_to(root):
        return path.relative_to(root).as_posix()
    return str(engine.name)
