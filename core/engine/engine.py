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
from threading import Event, RLock
from typing import Any, Protocol

import torch
from PIL import Image
from torch import Tensor

from core.engine.banking import collect_bank
from core.engine.branching import branch_rows
from core.engine.cache import RowCache
from core.engine.device import Choice
from core.engine.handmade import HandMade, checked_vector, hand_made_record
from core.engine.loading import Loaded
from core.engine.loop import Loop, Step
from core.engine.machine import TokenIds, opened
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
from core.errors import BudgetError, InputError
from core.families import Family
from core.records import Bank, Edit, Prompt, Settings, Timings, Trace

LogitsProcessor = Callable[[Tensor, Tensor], Tensor]
MOST_LATENTS = 4096


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
        self.lock = RLock()
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
        forced = self._forced_start() if force_latents else {}
        yield from self._decode_one(
            prepared.inputs, prepared.prompt, settings, forced, None, cancel, watch
        )

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
        settings = self.settings(budget=budget, **options)
        forced = self._forced_start() if settings.force_latents else {}
        prepared = [self.prompt(image, question, system) for image, question in questions]
        inputs = batched([p.inputs for p in prepared])
        prompts = [p.prompt for p in prepared]
        return self.decode_rows(inputs, settings, forced, None, cancel, prompts)

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
        settings = self.settings(budget=budget, max_new_tokens=max_new_tokens, **options)
        forced = self._forced_start() if settings.force_latents else {}
        traces = self.decode_rows(inputs, settings, forced, logits_processor, cancel)
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
        forced: Mapping[int, int] | None = None,
    ) -> list[Trace]:
        """Several branches of one run in one batch; the same results as one by one.

        Args:
            trace: the run to branch from.
            edit_lists: one list of edits a branch.
            cancel: stops within one step when set.
            keep: hold the branches' caches so that they can be branched from at once;
                None holds them for up to 16 branches (others are replayed when needed).
            forced: place → id the sampler is made to draw (used when replaying).
        """
        if not edit_lists:
            return []
        with self.lock:
            held = self.hold(trace)
            plans = [self.editor(self, held, edits) for edits in edit_lists]
            started = time.perf_counter()
            rows, caches = branch_rows(self, held, plans, cancel, dict(forced or {}))
            seconds = time.perf_counter() - started
            keep = len(rows) <= 16 if keep is None else keep
            out = []
            for row, cache, plan, edits in zip(rows, caches, plans, edit_lists, strict=True):
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
                self._keep(child, row, cache, held.inputs, held.patches, live=keep)
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
        budget = self.budget if budget is None else budget
        if self.family.latent and not 1 <= budget <= MOST_LATENTS:
            raise BudgetError(
                f"A span of {budget} latents cannot be decoded; ask for 1 to {MOST_LATENTS}, or "
                "use the edit “forbid” to see the answer without imagining."
            )
        if options.get("strategy") is None and self.family.strategies:
            options["strategy"] = self.family.strategies[0]
        strategy = options.get("strategy")
        if strategy is not None and strategy not in self.family.strategies:
            raise InputError(f"Family {self.family.name} has no strategy “{strategy}”.")
        if strategy == "latent" and self.loaded.latent_end is None:
            raise InputError(
                "Strategy “latent” needs the vector lvr_latent_end_emb, which this checkpoint "
                "does not have; use strategy “steps”."
            )
        if options.get("criterion", "mse") not in ("mse", "mae", "cosine"):
            raise InputError("The criterion must be mse, mae or cosine.")
        try:
            settings = Settings(
                budget=budget if self.family.latent else None,
                dtype=self.choice.dtype_name,
                attention=self.attention,
                device=self.choice.device,
                **options,
            )
        except TypeError as error:
            raise InputError(f"That setting does not exist ({error}).") from error
        if settings.max_new_tokens < 1:
            raise InputError("max_new_tokens must be at least 1.")
        if settings.temperature < 0 or not 0 < settings.top_p <= 1 or settings.top_k < 0:
            raise InputError("temperature and top_k must be 0 or more, top_p in (0, 1].")
        if settings.force_latents and not self.family.latent:
            raise InputError(f"{self.family.title} has no latent span to force.")
        return settings

    def decode_rows(
        self,
        inputs: Mapping[str, Any],
        settings: Settings,
        forced: Mapping[int, int],
        processor: LogitsProcessor | None,
        cancel: Event | None,
        prompts: Sequence[Prompt] | None = None,
    ) -> list[Trace]:
        """Decode a batch of prompts to its end; :meth:`decode` for the arguments."""
        count = int(torch.as_tensor(inputs["input_ids"]).shape[0])
        if count == 1:
            prompt = prompts[0] if prompts else None
            stream = self._decode_one(inputs, prompt, settings, forced, processor, cancel, False)
            return [step.trace for step in stream if step.trace is not None]
        with self.lock:
            rows, loop, cache, copies, start = self._open(inputs, settings, forced, processor)
            prompt_seconds = time.perf_counter() - start
            loop.run(rows, cache[0], cancel)
            seconds = time.perf_counter() - start - prompt_seconds
            return [
                self._finish(
                    row,
                    copies[id(row)](),
                    _row_inputs(inputs, b, self.passes.merge, self.passes.config.image_token_id),
                    prompts[b] if prompts else None,
                    cache[1][b],
                    cache[2][b],
                    Timings(prompt_seconds / count, seconds / count, len(row.tokens)),
                    forced,
                )
                for b, row in enumerate(rows)
            ]

    def _decode_one(
        self,
        inputs: Mapping[str, Any],
        prompt: Prompt | None,
        settings: Settings,
        forced: Mapping[int, int],
        processor: LogitsProcessor | None,
        cancel: Event | None,
        watch: bool,
    ) -> Generator[Step, Tensor | None, None]:
        with self.lock:
            rows, loop, cache, copies, start = self._open(inputs, settings, forced, processor)
        prompt_seconds = time.perf_counter() - start
        row = rows[0]
        steps = loop.steps(rows, cache[0], cancel, watch=watch)
        sent: Tensor | None = None
        by_hand: list[HandMade] = []
        try:
            while True:
                # the lock is held for one step at a time, so that runs may interleave
                with self.lock:
                    _, step = steps.send(sent) if sent is not None else next(steps)
                sent = yield replace(step, piece=self.reader.piece(step.token_id))
                if sent is not None and step.latent is not None:
                    sent = checked_vector(sent, self.passes.width)
                    by_hand.append(HandMade(step.span, step.step, step.latent, sent))
        except StopIteration:
            pass
        seconds = time.perf_counter() - start - prompt_seconds
        trace = self._finish(
            row,
            copies[id(row)](),
            dict(inputs),
            prompt,
            cache[1][0],
            cache[2][0],
            Timings(prompt_seconds, seconds, len(row.tokens)),
            forced,
            by_hand,
        )
        last = len(row.tokens) - 1
        token = row.tokens[last]
        yield Step(last, token, self.reader.piece(token), trace=trace)

    def _open(
        self,
        inputs: Mapping[str, Any],
        settings: Settings,
        forced: Mapping[int, int],
        processor: LogitsProcessor | None,
    ) -> tuple[list[Row], Loop, tuple[Any, Any, Any], dict[int, Callable[[], RowCache]], float]:
        """Run the prompt pass and choose every row's first token."""
        start = time.perf_counter()
        done = self.passes.prefill(inputs)
        ids = torch.as_tensor(inputs["input_ids"])
        mask = inputs.get("attention_mask")
        mask = torch.ones_like(ids) if mask is None else torch.as_tensor(mask)
        budget = settings.budget or 0
        rows = []
        for b in range(ids.shape[0]):
            padded = ids[b].tolist()
            state = opened(self.family, budget)
            row = Row(
                self.family,
                self.ids,
                settings,
                state,
                [t for t, seen in zip(padded, mask[b].tolist(), strict=True) if seen],
                padded,
                done.next_position[b],
                forced=dict(forced),
                usual_budget=state.budget,
            )
            rows.append(row)
        copies: dict[int, Callable[[], RowCache]] = {}

        def on_end(row: Row, copy: Callable[[], RowCache]) -> None:
            held = copy()
            copies[id(row)] = lambda: held

        loop = self.loop(processor, on_end)
        loop.settle(rows, done.hidden)
        return rows, loop, (done.cache, done.patches, done.grids), copies, start

    def loop(
        self,
        processor: LogitsProcessor | None = None,
        on_end: Callable[[Row, Callable[[], RowCache]], None] | None = None,
    ) -> Loop:
        """The decode loop over this model."""
        return Loop(self.passes, self.loaded.head, self.loaded.latent_end, processor, on_end)

    def _finish(
        self,
        row: Row,
        cache: RowCache,
        inputs: dict[str, Any],
        prompt: Prompt | None,
        patches: Tensor | None,
        grid: tuple[int, int],
        timings: Timings,
        forced: Mapping[int, int],
        by_hand: Sequence[HandMade] = (),
    ) -> Trace:
        prompt = prompt or Prompt(grid=grid, input_ids=tuple(row.prompt_ids))
        edits, receipts = hand_made_record(by_hand)
        trace = make_trace(
            row,
            self.reader,
            prompt,
            self.name,
            self.loaded.revision,
            timings,
            edits=edits,
            receipts=receipts,
        )
        self._keep(trace, row, cache, inputs, patches, forced=forced)
        return trace

    def _keep(
        self,
        trace: Trace,
        row: Row,
        cache: RowCache,
        inputs: dict[str, Any],
        patches: Tensor | None,
        forced: Mapping[int, int] | None = None,
        live: bool = True,
    ) -> None:
        part = Live(cache, list(row.hidden), list(row.states), dict(row.vectors))
        self.store.put(
            Held(
                trace,
                inputs,
                row.first_position,
                row.padded_ids,
                patches,
                dict(forced or {}),
                part if live else None,
            )
        )

    def _forced_start(self) -> dict[int, int]:
        """Places and ids that make the model begin with its start token."""
        before = self.family.prompt.before_start
        lead = self.reader.encode(before) if before and self.reader.tokenizer else []
        return dict(enumerate([*lead, self.ids.start]))


def _row_inputs(inputs: Mapping[str, Any], b: int, merge: int, image_token: int) -> dict[str, Any]:
    """One row of a batch as a batch of its own, padding removed."""
    ids = torch.as_tensor(inputs["input_ids"])
    mask = inputs.get("attention_mask")
    seen = (torch.ones_like(ids) if mask is None else torch.as_tensor(mask)).bool()
    out: dict[str, Any] = {"input_ids": ids[b, seen[b]][None]}
    if inputs.get("image_grid_thw") is None:
        return out
    grid = torch.as_tensor(inputs["image_grid_thw"])
    pixels = torch.as_tensor(inputs["pixel_values"])
    tokens = (ids == image_token) & seen
    merged = (grid.prod(-1) // merge**2).tolist()
    picture, patch = 0, 0
    for row in range(b + 1):
        need = int(tokens[row].sum())
        first_picture, first_patch = picture, patch
        while need > 0 and picture < len(merged):
            need -= merged[picture]
            patch += int(grid[picture].prod())
            picture += 1
    out["image_grid_thw"] = grid[first_picture:picture]
    out["pixel_values"] = pixels[first_patch:patch]
    return out
