"""The demo models' common tokenizer: Qwen's own class and rules over a small vocabulary.

A byte-level BPE trained on what the scenes say, split by Qwen2's regular expression, followed by
Qwen's chat and vision tokens and then, per checkpoint, the special tokens of one family in their
published order. Any Unicode text makes the round trip; ordinary scene words are one token each.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, trainers
from transformers import Qwen2Tokenizer

# https://huggingface.co/Qwen/Qwen2.5-VL-7B-Instruct/blob/main/tokenizer_config.json, same order.
CHAT_TOKENS = (
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<|object_ref_start|>",
    "<|object_ref_end|>",
    "<|box_start|>",
    "<|box_end|>",
    "<|quad_start|>",
    "<|quad_end|>",
    "<|vision_start|>",
    "<|vision_end|>",
    "<|vision_pad|>",
    "<|image_pad|>",
    "<|video_pad|>",
)

# Qwen2.5-VL's published chat template.
CHAT_TEMPLATE = (
    "{% set image_count = namespace(value=0) %}{% set video_count = namespace(value=0) %}"
    "{% for message in messages %}{% if loop.first and message['role'] != 'system' %}"
    "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n{% endif %}"
    "<|im_start|>{{ message['role'] }}\n{% if message['content'] is string %}"
    "{{ message['content'] }}<|im_end|>\n{% else %}{% for content in message['content'] %}"
    "{% if content['type'] == 'image' or 'image' in content or 'image_url' in content %}"
    "{% set image_count.value = image_count.value + 1 %}"
    "{% if add_vision_id %}Picture {{ image_count.value }}: {% endif %}"
    "<|vision_start|><|image_pad|><|vision_end|>"
    "{% elif content['type'] == 'video' or 'video' in content %}"
    "{% set video_count.value = video_count.value + 1 %}"
    "{% if add_vision_id %}Video {{ video_count.value }}: {% endif %}"
    "<|vision_start|><|video_pad|><|vision_end|>"
    "{% elif 'text' in content %}{{ content['text'] }}{% endif %}{% endfor %}<|im_end|>\n"
    "{% endif %}{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)

# Qwen2's pre-tokenisation rule, fixed by the class that will load the result.
SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def learn(texts: Iterable[str], merges: int) -> dict[str, object]:
    """Train the BPE -> {"vocab": token to id, "merges": pairs in order}; deterministic.

    Braces are cut out of every text first, so that no merge swallows one and `\\boxed{left}`
    reads the same word that a sentence does.
    """
    learner = Tokenizer(models.BPE())
    learner.normalizer = normalizers.NFC()
    learner.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(r"[{}<>]"), behavior="removed"),
            pre_tokenizers.Split(Regex(SPLIT), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    trainer = trainers.BpeTrainer(
        vocab_size=256 + merges,
        min_frequency=1,
        show_progress=False,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
    )
    learner.train_from_iterator(sorted(set(texts)), trainer)
    model = json.loads(learner.to_str())["model"]
    pairs = [
        tuple(pair) if isinstance(pair, list) else tuple(pair.split(" "))
        for pair in model["merges"]
    ]
    return {"vocab": model["vocab"], "merges": pairs}


def tokenizer(learned: dict[str, object], family_tokens: Sequence[str] = ()) -> Qwen2Tokenizer:
    """Qwen2's tokenizer over a learned vocabulary, the chat tokens and one family's own."""
    made = Qwen2Tokenizer(
        vocab=dict(learned["vocab"]),  # type: ignore[call-overload]
        merges=list(learned["merges"]),  # type: ignore[call-overload]
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        model_max_length=2048,
        extra_special_tokens=list(CHAT_TOKENS[1:]),
    )
    made.add_special_tokens({"additional_special_tokens": [*CHAT_TOKENS[1:], *family_tokens]})
    made.chat_template = CHAT_TEMPLATE
    return made


def learned_by(folder: Path) -> dict[str, object]:
    """The BPE inside a checkpoint's tokenizer.json."""
    model = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))["model"]
    return {"vocab": model["vocab"], "merges": [tuple(pair) for pair in model["merges"]]}


def save_learned(learned: dict[str, object], path: Path) -> None:
    """Keep a learned BPE as JSON, next to the features it was used for."""
    path.write_text(json.dumps(learned, ensure_ascii=False), encoding="utf-8")


def load_learned(path: Path) -> dict[str, object]:
    """Read back what `save_learned` wrote."""
    learned = json.loads(path.read_text(encoding="utf-8"))
    learned["merges"] = [tuple(pair) for pair in learned["merges"]]
    return dict(learned)
