"""The published formats the demo models speak: prompts and replies, as token ids.

The wording of a prompt and the way a span opens come from `core.families`; this file adds what
only a training needs: the special tokens in their published order, and what follows a span.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache

from transformers import PreTrainedTokenizerBase as Tokenizer

from core import families, scenes
from core.families.protocol import Family
from core.training.network import IMAGE_TOKENS
from core.training.questions import VALUES

# Published order of the added tokens (decoding notes in `core.families`).
TOKENS = {
    "monet": (
        "<abs_vis_token_pad>",
        "<abs_vis_token>",
        "</abs_vis_token>",
        "<observation>",
        "</observation>",
    ),
    "mirage": ("<|latent_pad|>", "<|latent_start|>", "<|latent_end|>"),
    "lvr": ("<|lvr_start|>", "<|lvr|>", "<|lvr_latent_end|>", "<|lvr_end|>"),
    "capimagine": (),
    "qwen2.5-vl": (),
}
# What a model says between the last latent and its answer.
AFTER = {
    "monet": "</abs_vis_token>",
    "mirage": "<|latent_end|>",
    "lvr": "<|lvr_latent_end|><|lvr_end|>\n",
}
# A model that imagines in words says one sentence, then answers on a new line.
IMAGINED = "\n"
END = "<|im_end|>"
# What stands around the words that carry an answer or a sentence, whatever they say.
AROUND = "row , column The is at a and the object. There are objects The path goes through (1),"


@dataclass(frozen=True, eq=False)
class Format:
    """How one family is prompted and replies, in one checkpoint's tokens."""

    family: Family
    tokenizer: Tokenizer

    @cached_property
    def start(self) -> int:
        """Id of the token that opens a span."""
        return self._only(self.family.vocabularies[0].start or "")

    @cached_property
    def pad(self) -> int:
        """Id that stands for a latent slot."""
        return self._only(self.family.vocabularies[0].pad or "")

    @cached_property
    def opening(self) -> list[int]:
        """Ids said between the prompt and the first latent: the start token comes last."""
        if not self.family.latent:
            return []
        return [*self.encode(self.family.prompt.before_start), self.start]

    @cached_property
    def form(self) -> list[int]:
        """Ids that say nothing: markers, brackets, the end, and the words around a place."""
        always = AFTER.get(self.family.name, "") + self.family.answer_opening
        ids = self.encode(always + self.family.answer_closing + END)
        return sorted({*ids, *self.encode(AROUND)} - set(self.encode("1")))

    @property
    def embedded_opening(self) -> list[int]:
        """The part of `opening` whose embeddings are fed: Monet's start slot holds a latent."""
        return self.opening[:-1] if self.family.start_slot == "latent" else self.opening

    @cached_property
    def prefix(self) -> list[int]:
        """Ids before the picture, the same in every prompt."""
        return self._sides("")[0]

    @lru_cache(maxsize=4096)  # noqa: B019 - a format lives as long as its training
    def rest(self, question: str) -> list[int]:
        """Ids of a prompt after the picture."""
        return self._sides(question)[1]

    @lru_cache(maxsize=65536)  # noqa: B019
    def reply(self, answer: str, imagined: str = "") -> list[int]:
        """Ids said after the latents (or at once, where there are none), to the end token."""
        words = f"{imagined}{IMAGINED}" if imagined else ""
        said = self.family.answer_opening + answer + self.family.answer_closing
        return self.encode(AFTER.get(self.family.name, "") + words + said + END)

    def encode(self, text: str) -> list[int]:
        """Ids of a text; special tokens are recognised."""
        return list(self.tokenizer(text, add_special_tokens=False)["input_ids"])

    def prompt(self, question: str) -> str:
        """The prompt in words, one `<|image_pad|>` for the picture."""
        style = self.family.prompt
        content = [{"type": "image"}, {"type": "text", "text": question + style.suffix}]
        text = self.tokenizer.apply_chat_template(
            [{"role": "user", "content": content}],
            tokenize=False,
            add_generation_prompt=not style.bare_assistant,
        )
        return str(text) + ("<|im_start|>assistant" if style.bare_assistant else "")

    def _sides(self, question: str) -> tuple[list[int], list[int]]:
        before, after = self.prompt(question).split("<|image_pad|>")
        return self.encode(before), self.encode(after)

    def _only(self, token: str) -> int:
        return int(self.tokenizer.convert_tokens_to_ids(token))


def of(family: str, tokenizer: Tokenizer) -> Format:
    """The format of a family by its name."""
    return Format(families.get(family), tokenizer)


def prompt_length(format_: Format, question: str) -> int:
    """Positions of a whole prompt, the picture's sixteen included."""
    return len(format_.prefix) + IMAGE_TOKENS + len(format_.rest(question))


def corpus() -> Iterator[str]:
    """Everything the demo models are ever told or say; the tokenizer learns its words from it."""
    yield from ("You are a helpful assistant.", "system\n", "user\n", "assistant\n")
    yield from ("\\boxed{}", "<answer></answer>", "\n")
    for name in TOKENS:
        yield families.get(name).prompt.suffix
    yield from scenes.WORDS
    for task in scenes.TASKS:
        for by, values in VALUES.items():
            for value in values:
                for wording in (0, 1):
                    yield scenes.Question(task, by, value, value, wording).text
                yield value
        for item in _examples(task):
            yield from (item.question, item.answer, item.sentence)
    for first in "UDLR":
        yield from (f"{first},{second},{first}" for second in "UDLR")
    for row in range(1, 5):
        yield from (f"row {row}, column {k} ({row},{k}), ({row},{k})." for k in range(1, 5))


def _examples(task: str) -> list[scenes.Item]:
    stream = scenes.stream(task, "train", 0)
    return [next(stream) for _ in range(200)]
