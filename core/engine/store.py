"""What the engine keeps of its runs so that branching is cheap, bounded by bytes.

A run's cache, hidden states and machine states are held until newer runs need the room; then
they are dropped and, when a branch asks for them again, recomputed by replaying the run: the
same tokens forced, the same edits applied. What is needed for that (prompt tensors, a picture's
pixels and features among them, and the trace) stays longer, within a bound of its own; then the
least recently used runs are forgotten altogether. A run that was forgotten says so.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from threading import Lock
from typing import Any

from PIL import Image
from torch import Tensor

from core.engine.cache import RowCache
from core.engine.machine import RowState
from core.engine.standing import Standing
from core.errors import InputError
from core.records import Trace


@dataclass(eq=False)
class Live:
    """The heavy part of a run.

    Attributes:
        cache: keys and values of prompt and own slots.
        hidden: (D,) per pass; see :class:`core.engine.row.Row`.
        states: machine state per place.
        vectors: place → latent fed there (D,), on the model's device.
        standing: what earlier edits put in place, which branches keep.
    """

    cache: RowCache
    hidden: list[Tensor]
    states: list[RowState]
    vectors: dict[int, Tensor]
    standing: Standing = field(default_factory=Standing)

    @cached_property
    def nbytes(self) -> int:
        """Bytes, the shared prompt not counted. Counted once: nothing here grows once held."""
        return self.cache.own_bytes + sum(h.nbytes for h in self.hidden)


@dataclass(eq=False)
class Held:
    """One run as the engine knows it.

    Attributes:
        trace: the record.
        inputs: the prompt's tensors, shared by all runs on it.
        first_position: rotary position of the first own slot.
        padded_ids: the prompt ids as the logits processors saw them.
        patches: the picture's merged patch embeddings (n, D), or None.
        forced: place → id that was forced when the run was made.
        live: the heavy part, None when it was dropped.
        processor: the logits processors it was sampled under, which its branches meet too.
    """

    trace: Trace
    inputs: dict[str, Any]
    first_position: int
    padded_ids: list[int]
    patches: Tensor | None
    forced: dict[int, int] = field(default_factory=dict)
    live: Live | None = None
    processor: Callable[[Tensor, Tensor], Tensor] | None = None

    @cached_property
    def prompt_bytes(self) -> int:
        """Bytes of the prompt's tensors and the picture, which runs on one prompt share."""
        values = [*self.inputs.values(), self.patches]
        tensors = sum(value.nbytes for value in values if isinstance(value, Tensor))
        pictures = [value for value in values if isinstance(value, Image.Image)]
        return tensors + sum(p.width * p.height * len(p.getbands()) for p in pictures)


class Store:
    """Least recently used runs give way first.

    Args:
        most_bytes: of live parts, prompts counted once each.
        most_runs: of runs remembered at all.
        most_prompt_bytes: of prompt tensors and pictures, each counted once.
    """

    def __init__(
        self, most_bytes: int = 2 << 30, most_runs: int = 4096, most_prompt_bytes: int = 2 << 30
    ) -> None:
        self.most_bytes = most_bytes
        self.most_runs = most_runs
        self.most_prompt_bytes = most_prompt_bytes
        self._held: OrderedDict[str, Held] = OrderedDict()
        self._lock = Lock()

    def put(self, held: Held) -> None:
        """Remember a run, as the most recent."""
        with self._lock:
            self._held[held.trace.id] = held
            self._held.move_to_end(held.trace.id)
            self._trim(held.trace.id)

    def get(self, trace: Trace) -> Held:
        """What is known of ``trace``.

        Raises:
            InputError: when it was forgotten, or made by another engine.
        """
        with self._lock:
            held = self._held.get(trace.id)
            if held is None:
                raise InputError(
                    "This run is no longer held by the engine (or was made by another model); "
                    "run the question again, or hand the trace and its picture to engine.adopt."
                )
            self._held.move_to_end(trace.id)
            return held

    def by_id(self, name: str | None) -> Held | None:
        """A held run by its id, or None."""
        with self._lock:
            return self._held.get(name) if name else None

    def parent_of(self, trace: Trace) -> Held | None:
        """The held parent of a branch, if it is still remembered."""
        with self._lock:
            return self._held.get(trace.parent) if trace.parent else None

    def forget(self, *ids: str) -> None:
        """Drop runs by id; unknown ids are ignored."""
        with self._lock:
            for name in ids:
                self._held.pop(name, None)

    def clear(self) -> None:
        """Drop everything."""
        with self._lock:
            self._held.clear()

    def drop_live(self) -> None:
        """Drop every heavy part; the runs stay known and are replayed when needed."""
        with self._lock:
            for held in self._held.values():
                held.live = None

    @property
    def nbytes(self) -> int:
        """Bytes held on the device."""
        with self._lock:
            return self._bytes()

    @property
    def prompt_bytes(self) -> int:
        """Bytes of the prompts of all runs that are remembered."""
        with self._lock:
            return sum(size for size, _ in self._prompts().values())

    def __len__(self) -> int:
        return len(self._held)

    def _prompts(self) -> OrderedDict[int, tuple[int, list[str]]]:
        """Prompt → its bytes and the runs that share it, the least recently used first."""
        found: OrderedDict[int, tuple[int, list[str]]] = OrderedDict()
        for name, held in self._held.items():
            size, names = found.pop(id(held.inputs), (0, []))
            names.append(name)
            found[id(held.inputs)] = max(size, held.prompt_bytes), names
        return found

    def _bytes(self) -> int:
        prompts: dict[int, int] = {}
        own = 0
        for held in self._held.values():
            if held.live is not None:
                own += held.live.nbytes
                cache = held.live.cache
                if id(cache.prompt) not in prompts:
                    prompts[id(cache.prompt)] = cache.prompt_bytes
        return own + sum(prompts.values())

    def _trim(self, newest: str) -> None:
        while len(self._held) > self.most_runs:
            self._held.popitem(last=False)
        self._trim_prompts(newest)
        if self._bytes() <= self.most_bytes:
            return
        for name, held in self._held.items():
            if name != newest and held.live is not None:
                held.live = None
                if self._bytes() <= self.most_bytes:
                    return

    def _trim_prompts(self, newest: str) -> None:
        prompts = self._prompts()
        total = sum(size for size, _ in prompts.values())
        for size, names in prompts.values():
            if total <= self.most_prompt_bytes or newest in names:
                return
            total -= size
            for name in names:
                del self._held[name]
