"""The decode step of one slot a row, recorded once as a CUDA graph and replayed.

Decoding one slot of a 7B model eagerly means two thousand kernel launches, which take the host
several times as long as the device takes to read the weights. A graph is one launch. What
differs between steps is data at fixed addresses: what is fed, where it stands, how many slots
each row holds (:mod:`core.engine.static`). A latent fed back and a word are the same step, so
are a fork and a whole run.

The graph is recorded per shape, shapes are rounded up, the least recently used give way. Where a
step cannot be replayed, :meth:`Captured.step` says so and the eager step does it, with the same
results: on a CPU or an Apple GPU, over several devices, with quantised weights, while somebody
looks inside with hooks, with edges cut, with the reference kernel, when recording failed, or when
the first slot does not come out as from the plain step.

``"static"`` runs the very same step without recording it, on any device: that is how it is
checked where there is no GPU.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from threading import Lock
from typing import Any

import torch
from torch import Tensor

from core.engine.cache import BranchCache
from core.engine.static import Shape, StaticCache
from core.engine.watched import Watch
from core.errors import InputError

MOST_STEPS = 32
"""Shapes kept; a graph of a 7B model costs some tens of megabytes beside its buffers."""
MOST_BYTES = 2 << 30
"""Of the buffers of one shape; a larger batch keeps the device busy without a graph."""
ALL_BYTES = 4 << 30
"""Of the buffers of all shapes."""
WARM_UPS = 2
RECOMPILES = 64
EXACT, ROUNDED = 1e-3, 5e-2
"""How far a recorded step may lie from the plain one, as a share of its length: in float32, and
in 16 bits, where fused kernels round less often."""

_RECORDING = Lock()  # a process may record one graph at a time, whatever its engines do

MODES = ("eager", "static", "graph", "compiled")


def decoding_mode(wanted: str, model: Any, attention: str) -> str:
    """The mode a model is decoded in.

    Args:
        wanted: ``"auto"`` or one of ``MODES``.
        model: native ``Qwen2_5_VLForConditionalGeneration``.
        attention: kernel of the prompt pass; the reference kernel is never captured.

    Raises:
        InputError: an unknown mode, or one this model cannot be decoded in.
    """
    if wanted not in ("auto", *MODES):
        raise InputError(f"Decoding “{wanted}” is unknown; choose auto, {', '.join(MODES)}.")
    places = set(getattr(model, "hf_device_map", {}).values())
    why = ""
    if attention == "eager":
        why = "the reference attention has to be computed in its own order"
    elif len(places) > 1:
        why = "the model lies on several devices"
    elif getattr(model, "is_quantized", False):
        why = "quantised weights are unpacked on the way"
    elif wanted == "graph" and model.device.type != "cuda":
        why = "it needs a CUDA device"
    if why and wanted in ("auto", "eager"):
        return "eager"
    if why:
        raise InputError(f"Decoding “{wanted}” is not possible: {why}; choose eager or auto.")
    if wanted != "auto":
        return wanted
    return "graph" if model.device.type == "cuda" else "eager"


class Captured:
    """Captured steps of one language model.

    Args:
        language: the decoder, called as transformers calls it.
        mode: ``"graph"`` records CUDA graphs, ``"compiled"`` fuses kernels with torch.compile
            first (half a minute a shape, for long studies), or does not where that fails,
            ``"static"`` only runs the step, ``"eager"`` refuses all.

    Attributes:
        refused: why a step was last refused, "" when none was.
    """

    def __init__(self, language: Any, mode: str = "eager") -> None:
        self.mode = mode
        self.refused = ""
        self._language = language
        self._steps: OrderedDict[Shape, _Step] = OrderedDict()
        self._failed: set[Shape] = set()
        self._pool: Any = None
        self._stream: torch.cuda.Stream | None = None
        self._watch = Watch(language)

    def step(self, cache: BranchCache, embeds: Tensor, positions: Tensor) -> Tensor | None:
        """Feed (B, 1, D) behind the rows of ``cache``; None when that has to be done eagerly.

        Args:
            positions: (B, 1) rotary positions, the same on all three axes.

        Returns:
            Hidden states (B, 1, D), post-norm; the caller's own.
        """
        if self.mode == "eager":
            return None
        if any(cache.cuts) or self._watch.anybody or positions.ndim != 2:
            self.refused = "edges are cut or hooks look inside"
            return None
        shape = Shape.of(cache)
        if shape in self._failed or shape.nbytes(cache) > MOST_BYTES:
            self.refused = self.refused or "the batch is large"
            return None
        step = self._steps.get(shape) or self._made(shape, cache, embeds)
        if step is None:
            return None
        self._steps.move_to_end(shape)
        step.cache.house(cache)
        if not step.trusted and not step.agrees(embeds, positions):
            del self._steps[shape]
            self._failed.add(shape)
            self.refused = "the recorded step does not give what the step itself gives"
            return None
        hidden = step(embeds, positions)
        cache.advance(1)
        return hidden

    def __len__(self) -> int:
        return len(self._steps)

    def _made(self, shape: Shape, cache: BranchCache, embeds: Tensor) -> _Step | None:
        """A step for a new shape; None when it cannot be recorded, which is remembered."""
        needed = shape.nbytes(cache)
        held = {known: known.nbytes(cache) for known in self._steps}
        while held and (len(held) >= MOST_STEPS or sum(held.values()) + needed > ALL_BYTES):
            first = next(iter(held))
            del held[first], self._steps[first]
        ways = [_compiled(), through_modules] if self.mode == "compiled" else [through_modules]
        for way in ways:
            try:
                step = _Step(self._language, StaticCache(shape, cache), embeds, way)
                if way is not through_modules:
                    step.warm()
                if embeds.is_cuda and self.mode != "static":
                    step.record(*self._place(embeds.device))
            except Exception as error:  # a driver, a compiler: anything may refuse, the run goes on
                self.refused = f"{type(error).__name__}: {error}".splitlines()[0]
                continue
            self._steps[shape] = step
            return step
        self._failed.add(shape)
        return None

    def _place(self, device: torch.device) -> tuple[Any, torch.cuda.Stream]:
        """The memory all graphs use between them, and the stream they are recorded on: one of
        ours, as torch's own belongs to the first device that recorded anything."""
        if self._stream is None:
            self._pool, self._stream = torch.cuda.graph_pool_handle(), torch.cuda.Stream(device)
        return self._pool, self._stream


class _Step:
    """One shape's buffers with the pass over them."""

    def __init__(
        self, language: Any, cache: StaticCache, like: Tensor, run: Callable[..., Tensor]
    ) -> None:
        rows = cache.shape.rows
        self.cache = cache
        self.embeds = like.new_zeros(rows, 1, like.shape[-1])
        self.positions = torch.zeros(rows, 1, dtype=torch.long, device=like.device)
        self.hidden = torch.zeros_like(self.embeds)
        self._language = language
        self._run = run
        self._graph: torch.cuda.CUDAGraph | None = None
        self._agreed = False

    @property
    def trusted(self) -> bool:
        """Whether it does what the plain step does: is it, or was found to agree with it."""
        return self._agreed or (self._graph is None and self._run is through_modules)

    @torch.no_grad()
    def agrees(self, embeds: Tensor, positions: Tensor) -> bool:
        """Whether the first real slot comes out as from the plain step; nothing is counted.

        A recording that went wrong raises nothing, it returns other numbers: the one check that
        a person with another driver gets.
        """
        rows, held = self._take(embeds, positions), self.cache.held.clone()
        plain = through_modules(self._language, self.cache, self.embeds, self.positions)[
            :rows
        ].float()
        self.cache.held.copy_(held)
        self._do()
        self.cache.held.copy_(held)
        apart = (self.hidden[:rows].float() - plain).norm(dim=-1) / plain.norm(dim=-1)
        most = EXACT if self.hidden.dtype == torch.float32 else ROUNDED
        self._agreed = bool((apart < most).all())  # no number is not less
        return self._agreed

    @torch.no_grad()
    def __call__(self, embeds: Tensor, positions: Tensor) -> Tensor:
        rows = self._take(embeds, positions)
        self._do()
        self.cache.count()
        return self.hidden[:rows].clone()

    def _take(self, embeds: Tensor, positions: Tensor) -> int:
        rows = embeds.shape[0]
        self.embeds[:rows] = embeds
        self.positions[:rows] = positions
        return rows

    def _do(self) -> None:
        if self._graph is not None:
            self._graph.replay()
        else:
            self._pass()

    @torch.no_grad()
    def warm(self) -> None:
        """Run the pass once, for what happens on first use."""
        self._pass()

    @torch.no_grad()
    def record(self, pool: Any, stream: torch.cuda.Stream) -> None:
        """Run the pass a few times, as libraries set themselves up on first use, and record it.

        Nothing of the graph's own memory is read after a replay, so all graphs may use one
        ``pool`` in any order. Only this thread's calls may disturb the recording.
        """
        with _RECORDING, torch.cuda.device(self.embeds.device):
            stream.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(stream):
                for _ in range(WARM_UPS):
                    self._pass()
            torch.cuda.current_stream().wait_stream(stream)
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(
                graph, pool=pool, stream=stream, capture_error_mode="thread_local"
            ):
                self._pass()
        self._graph = graph

    def _pass(self) -> None:
        self.hidden.copy_(self._run(self._language, self.cache, self.embeds, self.positions))
        self.cache.held.add_(1)


def through_modules(language: Any, cache: Any, embeds: Tensor, positions: Tensor) -> Tensor:
    """(B, q, D) behind a decoding cache → hidden states (B, q, D), as transformers makes them.

    Args:
        positions: (B, q) or (3, B, q) rotary positions.
    """
    out = language(
        inputs_embeds=embeds,
        attention_mask={"full_attention": None, "sliding_attention": None},
        position_ids=positions if positions.ndim == 3 else positions.expand(3, -1, -1),
        past_key_values=cache,
        use_cache=True,
        branch_cache=cache,
    )
    hidden: Tensor = out.last_hidden_state
    return hidden


def _compiled() -> Callable[..., Tensor]:
    """:func:`through_modules` through torch.compile, kernels fused.

    Recorded by us and not by ``mode="reduce-overhead"``, whose own graphs refuse inputs that
    are written to, as every cache is (pytorch/pytorch issue 120733).
    """
    fused = torch.compile(through_modules, dynamic=False, fullgraph=True)

    def run(language: Any, cache: StaticCache, embeds: Tensor, positions: Tensor) -> Tensor:
        # every shape is compiled for itself, which counts as a recompilation
        with torch._dynamo.config.patch(recompile_limit=RECOMPILES):
            out: Tensor = fused(language, cache, embeds, positions)
        return out

    return run
