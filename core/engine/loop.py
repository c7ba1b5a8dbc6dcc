"""The one decode loop: every family, every intervention, any number of rows.

Knows tensors and rows; knows nothing of text, pictures or what an edit means. A row ends by
itself, and a waiting one takes its place; when nobody waits and half of a batch has ended, the
rest goes on in a smaller one. Where it may, a batch grows for those who come while it runs.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from threading import Event

import torch
from torch import Tensor

from core.engine.cache import BranchCache, RowCache
from core.engine.head import Head
from core.engine.passes import Passes
from core.engine.row import Row
from core.engine.sampling import draw, likeliest
from core.engine.seating import Seat, join, seat
from core.engine.step import Step


@dataclass(eq=False)
class Loop:
    """A batch being decoded.

    Attributes:
        passes: the model.
        head: projection of latents, or None.
        latent_end: LVR's latent-end vector, or None.
        processor: transformers' logits processors, applied row by row to the ids so far
            (left padding included) and the raw scores.
        on_end: called with each row as it ends, and a function that copies its cache.
    """

    passes: Passes
    head: Head | None = None
    latent_end: Tensor | None = None
    processor: Callable[[Tensor, Tensor], Tensor] | None = None
    on_end: Callable[[Row, Callable[[], RowCache]], None] | None = None

    def run(
        self,
        rows: Sequence[Row],
        cache: BranchCache,
        cancel: Event | None = None,
        waiting: Iterator[Seat] | None = None,
    ) -> None:
        """Decode every row to its end, those that wait too. Rows must have settled their next
        token."""
        for live in self.rounds(rows, cache, cancel, waiting):
            self.enter_all(live)

    def settle(self, rows: Sequence[Row], hidden: Tensor) -> None:
        """Read the logits of (B, D) hidden states and choose each row's next token."""
        with self.passes.threads(hidden):
            self._settle(rows, hidden)

    def _settle(self, rows: Sequence[Row], hidden: Tensor) -> None:
        logits = self.passes.logits(hidden)  # (B, V)
        logprobs = logits.log_softmax(-1)
        beyond = []
        for b, (row, (first, likely)) in enumerate(
            zip(rows, likeliest(logits, logprobs), strict=True)
        ):
            row.hidden.append(hidden[b])
            token = row.settle(self._sample(row, logits[b], first), hidden[b], self.latent_end)
            row.top.append(tuple(likely.items()))
            row.logprobs.append(likely.get(token, 0.0))
            if token not in likely:
                beyond.append((b, token))
        if beyond:
            at, tokens = torch.tensor(beyond, device=logprobs.device).unbind(-1)
            for (b, _), value in zip(beyond, logprobs[at, tokens].tolist(), strict=True):
                rows[b].logprobs[-1] = value

    def steps(
        self,
        rows: Sequence[Row],
        cache: BranchCache,
        cancel: Event | None = None,
        waiting: Iterator[Seat] | None = None,
        widest: int = 0,
    ) -> Generator[tuple[Row, Step], Tensor | None, None]:
        """The loop as a generator of (row, step), one for every slot before it is fed.

        A vector sent in answer to a latent replaces it. Arguments are those of :meth:`rounds`.
        """
        for live in self.rounds(rows, cache, cancel, waiting, widest):
            for row in live:
                if row.ended:
                    continue
                sent = yield row, self.enter(row, watch=True)
                if sent is not None and row.pending is not None:
                    row.put(sent)

    def enter_all(self, live: Sequence[Row]) -> None:
        """Enter the next slots of a round that nobody watches."""
        for row in live:
            if not row.ended:
                self.enter(row, watch=False)

    def rounds(
        self,
        rows: Sequence[Row],
        cache: BranchCache,
        cancel: Event | None = None,
        waiting: Iterator[Seat] | None = None,
        widest: int = 0,
    ) -> Iterator[list[Row]]:
        """The loop pass by pass: the rows of the next one, which are to be entered before it
        is asked for; some of them may have ended.

        Args:
            cancel: stops all within one step when set.
            waiting: rows that take the places of those that end. It is asked again in every
                round, so it may have somebody later who is not there now.
            widest: rows up to which the batch grows for those who wait.
        """
        queue = iter(()) if waiting is None else waiting
        live = self._retire(list(rows), cache, queue, widest)
        while live:
            stopped = cancel is not None and cancel.is_set()
            for row in live:
                if not row.ended and (stopped or row.over):
                    row.end("cancelled")
            if stopped:
                self._retire(live, cache, iter(()))
                for left in queue:
                    if not left.row.ended:
                        left.row.end("cancelled")
                    self._report(left.row, left.cache)
                return
            live = self._retire(live, cache, queue, widest)
            if not live:
                return
            yield live
            hidden = self._feed(live, cache)
            open_ = [b for b, row in enumerate(live) if not row.ended]
            self.settle(
                [live[b] for b in open_], hidden[open_] if len(open_) < len(live) else hidden
            )
            live = self._retire(live, cache, queue, widest)

    def enter(self, row: Row, watch: bool) -> Step:
        """Give the plan its say about the latent to be fed; only who looks at it has it copied."""
        place = row.place - 1
        token = row.tokens[place]
        if row.pending is None:
            return Step(place, token)
        span, step = row.enter_slot()
        row.pending = row.standing.put.get((span, step), row.pending)
        if not watch and row.plan.replace is None:
            return Step(place, token, span=span, step=step)
        natural = row.pending.float().cpu()
        if row.plan.replace is not None:
            wanted = row.plan.replace(span, step, natural)
            if wanted is not natural:
                row.put(wanted)
                natural = wanted
        return Step(place, token, latent=natural, span=span, step=step)

    def _feed(self, live: Sequence[Row], cache: BranchCache) -> Tensor:
        """One pass over every row's next slot; returns (B, D) ready to read logits from."""
        device = self.passes.device
        starts = [row.first_position for row in live]
        tokens, positions = torch.tensor(
            [
                [row.tokens[-1] for row in live],
                [s + n for s, n in zip(starts, cache.lengths, strict=True)],
            ],
            device=device,
        )
        embeds = self.passes.embedding(tokens)  # (B, D)
        fed = {b: row.pending for b, row in enumerate(live) if not row.ended}
        vectors = {b: vector for b, vector in fed.items() if vector is not None}
        latent = list(vectors)
        for b, vector in vectors.items():
            live[b].vectors[live[b].place - 1] = vector
        if latent:
            index = torch.tensor(latent, device=device)
            together = torch.stack([vector.to(embeds) for vector in vectors.values()])
            embeds = embeds.index_copy(0, index, together)
        hidden = self.passes.decode(cache, embeds[:, None], positions[:, None])[:, -1]
        if self.head is not None and latent:
            hidden = hidden.index_copy(0, index, self.head(hidden[index]).to(hidden.dtype))
        return hidden

    def _sample(self, row: Row, logits: Tensor, best: int) -> int:
        place = row.place
        forced = row.forced.get(place, row.plan.forced.get(place))
        if forced is not None:
            return forced
        banned = row.plan.banned
        if row.settings.forbid_latents and row.ids.start >= 0:
            banned = (*banned, row.ids.start)
        if self.processor is None and not banned and row.settings.temperature <= 0:
            return best
        scores = logits.clone()
        if self.processor is not None:
            seen = torch.tensor([row.padded_ids + row.tokens], device=scores.device)
            scores = self.processor(seen, scores[None])[0]
        if banned:
            scores[list(banned)] = float("-inf")
            if not bool(scores.isfinite().any()):  # a processor forced what is banned here
                scores = logits.clone()
                scores[list(banned)] = float("-inf")
        return draw(scores, row.settings, place)

    def _retire(
        self, live: list[Row], cache: BranchCache, queue: Iterator[Seat], widest: int = 0
    ) -> list[Row]:
        """Report rows that have ended and give their places away, and places of their own while
        there is room; shrink the batch when nobody waits and at least half have ended."""
        for b in range(len(live)):
            while live[b].ended:
                if not live[b].reported:
                    self._report(live[b], _copier(cache, b))
                new = next(queue, None)
                if new is None:
                    break
                seat(cache, b, new)
                live[b] = _begun(new.row)
        while len(live) < widest:
            new = next(queue, None)
            if new is None:
                break
            join(cache, new)
            live = [*live, _begun(new.row)]
        going = [b for b, row in enumerate(live) if not row.ended]
        if not going:
            return []
        if len(going) <= len(live) // 2 and cache.own:
            cache.keep(going)
            return [live[b] for b in going]
        return live

    def _report(self, row: Row, copy: Callable[[], RowCache]) -> None:
        row.reported = True
        if self.on_end is not None:
            self.on_end(row, copy)


def _begun(row: Row) -> Row:
    """A row that takes its place; one that was stopped while it waited goes no further."""
    if not row.ended and row.over:
        row.end("cancelled")
    return row


def _copier(cache: BranchCache, index: int) -> Callable[[], RowCache]:
    return lambda: cache.row(index)
