"""Vectors a study keeps of its runs for figures and probes, beside its rows.

Every kind has a folder of safetensors files, one a block, written in one piece. How many items
are kept of is settled before the run, so that disk and memory do not grow with the data set.

* ``latents``: (K, D), the base runs' own, of :data:`KEPT_LATENTS` items;
* ``sites``: (2, D), the mean of the picture's patches and the hidden state the first word behind
  the latents is read from, of as many;
* ``layers``: (L′, K, D′), the hidden states of the latents' slots at :data:`MOST_LAYERS` depths
  at most, of as many, where the study looks inside its runs. D′ is at most :data:`MOST_WIDE`:
  wider models go through a random projection drawn once, which keeps what can be read off
  linearly (Johnson & Lindenstrauss 1984);
* ``around``: of :data:`SHOWN` items, the picture's patches and the question's words as they are
  fed, and the latents that edits of the content put in.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import torch
from safetensors.torch import save
from torch import Tensor

from core.engine import Engine
from core.engine.inspect import layer_states
from core.errors import RecordError
from core.records import Trace
from core.records.atomic import replacing
from core.study.arms import Arm

KEPT_LATENTS = 512
"""Items whose latents are kept for the figures."""
SHOWN = 24
"""Items whose patches, words and edited latents are kept for the map."""
MOST_LAYERS, MOST_WIDE = 9, 256
WORDS = 32
"""Words of a question at most, evenly spaced."""
APART = "\x1f"
"""Between the parts of a name in ``around``."""


@dataclass(eq=False)
class Kept:
    """What is kept of one block.

    Attributes:
        engine: what makes the runs.
        deep: whether hidden states are kept too.
        latents, sites, layers, around: name → vectors, see the module.
    """

    engine: Engine
    deep: bool = False
    latents: dict[str, Tensor] = field(default_factory=dict)
    sites: dict[str, Tensor] = field(default_factory=dict)
    layers: dict[str, Tensor] = field(default_factory=dict)
    around: dict[str, Tensor] = field(default_factory=dict)

    def base(self, place: int, name: str, trace: Trace) -> None:
        """Copy what is looked at of a base run before it is forgotten.

        Args:
            place: of the item in the data.
            name: of the item.
        """
        if not trace.spans or place >= KEPT_LATENTS:
            return
        span = trace.spans[0]
        self.latents[name] = span.latents
        held = self.engine.hold(trace)
        hidden = self.engine.live(held).hidden
        behind = trace.spans[-1].stop + 1
        if held.patches is not None and behind < len(hidden):
            mean = held.patches.float().mean(0).cpu()
            self.sites[name] = torch.stack([mean, hidden[behind].float().cpu()])
        if self.deep and span.stop > span.start:
            slots = list(range(span.start, span.stop))
            self.layers[name] = narrow(layer_states(self.engine, trace, slots))
        if place < SHOWN:
            if held.patches is not None:
                self.around[APART.join(("patches", name))] = held.patches.float().cpu()
            self.around[APART.join(("words", name))] = self._words(trace)

    def edited(self, place: int, name: str, arm: Arm, trace: Trace) -> None:
        """Copy the latents that an edit of the content put in."""
        wanted = arm.locus == "content" and arm.declared and arm.role == "effect"
        if place < SHOWN and wanted and arm.parent == "base" and trace.spans:
            self.around[APART.join(("edited", arm.name, name))] = trace.spans[0].latents

    def write(self, folder: Path, place: int) -> None:
        """Write what is kept of block ``place``, where it is not there yet.

        Raises:
            RecordError: it cannot be written.
        """
        try:
            for name, found in self._kinds():
                path = folder / name / f"{place}.safetensors"
                if path.exists() or not found:
                    continue
                path.parent.mkdir(parents=True, exist_ok=True)
                with replacing(path) as target:
                    target.write(save({item: value.contiguous() for item, value in found.items()}))
        except OSError as error:
            raise RecordError(
                f"Latents cannot be written to {folder} ({error.strerror or error}): see to that "
                "and run the study again; finished rows are kept."
            ) from error

    def _kinds(self) -> Iterator[tuple[str, dict[str, Tensor]]]:
        for name in ("latents", "sites", "layers", "around"):
            yield name, getattr(self, name)

    def _words(self, trace: Trace) -> Tensor:
        """The question's words as they are fed (n, D), the picture's places left out."""
        table = self.engine.passes.embedding.weight
        special = self.engine.passes.config.image_token_id
        words = torch.tensor([i for i in trace.prompt.input_ids if i != special])
        if len(words) > WORDS:
            words = words[torch.linspace(0, len(words) - 1, WORDS).long()]
        return table[words.to(table.device)].detach().float().cpu()


def narrow(states: Tensor) -> Tensor:
    """Hidden states (L + 1, K, D) at a few depths, the first and last among them, few numbers
    wide: (L′, K, D′)."""
    depths = depths_of(len(states))
    kept, width = states[depths], states.shape[-1]
    if width <= MOST_WIDE:
        return kept
    draw = torch.Generator().manual_seed(0)
    across = torch.randn(width, MOST_WIDE, generator=draw) / MOST_WIDE**0.5
    return kept @ across


def depths_of(count: int) -> list[int]:
    """Which of ``count`` depths are kept: all, or :data:`MOST_LAYERS` evenly spaced."""
    if count <= MOST_LAYERS:
        return list(range(count))
    return torch.linspace(0, count - 1, MOST_LAYERS).round().long().tolist()
