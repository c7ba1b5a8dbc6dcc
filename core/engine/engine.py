"""The engine: one loaded model, asked questions, branched from, scored.

What it is made of stands in :mod:`core.engine.instrument`, asking it in
:mod:`core.engine.asking`; here is what is done with a run once there is one. Decoding tensors
(:meth:`Engine.decode`) is separate from wording prompts (:meth:`Engine.run`), so that the loop
can be checked against the published ones.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from threading import Event
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from core.engine.asking import Asking
from core.engine.banking import collect_bank
from core.engine.branching import decode_forks, forks
from core.engine.children import child
from core.engine.decoding import Copies, decode_all
from core.engine.forced import forced_logits
from core.engine.instrument import LogitsProcessor
from core.engine.pictures import Picture
from core.engine.replay import adopt, revive
from core.engine.scoring import score_options
from core.engine.store import Held, Live
from core.records import Bank, Edit, Trace


class Engine(Asking):
    """A loaded model that is asked, branched from and scored; see :func:`core.load`."""

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
        traces = decode_all(self, self.job(inputs, settings, (), cancel, logits_processor))
        if keep_logits:
            traces = [replace(t, logits=self.logits(t)) for t in traces]
        return traces[0] if len(traces) == 1 else traces

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
            begun = forks(self, held, plans, replay)
            decode_forks(self, begun, copies, cancel)
            seconds = (time.perf_counter() - started) / len(begun)
            return [
                child(self, fork, edits, copies.of(fork.seat.row), seconds)
                for fork, edits in zip(begun, edit_lists, strict=True)
            ]

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

    def logits(self, trace: Trace) -> Tensor:
        """Raw float32 logits (N, V) of every pass of a run."""
        with self.lock:
            live = self.live(self.hold(trace))
            return self.passes.logits(torch.stack(live.hidden)).cpu()

    def forced_logits(self, traces: Sequence[Trace], base: Trace) -> list[Tensor]:
        """What each run would have said at each of the base's answer tokens.

        The base's words are fed behind each run's own imagination (teacher forcing), so that
        row u of every table predicts the same word: for the token-wise KL
        (:func:`core.measures.outcome.token_kl`) and the change of the NLL of each answer token.

        Args:
            traces: runs held by this engine, as a rule branches of ``base``; it may be among
                them.
            base: whose words are forced: those behind its imagination, its markers and the end
                of the text left out.

        Returns:
            A table a run: raw logits float32 (n, V) on the CPU, n the number of the words.

        Raises:
            InputError: the base said no words, or a run ended inside its span.
        """
        with self.lock:
            return forced_logits(self, traces, base)

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
