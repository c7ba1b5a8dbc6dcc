"""What a family of latent-reasoning models is: settings of one decoder, stated as a value.

Every published loop is the same machine with other settings. After each forward pass the
machine looks at the token it *consumed*, the token that was *sampled* and (one strategy of
one family) a distance, and says which token is *recorded* for the next slot and whether that
slot is *fed* the token's embedding or the hidden state that was just computed. The settings
below are all there is to say about a family; the machine itself is
:mod:`core.engine.machine`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from core.families.answers import Answer, parse

Trigger = Literal["sampled", "consumed", "never"]
Exit = Literal["count", "end token", "distance", "repeat"]


@dataclass(frozen=True)
class Vocabulary:
    """Special tokens of a family by their strings; ids differ between families.

    The same number means different things in different families (151665 is a pad for Monet
    and Mirage and the *start* token for LVR), so a token is always found by its string.

    Attributes:
        start, end, pad: the strings; None where the family has no such token.
        markers: tokens that belong to the span's closing and say nothing, e.g. LVR's
            ``<|lvr_latent_end|>``; skipped together with ``end`` when a span is deleted.
        config_keys: role → key of config.json that holds its id, for a checkpoint that
            comes without a tokenizer.
        published_ids: role → id in the released checkpoints, the last resort.
    """

    start: str | None = None
    end: str | None = None
    pad: str | None = None
    markers: tuple[str, ...] = ()
    config_keys: Mapping[str, str] = field(default_factory=dict)
    published_ids: Mapping[str, int] = field(default_factory=dict)

    def strings(self) -> dict[str, str]:
        """Role → string of the roles this vocabulary has."""
        roles = {"start": self.start, "end": self.end, "pad": self.pad}
        return {role: text for role, text in roles.items() if text is not None}


@dataclass(frozen=True)
class PromptStyle:
    """How a family words its prompt.

    Attributes:
        suffix: added to the question unless the question already contains it.
        system: system text, or None for the chat template's own.
        image_first: the picture stands before the question.
        bare_assistant: the prompt ends in ``<|im_start|>assistant`` without the newline, so
            that the model itself begins with it (Mirage).
        before_start: text that precedes a forced start token.
    """

    suffix: str = ""
    system: str | None = None
    image_first: bool = True
    bare_assistant: bool = False
    before_start: str = ""


@dataclass(frozen=True)
class Family:
    """One family of models.

    Attributes:
        name: what ``core.load(…, family=…)`` takes.
        title: for people.
        summary: one sentence: what is fed back, and where.
        vocabularies: alternatives, the first that a checkpoint satisfies is taken; empty for
            a family that reasons in words.
        trigger: what opens a span: the start token being sampled, or being consumed.
        start_slot: what the start token's own slot is fed: its embedding, or the first latent.
        budget: latents a span is given when nobody says otherwise.
        budget_key: config.json key that holds a checkpoint's own budget.
        budget_factor: the published loop allows this many times the configured number.
        count_scope: ``"span"``: every span counts afresh; ``"start"``: every start token
            does, also one inside a span; ``"run"``: Mirage's published flags, set once and
            never cleared (its second span is not counted).
        record: what is recorded in a latent slot, the pad or whatever was sampled.
        exits: what can end a span.
        emit: the token behind a counted-out span is forced to be the end token, or is
            whatever the model predicts there.
        eos_inside: an end-of-text token sampled inside a span stops the run, is ignored
            (recorded, the span goes on), or is overwritten by the pad.
        obeys_length: whether ``max_new_tokens`` can end a run inside a span.
        strategies: what ``strategy=`` may be; the first is the default.
        head: a projection the checkpoint may bring (``lvr_head.*``) applies to latents.
        force_first: the published loop forces the start token as the first thing said.
        after_exit: text whose first token is forced behind an end token that was itself
            forced (by count or repeat).
        prompt: how the question is worded.
        answer_format: which parser reads the answer.
        answer_opening: text right before the answer, appended when options are scored on a
            run that never opened an answer; ``answer_closing`` ends it.
        divided_scores: the authors' loop ran on a transformers (up to 4.51) that divided
            attention scores by √d; reproduced with ``attention="eager"``.
        config_hints: config.json keys that only this family writes.
        only_by_name: never chosen by detection, because another family owns its tokens.
        checkpoints: hub ids known to belong here.
        needs: what to know before running it, for the README and the page.
        source: where the decoding rule was read.
    """

    name: str
    title: str
    summary: str
    vocabularies: tuple[Vocabulary, ...] = ()
    trigger: Trigger = "never"
    start_slot: Literal["embed", "latent"] = "embed"
    budget: int = 0
    budget_key: str | None = None
    budget_factor: int = 1
    count_scope: Literal["span", "start", "run"] = "span"
    record: Literal["pad", "sampled"] = "pad"
    exits: tuple[Exit, ...] = ()
    emit: Literal["forced", "predicted"] = "forced"
    eos_inside: Literal["stop", "ignore", "overwrite"] = "overwrite"
    obeys_length: bool = True
    strategies: tuple[str, ...] = ()
    head: bool = False
    force_first: bool = False
    after_exit: str = ""
    prompt: PromptStyle = field(default_factory=PromptStyle)
    answer_format: Literal["boxed", "tag", "letter"] = "boxed"
    divided_scores: bool = False
    config_hints: tuple[str, ...] = ()
    only_by_name: bool = False
    imagines_in_words: bool = False
    checkpoints: tuple[str, ...] = ()
    needs: str = ""
    source: str = ""

    @property
    def latent(self) -> bool:
        """Whether the family reasons in latent slots at all."""
        return self.trigger != "never"

    @property
    def answer_opening(self) -> str:
        """Text that stands right before an answer."""
        return "\\boxed{" if self.answer_format == "boxed" else "<answer>"

    @property
    def answer_closing(self) -> str:
        """Text that stands right behind an answer."""
        return "}" if self.answer_format == "boxed" else "</answer>"

    def parse(self, text: str) -> Answer:
        """The answer in ``text`` (latent slots already left out), or why there is none."""
        return parse(text, self.answer_format)
