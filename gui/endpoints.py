"""What the page does, for programs: five endpoints that take and give plain JSON.

They hold nothing between calls. A call names a picture and a question, or a built-in example,
and the edits to be made; what comes back tells everything that was measured.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import gradio as gr

from gui.answering import Answering
from gui.bounds import Bounds
from gui.comparison import badge

if TYPE_CHECKING:
    from core.records import Trace
    from gui.shelf import Shelf


class Endpoints:
    """The endpoints, put on a page by :meth:`offer`.

    Args:
        shelf: the models; only loaded and shipped ones answer.
        bounds: how much a call may ask for.
    """

    def __init__(self, shelf: Shelf, bounds: Bounds | None = None) -> None:
        self.shelf, self.bounds = shelf, bounds or Bounds()
        self.answering = Answering(shelf, self.bounds)

    def offer(self) -> None:
        """Add them to the ``gr.Blocks`` that is being built."""
        for name in ("models", "examples"):
            gr.api(getattr(self, name), api_name=name, queue=False)
        for name in ("run", "branch", "score"):
            gr.api(getattr(self, name), api_name=name, concurrency_limit=None)

    def models(self) -> list[dict]:
        """List the models that can be asked.

        Returns:
            One entry a model: its name, what it is for, whether it is loaded, and its family.
        """
        rooms = self.shelf.loaded()
        out = []
        for name in self.answering.models():
            about = self.shelf.models[name].about
            ready = name in rooms and rooms[name].ready
            family = rooms[name].engine.family.name if ready else None
            out.append({"name": name, "about": about, "loaded": ready, "family": family})
        return out

    def examples(self) -> list[dict]:
        """List the built-in examples.

        Returns:
            One entry an example: its number (from 1), task, question, answer options and true
            answer.
        """
        return [
            {
                "example": i,
                "task": str(item.task),
                "question": str(item.question),
                "options": [str(o) for o in item.options],
                "answer": str(item.answer),
            }
            for i, item in enumerate(self.shelf.gallery, 1)
        ]

    def run(
        self,
        image: str = "",
        question: str = "",
        example: int = 0,
        model: str = "",
        force: bool = False,
        seed: int = 0,
        max_new_tokens: int = 256,
        latents: bool = False,
    ) -> dict:
        """Ask a model a question about a picture and see what it imagines before it answers.

        Args:
            image: the picture, base64 or a data: address; leave empty with an example.
            question: the question; with an example, empty takes the example's own.
            example: number of a built-in example, from 1; 0 for none.
            model: name of a model from `models`; empty for the one the page opened with.
            force: make the model imagine.
            seed: seeds sampling.
            max_new_tokens: the most tokens said.
            latents: also return the latent vectors.

        Returns:
            Answer, text, tokens, and each latent span with the norms of its vectors.
        """
        with self.answering.turn(
            model, image=image, question=question, example=example, force=force, seed=seed,
            max_new_tokens=max_new_tokens, latents=latents,
        ) as (room, made, cancel):  # fmt: skip
            trace = self.answering.ask(
                room, made, cancel, image, question, example, force, seed, max_new_tokens
            )
            return plain(trace, latents)

    def branch(
        self,
        image: str = "",
        question: str = "",
        edits: list[dict] | None = None,
        example: int = 0,
        model: str = "",
        force: bool = False,
        seed: int = 0,
        max_new_tokens: int = 256,
        latents: bool = False,
    ) -> dict:
        """Ask a question, edit what the model imagined, and let it go on: does the answer change?

        Args:
            image: the picture, base64 or a data: address; leave empty with an example.
            question: the question; with an example, empty takes the example's own.
            edits: a list such as [{"kind": "gaussian", "steps": [1, 2], "dose": 1.0}]; steps
                count from 0 and leaving them out means all. A donor is the number of a built-in
                example: {"kind": "swap", "donor": 2}.
            example: number of a built-in example, from 1; 0 for none.
            model: name of a model from `models`; empty for the one the page opened with.
            force: make the model imagine.
            seed: seeds sampling.
            max_new_tokens: the most tokens said.
            latents: also return the latent vectors.

        Returns:
            The run before ("baseline") and after ("edited"), a verdict, and for each edit a
            receipt of the dose that was delivered.
        """
        with self.answering.turn(
            model, image=image, question=question, example=example, force=force, seed=seed,
            max_new_tokens=max_new_tokens, latents=latents,
        ) as (room, made, cancel):  # fmt: skip
            base = self.answering.ask(
                room, made, cancel, image, question, example, force, seed, max_new_tokens
            )
            child = self.answering.edit(room, made, cancel, base, edits)
            return {
                "baseline": plain(base, latents),
                "edited": plain(child, latents),
                "verdict": badge(base, child),
                "receipts": [asdict(receipt) for receipt in child.receipts],
            }

    def score(
        self,
        options: list[str],
        image: str = "",
        question: str = "",
        edits: list[dict] | None = None,
        example: int = 0,
        model: str = "",
        force: bool = False,
    ) -> dict:
        """Log-probability of each answer option after the model's own, or edited, imagination.

        Args:
            options: the answers to compare, such as ["left", "right"].
            image: the picture, base64 or a data: address; leave empty with an example.
            question: the question; with an example, empty takes the example's own.
            edits: as in `branch`; leave out to score the run as it was.
            example: number of a built-in example, from 1; 0 for none.
            model: name of a model from `models`; empty for the one the page opened with.
            force: make the model imagine.

        Returns:
            Option to log-probability in nats.
        """
        with self.answering.turn(
            model, options=options, image=image, question=question, example=example, force=force
        ) as (room, made, cancel):
            self.bounds.check_options(options)
            trace = self.answering.ask(room, made, cancel, image, question, example, force, 0, 256)
            trace = self.answering.edit(room, made, cancel, trace, edits) if edits else trace
            return room.sharing.score(trace, [str(o) for o in options])


def plain(trace: Trace, latents: bool = False) -> dict:
    """A run as JSON."""
    spans = []
    for span in trace.spans:
        entry: dict[str, Any] = {
            "start": span.start,
            "steps": len(span),
            "ended_by": span.ended_by,
            "norms": [round(v, 4) for v in span.latents.norm(dim=1).tolist()],
        }
        if latents:
            entry["latents"] = span.latents.tolist()
        spans.append(entry)
    return {
        "answer": trace.answer,
        "answer_problem": trace.answer_problem,
        "text": trace.text,
        "pieces": list(trace.pieces),
        "token_ids": list(trace.token_ids),
        "spans": spans,
        "imagined": "".join(trace.pieces[slice(*trace.imagined)]) if trace.imagined else None,
        "ended_by": trace.ended_by,
        "model": trace.model,
        "family": trace.family,
    }
