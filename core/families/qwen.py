"""Plain Qwen2.5-VL: no imagination, the baseline of all."""

from core.families.protocol import Family, PromptStyle
from core.families.registry import register

QWEN = register(
    Family(
        name="qwen2.5-vl",
        title="Qwen2.5-VL (no latents)",
        summary="Ordinary decoding; nothing is fed back.",
        prompt=PromptStyle(suffix=" Put your final answer in \\boxed{}."),
        checkpoints=("Qwen/Qwen2.5-VL-3B-Instruct", "Qwen/Qwen2.5-VL-7B-Instruct"),
        needs="Nothing special.",
        source="transformers, Qwen2_5_VLForConditionalGeneration",
    )
)
