"""Asking: from a picture and a question to a trace, at once, step by step, or many in a batch."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import replace
from threading import Event
from typing import Any

from torch import Tensor

from core.engine.decoding import Job, decode_all, decode_one
from core.engine.instrument import Instrument, LogitsProcessor
from core.engine.packing import Load, queues
from core.engine.pictures import Picture
from core.engine.prompts import batched
from core.engine.step import Step
from core.records import Prompt, Settings, Trace


class Asking(Instrument):
    """An instrument that answers."""

    def run(
        self,
        image: Picture | None,
        question: str,
        budget: int | None = None,
        force_latents: bool = False,
        seed: int = 0,
        max_new_tokens: int = 256,
        *,
        system: str | None = None,
        cancel: Event | None = None,
        **options: Any,
    ) -> Trace:
        """Answer one question about one picture.

        Args:
            image: see :func:`core.engine.pictures.read_picture`; None for text alone.
            question: the person's words.
            budget: latents a span is given; None for the family's published number.
            force_latents: make the start token the first thing the model says.
            seed: seeds every draw (temperature above 0).
            max_new_tokens: the most tokens recorded.
            system: replaces the system text.
            cancel: stops the run within one step when set.
            **options: further :class:`Settings` fields, e.g. ``temperature``.

        Raises:
            ImageError, QuestionError, BudgetError, MemoryShortage: one sentence each.
        """
        stream = self.stream(
            image,
            question,
            budget,
            force_latents,
            seed,
            max_new_tokens,
            system=system,
            cancel=cancel,
            watch=False,
            **options,
        )
        for step in stream:
            if step.trace is not None:
                return step.trace
        raise AssertionError("a stream always ends in its trace")

    def stream(
        self,
        image: Picture | None,
        question: str,
        budget: int | None = None,
        force_latents: bool = False,
        seed: int = 0,
        max_new_tokens: int = 256,
        *,
        system: str | None = None,
        cancel: Event | None = None,
        watch: bool = True,
        **options: Any,
    ) -> Generator[Step, Tensor | None, None]:
        """Like :meth:`run`, yielding every slot before it is fed.

        Where a step carries ``latent``, ``generator.send(vector)`` feeds ``vector`` (D,) in
        its place. The last step carries the trace.
        """
        prepared = self.prompt(image, question, system)
        settings = self.settings(
            budget=budget,
            force_latents=force_latents,
            seed=seed,
            max_new_tokens=max_new_tokens,
            **options,
        )
        job = self.job(prepared.inputs, settings, [prepared.prompt], cancel)
        yield from decode_one(self, job, watch)

    def run_many(
        self,
        questions: Sequence[tuple[Picture | None, str]],
        *,
        budget: int | None = None,
        system: str | None = None,
        cancel: Event | None = None,
        begins: Sequence[Sequence[int]] = (),
        **options: Any,
    ) -> list[Trace]:
        """Answer several questions in one batch, or in as many as there is room for; the same
        results as one by one.

        Args:
            questions: pictures with their questions.
            begins: token ids each run draws first whatever it would say, one list a question.
            budget, system, cancel, options: as in :meth:`run`.
        """
        if not questions:
            return []
        settings = self.settings(budget, **options)
        prepared = [self.prompt(image, question, system) for image, question in questions]
        most = settings.max_new_tokens
        loads = [Load(1, p.inputs["input_ids"].shape[1], most) for p in prepared]
        made: dict[int, Trace] = {}
        for queue in queues(self.passes, loads):
            places = sorted(queue.order[: queue.width])
            later = queue.order[queue.width :]
            inputs = batched([prepared[i].inputs for i in places])
            job = self.job(inputs, settings, [prepared[i].prompt for i in places], cancel)
            first = [begins[i] for i in places] if begins else ()
            waiting = [
                replace(
                    self.job(prepared[i].inputs, settings, [prepared[i].prompt], cancel),
                    begins=[begins[i]] if begins else (),
                )
                for i in later
            ]
            traces = decode_all(self, replace(job, begins=first), waiting)
            made.update(zip([*places, *later], traces, strict=True))
        return [made[i] for i in range(len(questions))]

    def job(
        self,
        inputs: Mapping[str, Any],
        settings: Settings,
        prompts: Sequence[Prompt],
        cancel: Event | None,
        processor: LogitsProcessor | None = None,
    ) -> Job:
        """What is to be decoded for prompts that were put into tensors."""
        begins = self.family.force_first and not settings.forbid_latents
        forced = self.forced_start() if begins or settings.force_latents else {}
        return Job(inputs, settings, prompts, forced, processor, cancel)
