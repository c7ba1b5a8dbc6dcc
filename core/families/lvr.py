"""LVR: hidden states fed back after ``<|lvr_start|>`` was consumed, a fixed number of steps.

The start token is looked for in what was *consumed*, so a prompt that ends in it opens a
span. The token behind a span is whatever the model predicts. With a trained ``lvr_head``
the first latent is the raw hidden state, later ones are projected, and the logits of every
latent slot go through the head too, exactly as published (training applies it one position
earlier; that is a different decoder and is not offered under this name).

Two strategies end a span: ``steps`` by count alone; ``latent`` also when the vector just fed
comes close to ``lvr_latent_end_emb``.
"""

from core.families.protocol import Family, PromptStyle, Vocabulary
from core.families.registry import register

LVR = register(
    Family(
        name="lvr",
        title="LVR",
        summary="After the start token K slots are fed hidden states; the exit is predicted.",
        vocabularies=(
            Vocabulary(
                start="<|lvr_start|>",
                end="<|lvr_end|>",
                pad="<|lvr|>",
                markers=("<|lvr_latent_end|>",),
                config_keys={
                    "start": "lvr_start_id",
                    "end": "lvr_end_id",
                    "pad": "lvr_id",
                    "<|lvr_latent_end|>": "lvr_latent_end_id",
                },
                published_ids={
                    "start": 151665,
                    "pad": 151666,
                    "<|lvr_latent_end|>": 151667,
                    "end": 151668,
                },
            ),
        ),
        trigger="consumed",
        start_slot="embed",
        budget=8,
        record="sampled",
        exits=("count", "distance"),
        emit="predicted",
        eos_inside="ignore",
        obeys_length=False,
        strategies=("steps", "latent"),
        head=True,
        prompt=PromptStyle(),
        answer_format="tag",
        config_hints=("lvr_start_id", "lvr_head"),
        checkpoints=("vincentleebang/LVR-7B",),
        needs="Steps of 4, 8 or 16 were published; “answer with the letter directly” can "
        "keep it from imagining.",
        source="lvr, src/model/qwen_lvr_model.py, lines 583-1098",
    )
)
