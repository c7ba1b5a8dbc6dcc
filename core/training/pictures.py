"""Pictures as the demo models see them: the processor of the checkpoints, and its fast equal.

The shipped preprocessor shrinks every picture to 112 x 112 px and cuts it into 64 patches. Training
keeps the shrunken pictures as bytes and repeats the rest (scale, normalise, cut) for a whole batch
at once; the tests hold the two to the same numbers.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from PIL import Image
from torch import Tensor
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

from core.training.network import MERGE, PATCH, PIXELS, SIDE

# Qwen2-VL's published statistics (those of CLIP).
MEAN = (0.48145466, 0.4578275, 0.40821073)
STD = (0.26862954, 0.26130258, 0.27577711)


def processor() -> Qwen2VLImageProcessorPil:
    """The image processor every demo checkpoint ships."""
    return Qwen2VLImageProcessorPil(
        min_pixels=PIXELS * PIXELS,
        max_pixels=PIXELS * PIXELS,
        patch_size=PATCH,
        temporal_patch_size=2,
        merge_size=MERGE,
        image_mean=list(MEAN),
        image_std=list(STD),
    )


def shrink(image: Image.Image) -> Tensor:
    """A square picture of any size -> bytes (112, 112, 3), as the processor resizes it."""
    small = image.convert("RGB").resize((PIXELS, PIXELS), Image.Resampling.BICUBIC)
    return torch.frombuffer(bytearray(small.tobytes()), dtype=torch.uint8).view(PIXELS, PIXELS, 3)


def patches(small: Tensor | Sequence[Tensor]) -> Tensor:
    """Shrunken pictures (B, 112, 112, 3) of bytes -> normalised patches (B, 64, 1176)."""
    stack = small if isinstance(small, Tensor) else torch.stack(list(small))
    pixels = stack.float() / 255
    pixels = (pixels - torch.tensor(MEAN)) / torch.tensor(STD)
    # rows: block row, row in block, pixel; columns alike; then channel.
    cut = pixels.view(-1, SIDE, MERGE, PATCH, SIDE, MERGE, PATCH, 3)
    cut = cut.permute(0, 1, 4, 2, 5, 7, 3, 6)  # (B, SIDE, SIDE, MERGE, MERGE, 3, PATCH, PATCH)
    still = cut.unsqueeze(-3).expand(*cut.shape[:-2], 2, PATCH, PATCH)  # two equal frames
    return still.reshape(len(stack), (SIDE * MERGE) ** 2, -1)
