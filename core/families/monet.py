"""Monet: hidden states fed back between ``<abs_vis_token>`` and ``</abs_vis_token>``.

Two layouts exist. At inference (the authors' vLLM runner, and the reinforcement-learned
checkpoints) the start token's own slot already holds the first latent: h of the position
before it; its embedding is never used, and K counts that slot. In the SFT training layout
the start token is embedded and K latents follow. Same K, different computation.

The model never learned to emit the end token: spans end by count.
"""

from core.families.protocol import Family, PromptStyle, Vocabulary
from core.families.registry import register

VOCABULARY = Vocabulary(
    start="<abs_vis_token>",
    end="</abs_vis_token>",
    pad="<abs_vis_token_pad>",
    config_keys={"start": "latent_start_id", "end": "latent_end_id", "pad": "latent_token_id"},
    published_ids={"start": 151666, "end": 151667, "pad": 151665},
)
PROMPT = PromptStyle(suffix=" Put your final answer in \\boxed{}.")
CHECKPOINTS = ("NOVAglow646/Monet-7B", "NOVAglow646/Monet-SFT-7B")

MONET = register(
    Family(
        name="monet",
        title="Monet (inference layout)",
        summary="The start token's slot is fed the hidden state before it; K slots in all.",
        vocabularies=(VOCABULARY,),
        trigger="sampled",
        start_slot="latent",
        budget=10,
        record="sampled",
        exits=("count", "end token"),
        emit="forced",
        eos_inside="stop",
        prompt=PROMPT,
        checkpoints=CHECKPOINTS,
        needs="K = 10 is the recommended number; the emission rate can be low: report it.",
        source="Monet, inference/vllm/monet_gpu_model_runner.py, lines 1434-1460 and 1650-1666",
    )
)

MONET_SFT = register(
    Family(
        name="monet-sft",
        title="Monet (training layout)",
        summary="The start token is embedded; K hidden states follow, the first is h(start).",
        vocabularies=(VOCABULARY,),
        trigger="sampled",
        start_slot="embed",
        budget=10,
        record="pad",
        exits=("count", "end token"),
        emit="forced",
        eos_inside="overwrite",
        prompt=PROMPT,
        only_by_name=True,
        checkpoints=("NOVAglow646/Monet-SFT-7B",),
        needs="The layout Monet-SFT was trained in; name it, detection picks the other one.",
        source="Monet, monet_qwen_model/modeling_qwen2_5_vl_monet.py, lines 1689-2002",
    )
)
