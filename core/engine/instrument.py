"""A loaded model with everything a run needs, before anything is asked of it.

The model itself carries no state of a run: positions are explicit, every run has its own
cache, every row of a batch its own machine state. Two runs may interleave step by step. One
lock keeps two threads from using the device at the same instant, nothing more.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import torch
from torch import Tensor

from core.engine.cache import RowCache
from core.engine.device import Choice
from core.engine.loading import Loaded
from core.engine.loop import Loop
from core.engine.machine import TokenIds
from core.engine.options import settle_options
from core.engine.passes import Passes
from core.engine.pictures import Picture, read_picture
from core.engine.plan import Prepared as PreparedEdits
from core.engine.processor import Processor
from core.engine.prompts import Prepared, prepare
from core.engine.row import Row
from core.engine.store import Held, Store
from core.engine.tracing import Reader
from core.engine.turn import Turn
from core.errors import InputError
from core.families import Family
from core.records import Bank, Edit, Settings, Trace

if TYPE_CHECKING:
    from core.engine.engine import Engine

LogitsProcessor = Callable[[Tensor, Tensor], Tensor]
"""(token ids so far (B, n), raw scores (B, V)) → scores, as transformers' processors."""


class Editor(Protocol):
    """What turns edits into plans; :mod:`core.edits` provides it."""

    def __call__(self, engine: Engine, held: Held, edits: Sequence[Edit]) -> PreparedEdits: ...


class Instrument:
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
        decode: str = "eager",
        notes: tuple[str, ...] = (),
        bank: Bank | None = None,
    ) -> None:
        self.passes = Passes(loaded, decode)
        self.passes.splits = attention != "eager"  # the published order is one pass
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

    def prompt(self, image: Picture | None, question: str, system: str | None = None) -> Prepared:
        """Word and tokenise a question about a picture; see :func:`prompts.prepare`."""
        return prepare(self.processor, self.family, self.passes.merge, image, question, system)

    def settings(self, budget: int | None = None, **options: Any) -> Settings:
        """Settings with everything filled in that a run needs.

        Raises:
            BudgetError: a budget that makes no span.
            InputError: an option this family or program does not have.
        """
        return settle_options(self, budget, options)

    def patches(self, trace: Trace) -> Tensor:
        """The picture's merged patch embeddings, float32 (rows·columns, D), row by row."""
        held = self.store.get(trace)
        if held.patches is None:
            raise InputError("This run had no picture.")
        return held.patches.float().cpu()

    def see(self, image: Picture, like: Trace) -> Tensor:
        """Another picture as the tokens of a run's picture: float32 (rows·columns, D).

        The picture is stretched to the run's grid, so that each token has its counterpart.

        Raises:
            ImageError: it cannot be read. InputError: the run had no picture.
        """
        rows, columns = like.prompt.grid
        if self.processor is None or not rows * columns:
            raise InputError("This run had no picture that another could be put in the place of.")
        kind = self.processor.images
        side = int(kind.patch_size) * self.passes.merge
        picture = read_picture(image).resize((columns * side, rows * side))
        seen = kind(images=[picture], return_tensors="pt", do_resize=False)
        with self.lock, torch.no_grad():
            grid = seen["image_grid_thw"].to(self.passes.device)
            return self.passes.see(seen["pixel_values"], grid).float().cpu()

    def embed(self, token: int) -> Tensor:
        """The input embedding (D,) of a vocabulary token, float32 on the CPU."""
        return self.passes.embedding.weight[token].detach().float().cpu()

    def hold(self, trace: Trace) -> Held:
        """The held run behind ``trace``; see :class:`Store`."""
        return self.store.get(trace)

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
