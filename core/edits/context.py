"""What an edit may look at: the run it is applied to, the model's embeddings, the bank."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from core.engine import Engine
from core.engine.store import Held
from core.errors import EditError
from core.records import Bank, Edit, Span, Trace


@dataclass(frozen=True, eq=False)
class Context:
    """The parent run as edits see it."""

    engine: Engine
    held: Held

    @property
    def trace(self) -> Trace:
        """The parent run."""
        return self.held.trace

    @property
    def width(self) -> int:
        """D."""
        return self.engine.passes.width

    def span(self, edit: Edit) -> Span:
        """The span an edit addresses.

        Raises:
            EditError: the run has no such span.
        """
        spans = self.trace.spans
        if not spans:
            raise EditError(
                "This run opened no latent span, so there is nothing to edit; run it again with "
                "force_latents (“force a span”)."
            )
        if not 0 <= edit.span < len(spans):
            raise EditError(
                f"Span {edit.span + 1} does not exist: this run has {len(spans)} latent span(s)."
            )
        return spans[edit.span]

    def steps(self, edit: Edit) -> tuple[int, ...]:
        """The steps an edit addresses, in order.

        Raises:
            EditError: a step outside the span, or none.
        """
        count = len(self.span(edit))
        if edit.steps is None:
            return tuple(range(count))
        steps = tuple(sorted(set(edit.steps)))
        if not steps:
            raise EditError("Choose at least one latent step.")
        outside = [s for s in steps if not 0 <= s < count]
        if outside:
            raise EditError(
                f"Step {outside[0] + 1} is outside the span, which has {count} latents "
                f"(steps 1 to {count}; 0 to {count - 1} in Python)."
            )
        return steps

    def layers(self, edit: Edit) -> tuple[int, int]:
        """The (first, stop) layer window of an edit; all layers where it names none.

        Raises:
            EditError: the window is empty or reaches outside the model.
        """
        count = self.engine.passes.layers
        window = (0, count) if edit.layers is None else tuple(edit.layers)
        if len(window) != 2 or not 0 <= window[0] < window[1] <= count:
            raise EditError(f"The layer window must be (first, stop) within 0 to {count}.")
        return int(window[0]), int(window[1])

    def bank(self, edit: Edit) -> Bank:
        """The bank of clean latents.

        Raises:
            EditError: this model has none.
        """
        if self.engine.bank is None:
            raise EditError(
                f"Edit “{edit.kind}” needs a bank of this model's clean latents; build one with "
                "engine.build_bank(items)."
            )
        return self.engine.bank

    def donor(self, edit: Edit) -> Tensor:
        """The donor latents (K, D).

        Raises:
            EditError: none was given, or they have another width.
        """
        if not isinstance(edit.donor, Tensor):
            raise EditError(f"Edit “{edit.kind}” needs a donor: another run that imagined.")
        return self.table(edit.donor, "The donor")

    def table(self, vectors: Tensor, what: str) -> Tensor:
        """``vectors`` as (n, D).

        Raises:
            EditError: another width, or NaN or infinity among the numbers.
        """
        rows = vectors if vectors.ndim == 2 else vectors[None]
        if rows.shape[1] != self.width:
            raise EditError(
                f"{what} has latents of width {rows.shape[1]}; this model's have {self.width}."
            )
        if not bool(rows.isfinite().all()):
            raise EditError(f"{what} holds numbers that are not finite.")
        return rows

    def noise(self, edit: Edit, step: int, count: int = 1) -> Tensor:
        """Standard normal (count, D), fixed by the edit's seed, span and step."""
        generator = torch.Generator().manual_seed(
            (edit.seed * 1_000_003 + edit.span * 10_007 + step) % (1 << 62)
        )
        return torch.randn(count, self.width, generator=generator)

    def token(self, edit: Edit, default: int | None = None) -> int:
        """The id of the edit's token.

        Raises:
            EditError: none given, or not exactly one token of this vocabulary.
        """
        if edit.token is None:
            if default is None or default < 0:
                raise EditError(f"Edit “{edit.kind}” needs a token.")
            return default
        if isinstance(edit.token, int):
            if not 0 <= edit.token < self.engine.passes.embedding.weight.shape[0]:
                raise EditError(f"Token {edit.token} is not in this model's vocabulary.")
            return edit.token
        if self.engine.reader.tokenizer is None:
            raise EditError("This checkpoint has no tokenizer; give the token as a number.")
        ids = self.engine.reader.encode(edit.token)
        if len(ids) != 1:
            raise EditError(f"“{edit.token}” is {len(ids)} tokens here; choose a single one.")
        return ids[0]
