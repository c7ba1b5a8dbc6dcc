"""The bank: clean latents of many items, per step, that edits and receipts refer to.

What "normal" means for a latent is an empirical question: means, spreads and percentiles are
taken over runs of the same model on other items, step by step, because a model's first
latent and its last live in different places (methodology: B_k, mean μ_k, spread s_k).

A bank belongs to a model run in one way. What that was stands in its settings, and their hash
tells a bank of this model from one of a model that has since been trained on.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from core.errors import RecordError
from core.records.atomic import replacing

FORMAT = "zscope-bank-2"


@dataclass(frozen=True)
class BankItem:
    """Where one row of a bank came from.

    Attributes:
        id: of the item in its data set.
        task: what kind of question it is; "" when nothing is known.
        question: the person's words.
        answer: what the model answered, None when nothing was parsed.
        gold: the right answer, "" when none is known.
    """

    id: str
    task: str = ""
    question: str = ""
    answer: str | None = None
    gold: str = ""


@dataclass(frozen=True, eq=False)
class Bank:
    """Clean latents of N items: float32 (N, K, D); items with fewer than K steps hold NaN.

    Attributes:
        latents: (N, K, D).
        source: what they were taken from, in words.
        settings: what they depend on: weights, family, budget and sampling; None when unknown.
        items: where each row came from, N or none.
        words: (N, W, D) hidden states of the last layer at words of each item's own answer,
            the same site as the latents; NaN where there are fewer; None when not collected.
        word_ids: (N, W) their token ids, −1 where there are fewer.
    """

    latents: Tensor
    source: str = ""
    settings: Mapping[str, Any] | None = None
    items: tuple[BankItem, ...] = ()
    words: Tensor | None = None
    word_ids: Tensor | None = None

    @cached_property
    def hash(self) -> str | None:
        """Twelve hex digits of the settings; None when they are unknown."""
        return None if self.settings is None else settings_hash(self.settings)

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
        """Write the bank as safetensors (float16 would round the percentiles: float32).

        Raises:
            OSError: the place cannot be written; what stood there is untouched.
        """
        from safetensors.torch import save

        tensors = {"latents": self.latents.contiguous()}
        if self.words is not None and self.word_ids is not None:
            tensors |= {"words": self.words.contiguous(), "word_ids": self.word_ids.contiguous()}
        said = {
            "source": self.source,
            "settings": None if self.settings is None else dict(self.settings),
            "items": [asdict(item) for item in self.items],
        }
        meta = {"format": FORMAT, **{name: json.dumps(value) for name, value in said.items()}}
        with replacing(path) as file:
            file.write(save(tensors, metadata=meta))

    @classmethod
    def load(cls, path: str | Path) -> Bank:
        """Read a bank file.

        Raises:
            RecordError: when the file is not a bank.
        """
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(str(path), framework="pt") as file:
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
                said = {
                    name: json.loads(text)
                    for name, text in (file.metadata() or {}).items()
                    if name in ("source", "settings", "items")
                }
            items = tuple(BankItem(**entry) for entry in said.get("items", []))
        except (OSError, SafetensorError, ValueError, TypeError, RecursionError) as error:
            raise RecordError(f"{path} is not a bank of latents ({error}).") from error
        latents, settings = tensors.get("latents"), said.get("settings")
        if (
            latents is None
            or latents.ndim != 3
            or latents.dtype != torch.float32
            or not latents.numel()
        ):
            raise RecordError(f"{path} does not hold latents of shape (items, steps, width).")
        if len(items) not in (0, len(latents)) or not isinstance(settings, (dict, type(None))):
            raise RecordError(f"{path} does not say where its latents came from, item by item.")
        words, word_ids = tensors.get("words"), tensors.get("word_ids")
        if not _words_fit(words, word_ids, latents):
            raise RecordError(f"{path} holds words that do not belong to its latents.")
        return cls(latents, str(said.get("source", "")), settings, items, words, word_ids)


def settings_hash(settings: Mapping[str, Any]) -> str:
    """Twelve hex digits of what a bank depends on."""
    said = json.dumps(dict(settings), sort_keys=True, default=str)
    return hashlib.sha256(said.encode("utf-8")).hexdigest()[:12]


def _words_fit(words: Tensor | None, ids: Tensor | None, latents: Tensor) -> bool:
    if words is None or ids is None:
        return words is ids
    n, _, width = latents.shape
    plain = words.dtype == torch.float32 and ids.dtype == torch.int64
    return (
        plain
        and words.ndim == 3
        and words.shape[::2] == (n, width)
        and (ids.shape == words.shape[:2])
    )


def bank_of(
    runs: list[Tensor],
    source: str = "",
    settings: Mapping[str, Any] | None = None,
    items: tuple[BankItem, ...] = (),
    words: list[tuple[list[int], Tensor]] | None = None,
) -> Bank:
    """A bank from each item's latents, (K_i, D) each; short runs are filled with NaN.

    Args:
        words: each item's token ids (W_i) and the hidden states (W_i, D) at them.
    """
    if not runs:
        raise RecordError("A bank needs at least one run that imagined.")
    states = ids = None
    if words is not None:
        most = max(len(found) for found, _ in words)
        states = padded([table for _, table in words], most)
        ids = torch.full((len(runs), most), -1, dtype=torch.int64)
        for row, (found, _) in enumerate(words):
            ids[row, : len(found)] = torch.tensor(found, dtype=torch.int64)
    table = padded(runs, max(r.shape[0] for r in runs))
    return Bank(table, source, settings, items, states, ids)


def padded(tables: list[Tensor], rows: int) -> Tensor:
    """Tables (n_i, D) as one (N, rows, D), NaN where one has fewer rows."""
    out = torch.full((len(tables), rows, tables[0].shape[1]), float("nan"))
    for index, table in enumerate(tables):
        out[index, : table.shape[0]] = table
    return out
