"""Mirage: latent pads between ``<|latent_start|>`` and ``<|latent_end|>``, K hard-coded to 8.

The published loop keeps its flags for the whole run: the second span is not counted, and
after a naturally ended first span the second never ends. A single row here does the same;
rows of a batch, which the published loop mixes up, are independent.
"""

from core.families.protocol import Family, PromptStyle, Vocabulary
from core.families.registry import register

VOCABULARY = Vocabulary(
    start="<|latent_start|>",
    end="<|latent_end|>",
    pad="<|latent_pad|>",
    config_keys={"start": "latent_start_id", "end": "latent_end_id", "pad": "latent_token_id"},
    published_ids={"start": 151666, "end": 151667, "pad": 151665},
)

MIRAGE = register(
    Family(
        name="mirage",
        title="Mirage",
        summary="The start token is embedded; pads are fed hidden states until the end token.",
        vocabularies=(VOCABULARY,),
        trigger="sampled",
        start_slot="embed",
        budget=8,
        count_scope="run",
        record="pad",
        exits=("count", "end token"),
        emit="forced",
        eos_inside="overwrite",
        prompt=PromptStyle(
            suffix=" The final answer MUST BE put in \\boxed{}.",
            bare_assistant=True,
            before_start="\n",
        ),
        divided_scores=True,
        config_hints=("compress_strategy",),
        checkpoints=("Miiche/vsp_spatial_planning_direct_sft",),
        needs="Trained with 4 latents, decoded with at most 8: set K = 4 to match the paper.",
        source="Mirage, transformers/src/transformers/generation/utils.py, lines 3286-3450",
    )
)
