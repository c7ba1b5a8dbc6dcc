"""SkiLa, ILVR and Laser: the same machine with other settings."""

from core.families import mirage
from core.families.protocol import Family, PromptStyle, Vocabulary
from core.families.registry import register

BOXED = PromptStyle(suffix=" Put your final answer in \\boxed{}.")

SKILA = register(
    Family(
        name="skila",
        title="SkiLa",
        summary="After the sketch token hidden states are fed, at most twice the trained count.",
        vocabularies=(
            Vocabulary(
                start="<|sketch_start|>",
                end="<|sketch_end|>",
                pad="<|skila|>",
                config_keys={"start": "sketch_start_id", "end": "sketch_end_id", "pad": "skila_id"},
            ),
        ),
        trigger="consumed",
        start_slot="embed",
        budget=54,
        budget_key="sketch_token_num",
        budget_factor=2,
        record="pad",
        exits=("count", "end token"),
        emit="forced",
        eos_inside="overwrite",
        prompt=BOXED,
        checkpoints=("JosephTong/SkiLa-7B",),
        needs="Trained with 27 sketch tokens; the published cap is twice that.",
        source="SkiLa, src/model/skila.py, lines 122-216",
    )
)

ILVR = register(
    Family(
        name="ilvr",
        title="ILVR",
        summary="Mirage's loop with flags cleared at each start token and K from the checkpoint.",
        vocabularies=(mirage.VOCABULARY,),
        trigger="sampled",
        start_slot="embed",
        budget=8,
        budget_key="latent_size",
        count_scope="start",
        record="pad",
        exits=("count", "end token"),
        emit="forced",
        eos_inside="overwrite",
        prompt=mirage.MIRAGE.prompt,
        divided_scores=True,
        only_by_name=True,
        checkpoints=("shuai22/comt_ckpt",),
        needs="Shares Mirage's tokens: name the family when loading it.",
        source="ILVR, transformers/src/transformers/generation/utils.py, method _sample",
    )
)

LASER = register(
    Family(
        name="laser",
        title="Laser",
        summary="Starts in a span; leaves it by end token, 16 steps or three equal samples.",
        vocabularies=(
            Vocabulary(
                start="<|laser_start|>",
                end="<|laser_end|>",
                config_keys={"start": "laser_start_id", "end": "laser_end_id"},
            ),
        ),
        trigger="consumed",
        start_slot="embed",
        budget=16,
        record="sampled",
        exits=("count", "end token", "repeat"),
        emit="forced",
        eos_inside="ignore",
        obeys_length=False,
        force_first=True,
        after_exit="<answer>",
        prompt=PromptStyle(),
        answer_format="tag",
        checkpoints=("wybb/laser-7b",),
        needs="The start token is forced as the first thing said; after a span that had to be "
        "stopped, “<”, the first token of <answer>.",
        source="Laser, src/model/qwen_laser_model.py, lines 469-700",
    )
)
