"""The CapImagine paper: its latent loop, and its own model, which imagines in words.

The loop (written for the paper's interventions on Monet and Mirage) embeds the start token,
feeds exactly ``MAX_LATENT_LEN`` = 10 hidden states and forces the end token; unlike Mirage's
it clears its flags, so later spans count afresh. CapImagine-7B itself is a stock Qwen2.5-VL
that writes its imagination out; the words before the answer are what an edit changes.
"""

from core.families import mirage, monet
from core.families.protocol import Family, PromptStyle
from core.families.registry import register

CAPIMAGINE_LOOP = register(
    Family(
        name="capimagine-loop",
        title="CapImagine's latent loop",
        summary="The start token is embedded; 10 hidden states follow; flags are cleared.",
        vocabularies=(monet.VOCABULARY, mirage.VOCABULARY),
        trigger="sampled",
        start_slot="embed",
        budget=10,
        record="pad",
        exits=("count", "end token"),
        emit="forced",
        eos_inside="overwrite",
        prompt=monet.PROMPT,
        divided_scores=True,
        only_by_name=True,
        checkpoints=monet.CHECKPOINTS,
        needs="The paper ran it with K = 10 on Monet and 4 on Mirage.",
        source="CapImagine, README.md as first published, lines 119-225",
    )
)

CAPIMAGINE = register(
    Family(
        name="capimagine",
        title="CapImagine (in words)",
        summary="No latent slots: the imagination is a sentence before the answer.",
        prompt=PromptStyle(suffix=" Put your final answer in \\boxed{}."),
        only_by_name=True,
        imagines_in_words=True,
        checkpoints=("Michael4933/CapImagine-7B",),
        needs="A stock checkpoint without special tokens: name the family when loading it.",
        source="CapImagine, README.md, section Text-Space Imagination",
    )
)
