"""The two passes a model is asked for: the whole prompt, and one more slot of every row.

Positions are always passed explicitly. transformers keeps the offset between slots and
rotary positions (``rope_deltas``) on the module, where another request overwrites it; here
it stays with the run, so runs on one model may interleave freely.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from core.engine.cache import BranchCache
from core.engine.captured import Captured, through_modules
from core.engine.loading import Loaded
from core.engine.prefix import Prefixes, beginning, joined
from core.engine.readout import read_out
from core.engine.sight import Sight
from core.engine.threads import as_many_as_pay
from core.engine.unwrapped import Unwrapped
from core.errors import ImageError, InputError

CHUNK = 2048
"""Prompt slots of one pass; a longer prompt goes through in parts."""


@dataclass(frozen=True, eq=False)
class Prefilled:
    """What the prompt pass leaves behind.

    Attributes:
        cache: holds the prompt, ready to decode.
        hidden: (B, D) last-layer hidden state (post-norm) of each row's last prompt slot.
        next_position: rotary position of each row's first own slot.
        patches: per row the merged image-patch embeddings (n, D), or None.
        grids: per row (rows, columns) of those patches.
    """

    cache: BranchCache
    hidden: Tensor
    next_position: list[int]
    patches: list[Tensor | None]
    grids: list[tuple[int, int]]


class Passes:
    """A loaded model as two functions.

    Nothing of a run stays here; pictures seen before are kept in `see`, which gives the same
    embeddings with or without them.
    """

    def __init__(self, loaded: Loaded, decode: str = "eager") -> None:
        self.model = loaded.model
        self.language = loaded.model.model.language_model
        self.embedding = self.language.embed_tokens
        self.unembedding = loaded.model.lm_head
        self.config = loaded.model.config
        self.layers = len(self.language.layers)
        self.merge = int(self.config.vision_config.spatial_merge_size)
        self.see = Sight(self._look)
        self.captured = Captured(self.language, decode)
        self.unwrapped = Unwrapped(self.language)
        self.prefixes = Prefixes()
        self.splits = True  # a long beginning is read by itself, so that it can be kept

    @property
    def width(self) -> int:
        """D, the language model's hidden size."""
        return int(self.embedding.weight.shape[1])

    @property
    def vocabulary(self) -> int:
        """V, rows of the output layer."""
        return int(self.unembedding.weight.shape[0])

    @property
    def device(self) -> torch.device:
        """Where inputs go."""
        device: torch.device = self.embedding.weight.device
        return device

    @torch.no_grad()
    def prefill(self, inputs: Mapping[str, Any]) -> Prefilled:
        """Run a left-padded batch of prompts.

        Args:
            inputs: ``input_ids`` (B, P), and where there are pictures ``pixel_values`` and
                ``image_grid_thw`` (pictures, 3); ``attention_mask`` (B, P) and
                ``mm_token_type_ids`` (B, P) are derived when absent.
        """
        ids = torch.as_tensor(inputs["input_ids"]).to(self.device)
        mask = inputs.get("attention_mask")
        mask = torch.ones_like(ids) if mask is None else torch.as_tensor(mask).to(self.device)
        if not bool(mask[:, -1].all()):
            raise InputError("Prompts of a batch must be padded on the left.")
        is_image = ids == self.config.image_token_id
        embeds = self.embedding(ids)
        seen: Tensor | None = None
        per_row: list[Tensor | None] = [None] * ids.shape[0]
        grids = [(0, 0)] * ids.shape[0]
        grid = inputs.get("image_grid_thw")
        if inputs.get("pixel_values") is not None and grid is not None:
            grid = torch.as_tensor(grid).to(self.device)
            seen = features = self.see(torch.as_tensor(inputs["pixel_values"]), grid)
            if features.shape[0] != int(is_image.sum()):
                raise ImageError(
                    f"The prompt has room for {int(is_image.sum())} image tokens, but the "
                    f"pictures make {features.shape[0]}."
                )
            embeds = embeds.masked_scatter(is_image[..., None], features.to(embeds.dtype))
            per_row, grids = self._split(is_image, features, grid)
        elif bool(is_image.any()):
            raise ImageError("The prompt has an image token, but no picture was given.")
        types = inputs.get("mm_token_type_ids")
        types = is_image.int() if types is None else torch.as_tensor(types).to(self.device)
        positions, _ = self.model.model.get_rope_index(
            ids, mm_token_type_ids=types, image_grid_thw=grid, attention_mask=mask
        )
        stop = beginning(is_image) if len(ids) == 1 and self.splits and grid is not None else 0
        if stop:
            assert seen is not None
            cache, hidden = self._read_behind(ids[0, :stop], seen, embeds, positions)
        else:
            cache, hidden = self.read(embeds, positions, mask)
        ends = positions.amax(0).masked_fill(~mask.bool(), 0).amax(-1) + 1
        return Prefilled(cache, hidden[:, -1], ends.tolist(), per_row, grids)

    @torch.no_grad()
    def read(
        self, embeds: Tensor, positions: Tensor, mask: Tensor | None = None
    ) -> tuple[BranchCache, Tensor]:
        """Run prompts given as vectors.

        Args:
            embeds: (B, P, D), padded on the left.
            positions: (3, B, P) rotary positions.
            mask: (B, P), 0 where padded; None for no padding.

        Returns:
            The cache that holds them, ready to decode, and hidden states (B, P, D), post-norm.
        """
        cache = BranchCache(self.layers, embeds.shape[0])
        padded = mask is not None and not bool(mask.all())
        cache.expected = embeds.shape[1] if embeds.shape[1] > CHUNK else 0
        hidden = self._read_on(cache, embeds, positions, mask if padded else None)
        cache.prompt_mask = mask.bool() if mask is not None and padded else None
        cache.decoding = True
        return cache, hidden

    def _read_behind(
        self, ids: Tensor, features: Tensor, embeds: Tensor, positions: Tensor
    ) -> tuple[BranchCache, Tensor]:
        """A prompt (1, P, D) in two parts, the first of which, ``ids``, may have been read."""
        stop = len(ids)
        pairs = self.prefixes.get(ids, features)
        if pairs is None:
            before, _ = self.read(embeds[:, :stop], positions[..., :stop])
            pairs = before.prompt
            self.prefixes.put(ids, features, pairs)
        cache = BranchCache(self.layers, 1)
        cache.prompt, cache.read = joined(pairs, embeds.shape[1]), stop
        cache.expected = embeds.shape[1]
        hidden = self._read_on(cache, embeds[:, stop:], positions[..., stop:], None)
        cache.decoding = True
        return cache, hidden

    def _read_on(
        self, cache: BranchCache, embeds: Tensor, positions: Tensor, mask: Tensor | None
    ) -> Tensor:
        """Feed (B, q, D) of a prompt behind what ``cache`` has read, a chunk at a time: what a
        pass needs beside the cache is bounded however long the prompt. Hidden states (B, q, D).
        """
        found = []
        for start in range(0, embeds.shape[1], CHUNK):
            part = slice(start, start + CHUNK)
            with self.threads(embeds[:, part]):
                out = self.language(
                    inputs_embeds=embeds[:, part],
                    attention_mask=mask[:, : part.stop] if mask is not None else None,
                    position_ids=positions[..., part],
                    past_key_values=cache,
                    use_cache=True,
                    branch_cache=cache,
                )
            found.append(out.last_hidden_state.to(embeds.device))
        return found[0] if len(found) == 1 else torch.cat(found, dim=1)

    @torch.no_grad()
    def step(self, cache: BranchCache, embeds: Tensor, positions: Tensor) -> Tensor:
        """Feed (B, q, D) behind the rows of ``cache``; returns hidden states (B, q, D).

        Args:
            positions: rotary positions, (B, q) where they are the same on all three axes, as
                of every slot but a picture's, else (3, B, q).
        """
        with self.threads(embeds):
            if not self.unwrapped.can(positions):
                hidden = self._through_modules(cache, embeds, positions)
            elif self.unwrapped.trusted:
                hidden = self.unwrapped(cache, embeds, positions)
            else:  # both write the same slots
                found = self.unwrapped(cache, embeds, positions)
                hidden = self._through_modules(cache, embeds, positions)
                self.unwrapped.compare(found, hidden)
        cache.advance(embeds.shape[1])
        return hidden

    def _through_modules(self, cache: BranchCache, embeds: Tensor, positions: Tensor) -> Tensor:
        """:meth:`step` as transformers makes it; ``cache`` counts nothing."""
        hidden = through_modules(self.language, cache, embeds, positions)
        return hidden.to(embeds.device)  # the last layer's may differ

    def decode(self, cache: BranchCache, embeds: Tensor, positions: Tensor) -> Tensor:
        """One slot of every row as :meth:`step` does it, replayed where it can be.

        Args:
            embeds: (B, 1, D). positions: (B, 1).

        Returns:
            Hidden states (B, 1, D). What ``cache`` holds may move afterwards: rows are copied
            from it, never looked at in place.
        """
        with self.threads(embeds):
            hidden = self.captured.step(cache, embeds, positions)
        return self.step(cache, embeds, positions) if hidden is None else hidden

    def threads(self, vectors: Tensor) -> AbstractContextManager[None]:
        """As many threads as a pass over ``vectors`` (…, D) is worth, while it is entered."""
        slots = vectors.numel() // vectors.shape[-1]
        weight = self.embedding.weight
        return as_many_as_pay(slots, self.config.text_config, weight.dtype, weight.device)

    @torch.no_grad()
    def logits(self, hidden: Tensor) -> Tensor:
        """Raw float32 logits (…, V) of hidden states (…, D)."""
        return read_out(self.unembedding, hidden)

    @torch.no_grad()
    def _look(self, pixels: Tensor, grid: Tensor) -> Tensor:
        """Merged patch embeddings (n, D) of all pictures, one after the other."""
        dtype = self.model.model.visual.dtype
        out = self.model.model.get_image_features(pixels.to(self.device, dtype), grid)
        features = getattr(out, "pooler_output", out)
        return features if isinstance(features, Tensor) else torch.cat(list(features))

    def _split(
        self, is_image: Tensor, features: Tensor, grid: Tensor
    ) -> tuple[list[Tensor | None], list[tuple[int, int]]]:
        """Each row's patches and the grid of its last picture."""
        rows: list[Tensor | None] = []
        grids: list[tuple[int, int]] = []
        start, picture = 0, 0
        sizes = [(int(t), int(h) // self.merge, int(w) // self.merge) for t, h, w in grid.tolist()]
        for count in is_image.sum(-1).tolist():
            rows.append(features[start : start + count] if count else None)
            start += count
            shape = (0, 0)
            while count > 0 and picture < len(sizes):
                t, high, wide = sizes[picture]
                shape, count, picture = (t * high, wide), count - t * high * wide, picture + 1
            grids.append(shape)
        return rows, grids
