"""From a picture and a question to the tensors a model is fed, in its family's words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from PIL import Image

from core.engine.pictures import Picture, fit, read_picture
from core.engine.processor import Processor
from core.errors import CheckpointError, QuestionError
from core.families import Family
from core.records import Prompt
from core.records.picture import fingerprint

if TYPE_CHECKING:
    from core.engine.passes import Passes

MOST_CHARACTERS = 20_000
PLACEHOLDER = "<image>"
"""Where it stands in a question (Mirage's data, LLaVA-style files), the picture goes there."""


@dataclass(frozen=True, eq=False)
class Prepared:
    """A prompt ready for the model.

    Attributes:
        inputs: ``input_ids``, ``attention_mask``, ``mm_token_type_ids`` (1, P), and with a
            picture ``pixel_values`` and ``image_grid_thw`` (1, 3).
        prompt: the record of it.
        picture: the RGB picture as it was handed in, or None.
    """

    inputs: dict[str, Any]
    prompt: Prompt
    picture: Image.Image | None


def prepare(
    processor: Processor | None,
    family: Family,
    merge: int,
    picture: Picture | None,
    question: str,
    system: str | None = None,
) -> Prepared:
    """Word the prompt and tokenise it.

    Args:
        processor: the checkpoint's, or None.
        family: says how the question is worded.
        merge: patches merged a side (2).
        picture: anything :func:`core.engine.pictures.read_picture` takes, or None.
        question: the person's words.
        system: replaces the family's or the template's system text.

    Raises:
        QuestionError: empty or too long.
        ImageError: see :func:`read_picture`.
        CheckpointError: the checkpoint came without a tokenizer.
    """
    if processor is None:
        raise CheckpointError(
            "This checkpoint came without a tokenizer, so it takes tensors (engine.decode) only."
        )
    if not question.strip():
        raise QuestionError("Ask a question first.")
    if len(question) > MOST_CHARACTERS:
        raise QuestionError(
            f"The question has {len(question)} characters; at most {MOST_CHARACTERS} are taken."
        )
    image = None if picture is None else read_picture(picture)
    system = family.prompt.system if system is None else system
    tokenizer = processor.tokenizer
    told = None if system is None else disarm(tokenizer, system)
    text = word(processor, family, disarm(tokenizer, question), told, image is not None)
    import torch

    inputs: dict[str, Any] = {}
    size, grid = (0, 0), (0, 0)
    if image is not None:
        size = image.size
        kind = processor.images
        factor = int(kind.patch_size) * merge
        limits = _pixel_limits(kind)
        fitted = fit(image, *limits, factor)
        seen = kind(images=[fitted], return_tensors="pt", do_resize=False)
        inputs["pixel_values"] = seen["pixel_values"]
        inputs["image_grid_thw"] = seen["image_grid_thw"]
        t, high, wide = seen["image_grid_thw"][0].tolist()
        grid = (t * high // merge, wide // merge)
        token = "<|image_pad|>"
        text = text.replace(token, token * (grid[0] * grid[1]), 1)
    ids = processor.tokenizer(text, return_tensors="pt", add_special_tokens=False)["input_ids"]
    inputs["input_ids"] = ids
    inputs["attention_mask"] = torch.ones_like(ids)
    pad = processor.tokenizer.convert_tokens_to_ids("<|image_pad|>")
    inputs["mm_token_type_ids"] = (ids == pad).int()
    prompt = Prompt(
        question=question,
        system=system,
        text=text,
        image_hash=fingerprint(image) if image is not None else "",
        image_size=size,
        grid=grid,
        input_ids=tuple(ids[0].tolist()),
    )
    return Prepared(inputs, prompt, image)


def batched(inputs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Prompts of one row each as one batch, padded on the left."""
    import torch

    longest = max(i["input_ids"].shape[1] for i in inputs)
    out: dict[str, Any] = {}
    for name in ("input_ids", "attention_mask", "mm_token_type_ids"):
        rows = [torch.nn.functional.pad(i[name], (longest - i[name].shape[1], 0)) for i in inputs]
        out[name] = torch.cat(rows)
    for name in ("pixel_values", "image_grid_thw"):
        parts = [i[name] for i in inputs if name in i]
        if parts:
            out[name] = torch.cat(parts)
    return out


def unbatched(inputs: Mapping[str, Any], row: int, passes: Passes) -> dict[str, Any]:
    """One row of a batch as a batch of its own, padding removed."""
    import torch

    ids = torch.as_tensor(inputs["input_ids"])
    mask = inputs.get("attention_mask")
    seen = (torch.ones_like(ids) if mask is None else torch.as_tensor(mask)).bool()
    out: dict[str, Any] = {"input_ids": ids[row, seen[row]][None]}
    if inputs.get("image_grid_thw") is None:
        return out
    grid = torch.as_tensor(inputs["image_grid_thw"])
    merged = (grid.prod(-1) // passes.merge**2).tolist()
    tokens = ((ids == passes.config.image_token_id) & seen).sum(-1).tolist()
    picture = 0
    for need in tokens[: row + 1]:
        first = picture
        while need > 0 and picture < len(merged):
            need -= merged[picture]
            picture += 1
    if picture == first:  # a question without a picture among others
        return out
    patches = grid.prod(-1)
    start, stop = int(patches[:first].sum()), int(patches[:picture].sum())
    out["image_grid_thw"] = grid[first:picture]
    out["pixel_values"] = torch.as_tensor(inputs["pixel_values"])[start:stop]
    return out


def word(
    processor: Processor, family: Family, question: str, system: str | None, picture: bool
) -> str:
    """The prompt's text, one ``<|image_pad|>`` standing for the picture."""
    style = family.prompt
    if style.suffix and style.suffix.strip() not in question:
        question = question + style.suffix
    before, place, after = question.partition(PLACEHOLDER)
    if not picture:
        parts = [before + after]
    elif place:
        parts = [before, PLACEHOLDER, after]
    else:
        parts = [PLACEHOLDER, question] if style.image_first else [question, PLACEHOLDER]
    content = [
        {"type": "image"} if part == PLACEHOLDER else {"type": "text", "text": part}
        for part in parts
        if part
    ]
    messages: list[dict[str, Any]] = [{"role": "user", "content": content}]
    if system is not None:
        messages.insert(0, {"role": "system", "content": system})
    text: str = processor.tokenizer.apply_chat_template(
        messages,
        chat_template=processor.template,
        tokenize=False,
        add_generation_prompt=not style.bare_assistant,
    )
    return text + "<|im_start|>assistant" if style.bare_assistant else text


def disarm(tokenizer: Any, text: str) -> str:
    """Break special-token strings a person typed, so that they stay text.

    A zero-width space behind the first character keeps the words readable and keeps the
    tokenizer from reading e.g. ``<|im_end|>`` or a family's start token out of a question.
    """
    # some checkpoints add their tokens as ordinary ones; the tokenizer reads them all the same
    for token in sorted({*tokenizer.all_special_tokens, *tokenizer.get_added_vocab()}):
        text = text.replace(token, token[0] + "\u200b" + token[1:])
    return text


def _pixel_limits(images: Any) -> tuple[int, int]:
    size = getattr(images, "size", None) or {}
    least = getattr(images, "min_pixels", None) or size.get("shortest_edge", 56 * 56)
    most = getattr(images, "max_pixels", None) or size.get("longest_edge", 28 * 28 * 1280)
    return int(least), int(most)
