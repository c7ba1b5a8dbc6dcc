"""The engine: one loaded model, asked questions, branched from, scored.

The model itself carries no state of a run: positions are explicit, every run has its own
cache, every row of a batch its own machine state. Two runs may interleave step by step. One
lock keeps two threads from using the device at the same instant, nothing more.

Decoding tensors (:meth:`Engine.decode`) is separate from wording prompts
(:meth:`Engine.run`), so that the loop can be checked against the published ones.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import replace
from threading import Event
from typing import Any, Protocol

import torch
from PIL import Image
from torch import Tensor

from core.engine.banking import collect_bank
from core.engine.branching import branch_rows
from core.engine.cache import RowCache
from core.engine.decoding import Copies, Job, LogitsProcessor, decode_all, decode_one, hold
from core.engine.device import Choice
from core.engine.loading import Loaded
from core.engine.loop import Loop, Step
from core.engine.machine import TokenIds
from core.engine.options import settle_options
from core.engine.passes import Passes
from core.engine.pictures import Picture
from core.engine.plan import Prepared as PreparedEdits
from core.engine.processor import Processor
from core.engine.prompts import Prepared, batched, prepare
from core.engine.replay import adopt, revive
from core.engine.row import Row
from core.engine.scoring import score_options
from core.engine.store import Held, Live, Store
from core.engine.tracing import Reader, make_trace
from core.engine.turn import Turn
from core.errors import InputError
from core.families import Family
from core.records import Bank, Edit, Prompt, Settings, Timings, Trace


class Editor(Protocol):
    """What turns edits into plans; :mod:`core.edits` provides it."""

    def __call__(self, engine: Engine, held: Held, edits: Sequence[Edit]) -> PreparedEdits: ...


class Engine:
    """A loaded model.

    Attributes:
        family: the decoding settings in force.
        ids: the family's special tokens in this checkpoint.
        budget: latents a span is given when nobody says otherwise.
        name: folder or hub id it was loaded from.
        notes: what a person should know about how it was loaded, a sentence each.
        bank: clean latents of this model, or None.
        store: the runs it holds.
    """

    def __init__(
        self,
        loaded: Loaded,
        processor: Processor | None,
        family: Family,
        ids: TokenIds,
        choice: Choice,
        editor: Editor,
        *,
        name: str,
        attention: str,
        budget: int,
        notes: tuple[str, ...] = (),
        bank: Bank | None = None,
    ) -> None:
        self.passes = Passes(loaded)
        self.loaded = loaded
        self.processor = processor
        self.family = family
        self.ids = ids
        self.choice = choice
        self.editor = editor
        self.name = name
        self.attention = attention
        self.budget = budget
        self.notes = notes
        self.bank = bank
        self.store = Store()
        self.lock = Turn()
        tokenizer = processor.tokenizer if processor else None
        silent = {ids.start, ids.end, ids.pad, *ids.markers, *ids.eos}
        if tokenizer is not None:
            silent |= set(tokenizer.all_special_ids)
        self.reader = Reader(tokenizer, family, frozenset(silent))

    # -- asking ---------------------------------------------------------------------------

    def prompt(self, image: Picture | None, question: str, system: str | None = None) -> Prepared:
        """Word and tokenise a question about a picture; see :func:`prompts.prepare`."""
        return prepare(self.processor, self.family, self.passes.merge, image, question, system)

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
        job = self._job(prepared.inputs, settings, [prepared.prompt], cancel)
        yield from decode_one(self, job, watch)

    def run_many(
        self,
        questions: Sequence[tuple[Picture | None, str]],
        *,
        budget: int | None = None,
        system: str | None = None,
        cancel: Event | None = None,
        **options: Any,
    ) -> list[Trace]:
        """Answer several questions in one batch; the same results as one by one.

        Args:
            questions: pictures with their questions.
            budget, system, cancel, options: as in :meth:`run`.
        """
        if not questions:
            return []
        settings = self.settings(budget, **options)
        prepared = [self.prompt(image, question, system) for image, question in questions]
        inputs = batched([p.inputs for p in prepared])
        prompts = [p.prompt for p in prepared]
        return decode_all(self, self._job(inputs, settings, prompts, cancel))

    def decode(
        self,
        inputs: Mapping[str, Any],
        logits_processor: LogitsProcessor | None = None,
        max_new_tokens: int = 256,
        budget: int | None = None,
        *,
        keep_logits: bool = False,
        cancel: Event | None = None,
        **options: Any,
    ) -> Any:
        """Decode tensors: what a processor makes goes in, traces come out.

        Args:
            inputs: ``input_ids`` (B, P), padded on the left, with ``attention_mask``,
                ``pixel_values``, ``image_grid_thw``, ``mm_token_type_ids`` as a processor
                makes them.
            logits_processor: transformers' ``LogitsProcessorList`` or any such callable.
            max_new_tokens: the most tokens recorded.
            budget: latents a span is given.
            keep_logits: keep the raw logits of every pass in ``trace.logits``.
            cancel: stops within one step when set.
            **options: further :class:`Settings` fields: ``strategy``, ``end_threshold``,
                ``criterion``, ``temperature``, ``seed``, …

        Returns:
            A trace for one row, a list of traces for several.
        """
        settings = self.settings(budget, max_new_tokens=max_new_tokens, **options)
        traces = decode_all(self, self._job(inputs, settings, (), cancel, logits_processor))
        if keep_logits:
            traces = [replace(t, logits=self.logits(t)) for t in traces]
        return traces[0] if len(traces) == 1 else traces

    # -- changing -------------------------------------------------------------------------

    def branch(self, trace: Trace, edits: Sequence[Edit], *, cancel: Event | None = None) -> Trace:
        """Apply ``edits`` to a run and decode on from the first edited step.

        The prefix is not recomputed and the parent not touched. See :mod:`core.edits`.

        Raises:
            EditError: an edit does not fit the run.
        """
        return self.branches(trace, [edits], cancel=cancel)[0]

    def branches(
        self,
        trace: Trace,
        edit_lists: Sequence[Sequence[Edit]],
        *,
        cancel: Event | None = None,
        keep: bool | None = None,
        replay: Trace | None = None,
    ) -> list[Trace]:
        """Several branches of one run in one batch; the same results as one by one.

        Args:
            trace: the run to branch from.
            edit_lists: one list of edits a branch.
            cancel: stops within one step when set.
            keep: hold the branches' caches so that they can be branched from at once;
                None holds them for up to 16 branches (others are replayed when needed).
            replay: a branch that is made again, token for token.
        """
        if not edit_lists:
            return []
        with self.lock:
            held = self.hold(trace)
            plans = [self.editor(self, held, edits) for edits in edit_lists]
            started = time.perf_counter()
            copies = Copies(len(plans) <= 16 if keep is None else keep)
            rows = branch_rows(self, held, plans, copies, cancel, replay)
            seconds = time.perf_counter() - started
            out = []
            for row, plan, edits in zip(rows, plans, edit_lists, strict=True):
                child = make_trace(
                    row,
                    self.reader,
                    trace.prompt,
                    self.name,
                    self.loaded.revision,
                    Timings(0.0, seconds / len(rows), len(row.tokens) - plan.plan.fork),
                    parent=trace,
                    edits=tuple(edits),
                    receipts=plan.receipts(row.hidden),
                )
                hold(
                    self,
                    child,
                    row,
                    copies.of(row),
                    held.inputs,
                    held.patches,
                    processor=held.processor,
                )
                out.append(child)
            return out

    def score(self, trace: Trace, options: Sequence[str]) -> dict[str, float]:
        """Log-probability (nats) of each answer option after this run's own Z and words.

        The run's transcript up to its answer is held; each option and the closing of the
        answer are scored in its place, all in one pass over the shared prefix.
        """
        with self.lock:
            return score_options(self, self.hold(trace), list(options))

    def build_bank(
        self,
        questions: Sequence[tuple[Picture | None, str]],
        source: str = "",
        *,
        progress: Callable[[int, int], None] | None = None,
        cancel: Event | None = None,
        **options: Any,
    ) -> Bank:
        """Collect this model's clean latents over many items and use them from now on.

        Args:
            questions: pictures with their questions.
            source: what they are, in words.
            progress: called with the number of items done and of all.
            cancel: stops between batches and within one step.
            options: as in :meth:`run_many`.

        Raises:
            InputError: no item made the model imagine.
        """
        self.bank = collect_bank(self, questions, source, progress, cancel, options)
        return self.bank

    # -- looking --------------------------------------------------------------------------

    def patches(self, trace: Trace) -> Tensor:
        """The picture's merged patch embeddings, float32 (rows·columns, D), row by row."""
        held = self.store.get(trace)
        if held.patches is None:
            raise InputError("This run had no picture.")
        return held.patches.float().cpu()

    def logits(self, trace: Trace) -> Tensor:
        """Raw float32 logits (N, V) of every pass of a run."""
        with self.lock:
            live = self.live(self.hold(trace))
            return self.passes.logits(torch.stack(live.hidden)).cpu()

    def embed(self, token: int) -> Tensor:
        """The input embedding (D,) of a vocabulary token, float32 on the CPU."""
        return self.passes.embedding.weight[token].detach().float().cpu()

    # -- holding runs ---------------------------------------------------------------------

    def hold(self, trace: Trace) -> Held:
        """The held run behind ``trace``; see :class:`Store`."""
        return self.store.get(trace)

    def live(self, held: Held) -> Live:
        """The heavy part of a held run, replayed when it was dropped."""
        if held.live is None:
            revive(self, held)
        assert held.live is not None
        return held.live

    def adopt(
        self, trace: Trace, image: Image.Image | None, ancestors: Sequence[Trace] = ()
    ) -> Trace:
        """Make a trace from a file (or another process) known, by replaying it.

        Raises:
            InputError: when the replay says something else than the trace does.
        """
        return adopt(self, trace, image, ancestors)

    # -- underneath -----------------------------------------------------------------------

    def settings(self, budget: int | None = None, **options: Any) -> Settings:
        """Settings with everything filled in that a run needs.

        Raises:
            BudgetError: a budget that makes no span.
            InputError: an option this family or program does not have.
        """
        return settle_options(self, budget, options)

    def loop(
        self,
        processor: LogitsProcessor | None = None,
        on_end: Callable[[Row, Callable[[], RowCache]], None] | None = None,
    ) -> Loop:
        """The decode loop over this model."""
        return Loop(self.passes, self.loaded.head, self.loaded.latent_end, processor, on_end)

    def forced_start(self) -> dict[int, int]:
        """Places and ids that make the model begin with its start token."""
        before = self.family.prompt.before_start
        lead = self.reader.encode(before) if before and self.reader.tokenizer else []
        return dict(enumerate([*lead, self.ids.start]))

    def _job(
        self,
        inputs: Mapping[str, Any],
        settings: Settings,
        prompts: Sequence[Prompt],
        cancel: Event | None,
        processor: LogitsProcessor | None = None,
    ) -> Job:
        begins = self.family.force_first and not settings.forbid_latents
        forced = self.forced_start() if begins or settings.force_latents else {}
        return Job(inputs, settings, prompts, forced, processor, cancel)
