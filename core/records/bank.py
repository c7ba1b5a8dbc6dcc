"""The bank: clean latents of many items, per step, that edits and receipts refer to.

What "normal" means for a latent is an empirical question: means, spreads and percentiles are
taken over runs of the same model on other items, step by step, because a model's first
latent and its last live in different places (methodology: B_k, mean μ_k, spread s_k).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor

from core.errors import RecordError


@dataclass(frozen=True, eq=False)
class Bank:
    """Clean latents of N items: float32 (N, K, D); items with fewer than K steps hold NaN.

    Attributes:
        latents: (N, K, D).
        source: what they were taken from, in words, with the settings that made them.
    """

    latents: Tensor
    source: str = ""

    @cached_property
    def mean(self) -> Tensor:
        """μ_k, float32 (K, D)."""
        return torch.nanmean(self.latents, dim=0)

    @cached_property
    def spread(self) -> Tensor:
        """s_k, the per-dimension standard deviation, float32 (K, D)."""
        centred = self.latents - self.mean
        return torch.nanmean(centred.square(), dim=0).sqrt()

    @cached_property
    def overall(self) -> Tensor:
        """μ, the mean over items and steps, float32 (D,)."""
        return torch.nanmean(self.latents.flatten(0, 1), dim=0)

    @cached_property
    def _distances(self) -> Tensor:
        # (N, K), sorted along N; NaN rows sort last and are left out by the count below
        return (self.latents - self.mean).norm(dim=-1).sort(dim=0).values

    def percentile(self, step: int, vector: Tensor) -> float:
        """Share (0–100) of clean latents of ``step`` nearer to μ_k than ``vector`` (D,) is.

        Steps behind the bank's last are compared with its last.
        """
        k = min(step, self.latents.shape[1] - 1)
        column = self._distances[:, k]
        column = column[~column.isnan()]
        if not len(column):
            return 100.0
        distance = (vector - self.mean[k]).norm()
        return 100.0 * float((column < distance).float().mean())

    def at(self, table: Tensor, step: int) -> Tensor:
        """Row ``step`` of a per-step table of this bank, the last row for later steps."""
        return table[min(step, table.shape[0] - 1)]

    def save(self, path: str | Path) -> None:
        """Write the bank as safetensors (float16 would round the percentiles: float32)."""
        from safetensors.torch import save_file

        meta = {"format": "zscope-bank-1", "source": json.dumps(self.source)}
        save_file({"latents": self.latents.contiguous()}, str(path), metadata=meta)

    @classmethod
    def load(cls, path: str | Path) -> Bank:
        """Read a bank file.

        Raises:
            RecordError: when the file is not a bank.
        """
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(str(path), framework="pt") as file:
                latents = file.get_tensor("latents")
                source = json.loads((file.metadata() or {}).get("source", '""'))
        except (OSError, SafetensorError, ValueError) as error:
            raise RecordError(f"{path} is not a bank of latents ({error}).") from error
        if latents.ndim != 3 or latents.dtype != torch.float32 or not latents.shape[0]:
            raise RecordError(f"{path} does not hold latents of shape (items, steps, width).")
        return cls(latents, str(source))


def bank_of(runs: list[Tensor], source: str = "") -> Bank:
    """A bank from each item's latents, (K_i, D) each; short runs are filled with NaN."""
    if not runs:
        raise RecordError("A bank needs at least one run that imagined.")
    steps = max(r.shape[0] for r in runs)
    table = torch.full((len(runs), steps, runs[0].shape[1]), float("nan"))
    for row, latents in enumerate(runs):
        table[row, : latents.shape[0]] = latents
    return Bank(table, source)
