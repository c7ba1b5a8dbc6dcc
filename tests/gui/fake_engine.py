"""A small stand-in for the engine: no network, real records, answers that follow the latents.

The page's tests need runs that change when their latents are edited, at once and without a
checkpoint. The stand-in "imagines" by a seeded walk and answers with the option whose own
direction its mean latent is nearest to.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from types import SimpleNamespace

import torch
from PIL import Image, ImageDraw

from core.errors import Cancelled, EditError, QuestionError
from core.records import Dose, Edit, Prompt, Receipt, Settings, Span, Timings, Trace
from core.records.picture import fingerprint

WIDTH = 48
GRID = (4, 4)
OPTIONS = ("red", "green", "blue", "yellow")


@dataclass(frozen=True)
class FakeStep:
    index: int
    token_id: int
    piece: str
    latent: torch.Tensor | None = None
    span: int | None = None
    step: int | None = None
    trace: Trace | None = None


@dataclass(frozen=True)
class FakeKind:
    name: str
    title: str
    sentence: str
    locus: str = "content"
    parameters: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()


KINDS = (
    FakeKind("text", "Rewrite", "Replaces the imagined sentence.", "text", ("text",)),
    FakeKind("identity", "Identity", "Puts the same vector back: nothing may change."),
    FakeKind("zero", "Zero", "Replaces the latent by the zero vector."),
    FakeKind("step_mean", "Step mean", "Replaces it by the bank's mean.", needs=("bank",)),
    FakeKind("gaussian", "Gaussian noise", "Adds noise.", parameters=("dose",)),
    FakeKind("rotate", "Rotate", "Turns the latent.", parameters=("angle",)),
    FakeKind("swap", "Swap", "Puts another run's latent in.", needs=("donor",)),
    FakeKind("permute", "Shuffle", "Changes the order.", parameters=("order",)),
    FakeKind("repeat_first", "Same for all", "The first latent everywhere."),
    FakeKind("truncate", "Truncate", "Stops imagining early.", "presence", ("count",)),
    FakeKind("patch", "Image patch", "Puts a patch of the picture in.", parameters=("patch",)),
    FakeKind("manual", "By hand", "Puts given values in.", parameters=("values",)),
)


def direction(word: str) -> torch.Tensor:
    """The unit vector a word stands for."""
    generator = torch.Generator().manual_seed(sum(word.encode()))
    vector = torch.randn(WIDTH, generator=generator)
    return vector / vector.norm()


class FakeEngine:
    name = "stand-in"
    notes = ("stand-in engine", "cpu, float32")
    budget = 6
    family = SimpleNamespace(
        name="fake", title="Stand-in", latent=True, imagines_in_words=False, needs="",
        strategies=(), prompt=SimpleNamespace(system=None),
    )  # fmt: skip

    def __init__(self, pause: float = 0.0, emits: bool = True, model: str = "faithful") -> None:
        """``model``: ``"shortcut"`` answers from the picture whatever its latents are, and
        ``"words"`` imagines a sentence and believes it."""
        self.pause = pause
        self.model = model
        self.emits = emits and model != "words"
        if model == "words":
            self.family = SimpleNamespace(
                **{**vars(self.family), "latent": False, "imagines_in_words": True}
            )
        self.prompts: dict[str, tuple[Image.Image, str]] = {}

    def stream(
        self, image, question, budget=None, force_latents=False, seed=0, temperature=0.0,
        max_new_tokens=256, system=None, cancel=None,
    ):  # fmt: skip
        if not question.strip():
            raise QuestionError("Nothing was asked; type a question.")
        truth = self._truth(image)
        count = (budget or self.budget) if self.emits or force_latents else 0
        generator = torch.Generator().manual_seed(seed + len(question))
        latents: list[torch.Tensor] = []
        by_hand: list[Edit] = []
        index = 0
        if count:
            yield FakeStep(index, 1, "<abs_vis_token>")
            index += 1
        for k in range(count):
            time.sleep(self.pause)
            if cancel is not None and cancel.is_set():
                if not latents:
                    raise Cancelled("Stopped before anything was said.")
                break
            vector = 8 * direction(truth) + 1.5 * torch.randn(WIDTH, generator=generator)
            vector = latents[-1] * 0.3 + vector * 0.7 if latents else vector
            sent = yield FakeStep(index, 2, "<pad>", vector, 0, k)
            latents.append(torch.as_tensor(sent) if sent is not None else vector)
            if sent is not None:
                by_hand.append(Edit("manual", steps=[k], values=sent))
            index += 1
        stopped = cancel is not None and cancel.is_set()
        trace = self._trace(image, question, latents, seed, budget, stopped=stopped)
        trace = replace(trace, edits=tuple(by_hand))
        self.prompts[trace.id] = (image, question)
        for place in range(index, len(trace.token_ids)):
            time.sleep(self.pause / 2)
            last = place == len(trace.token_ids) - 1
            yield FakeStep(
                place, trace.token_ids[place], trace.pieces[place], trace=trace if last else None
            )

    def run(self, image, question, **settings) -> Trace:
        *_, last = self.stream(image, question, **settings)
        return last.trace

    def branch(self, trace: Trace, edits: list[Edit], cancel=None) -> Trace:
        time.sleep(self.pause)
        if self.model == "words":
            return self._reworded(trace, edits)
        if not trace.spans:
            raise EditError("This run did not imagine, so there is no latent to edit.")
        latents = trace.spans[0].latents.clone()
        receipts = []
        for edit in edits:
            steps = edit.steps if edit.steps is not None else tuple(range(len(latents)))
            if any(s >= len(latents) for s in steps):
                raise EditError(f"The span has {len(latents)} latents; choose among them.")
            before = latents.clone()
            donor = edit.donor
            row, column = edit.patch or (0, 0)
            if not (0 <= row < 4 and 0 <= column < 4):
                raise EditError(f"Patch ({row}, {column}) is outside the picture.")
            generator = torch.Generator().manual_seed(edit.seed)
            for s in steps:
                z = latents[s]
                noise = torch.randn(WIDTH, generator=generator)
                latents[s] = {
                    "zero": torch.zeros(WIDTH),
                    "step_mean": before.mean(0),
                    "gaussian": z + (edit.dose or 0) * z.norm() * noise / noise.norm(),
                    "rotate": -z if (edit.angle or 0) > 90 else z,
                    "swap": donor[min(s, len(donor) - 1)] if donor is not None else z,
                    "permute": before[len(latents) - 1 - s],
                    "repeat_first": before[0],
                    "patch": self.patches(trace)[row * 4 + column],
                    "manual": edit.values if edit.values is not None else z,
                }.get(edit.kind, z)  # fmt: skip
            if edit.kind == "truncate":
                latents = latents[: edit.count or 1]
                receipts.append(Receipt(edit.kind, edit.mode, 0, note=f"{len(latents)} kept"))
                continue
            doses = []
            for s in steps:
                z, new = before[s], latents[s]
                doses.append(
                    Dose(
                        s,
                        float((new - z).norm() / z.norm()),
                        float(torch.cosine_similarity(z, new, dim=0)),
                        float(new.norm() / z.norm()),
                        99.5 if edit.kind == "gaussian" else 40.0,
                        float((new - z).norm() / z.norm()) * 0.8,
                    )
                )
            receipts.append(Receipt(edit.kind, edit.mode, edit.span, tuple(doses)))
        image, question = self.prompts[trace.id]
        child = self._trace(image, question, list(latents), trace.settings.seed, None)
        child = replace(
            child,
            edits=tuple(edits),
            receipts=tuple(receipts),
            parent=trace.id,
            lineage=(*trace.lineage, tuple(edits)),
        )
        self.prompts[child.id] = (image, question)
        return child

    def _reworded(self, trace: Trace, edits: list[Edit]) -> Trace:
        image, question = self.prompts[trace.id]
        child = self._trace(image, question, [], 0, None, said=edits[-1].text)
        child = replace(
            child,
            edits=tuple(edits),
            receipts=(Receipt("text", "propagate", 0, note="rewritten"),),
            parent=trace.id,
            lineage=(*trace.lineage, tuple(edits)),
        )
        self.prompts[child.id] = (image, question)
        return child

    def adopt(self, trace: Trace, image, ancestors=()) -> Trace:
        self.prompts[trace.id] = (image, trace.prompt.question)
        return trace

    def score(self, trace: Trace, options) -> dict[str, float]:
        if not trace.spans:
            return {o: -1.0 - 0.1 * i for i, o in enumerate(options)}
        mean = trace.spans[0].latents.mean(0)
        return {o: float(mean @ direction(o)) - 9.0 for o in options}

    def patches(self, trace: Trace) -> torch.Tensor:
        rows, columns = trace.prompt.grid
        names = [OPTIONS[(r * columns + c) % 4] for r in range(rows) for c in range(columns)]
        return torch.stack([8 * direction(n) for n in names])

    def _truth(self, image) -> str:
        if image is None:
            return "red"
        r, g, b = image.convert("RGB").resize((1, 1)).getpixel((0, 0))
        if max(r, g, b) - min(r, g, b) < 12 or (abs(r - g) < 12 and b < r - 12):
            return "yellow"
        return ("red", "green", "blue")[(r, g, b).index(max(r, g, b))]

    def _trace(self, image, question, latents, seed, budget, stopped=False, said=None) -> Trace:
        if latents:
            mean = torch.stack(latents).mean(0)
            scores = {o: float(mean @ direction(o)) for o in OPTIONS}
            answer = max(scores, key=scores.get) if max(scores.values()) > 3.0 else "unclear"
        else:
            answer = "red"
        if self.model == "words":
            said = said or f"The disc is {self._truth(image)}."
            answer = next((o for o in OPTIONS if o in said), "unclear")
        elif self.model == "shortcut":
            answer = self._truth(image)
        words = [" The", " thing", " is", f" {answer}", ".", " \\boxed{", answer, "}", "<|im_end|>"]
        words = [] if stopped else words
        head = ["<abs_vis_token>"] if latents else []
        spoken = f"{said} ".split(" ")[:-1] if said else []
        words = [*(f" {w}" for w in spoken), *words]
        tail = ["</abs_vis_token>"] if latents else []
        pieces = (*head, *["<pad>"] * len(latents), *tail, *words)
        spans = ()
        if latents:
            table = torch.stack(latents)
            spans = (Span(1, table, table * 0.9, "cancelled" if stopped else "count"),)
        size = image.size if image is not None else (0, 0)
        return Trace(
            prompt=Prompt(question, None, question, _hash(image), size, GRID if image else (0, 0)),
            family="fake",
            model="stand-in",
            settings=Settings(budget=budget, seed=seed),
            token_ids=tuple(range(100, 100 + len(pieces))),
            sampled_ids=tuple(range(100, 100 + len(pieces))),
            pieces=tuple(pieces),
            spans=spans,
            logprobs=(-0.1,) * len(pieces),
            text="".join(w for w in words if not w.startswith("<|")).strip(),
            answer=None if stopped else answer,
            answer_problem="The run was stopped." if stopped else None,
            imagined=(0, len(spoken)) if spoken else None,
            ended_by="cancelled" if stopped else "eos",
            timings=Timings(0.01, 0.02, len(pieces)),
        )


def _hash(image) -> str:
    return fingerprint(image) if image is not None else ""


def painted(colour: str) -> Image.Image:
    """A picture of one coloured disc."""
    picture = Image.new("RGB", (448, 448), "white")
    ImageDraw.Draw(picture).ellipse((60, 60, 388, 388), fill=colour)
    return picture


def gallery() -> list[SimpleNamespace]:
    """Four examples, one a colour."""
    return [
        SimpleNamespace(
            image=painted(colour),
            question="What colour is the disc?",
            answer=colour,
            options=OPTIONS,
            task="attribute" if i < 2 else "where",
            id=f"disc-{colour}",
            transferred_from=lambda donor: donor.answer,
        )
        for i, colour in enumerate(OPTIONS)
    ]
