"""The Guide's three findings: what each step does, and the presenter's words beside it.

A step tells beforehand only what will be done and what to look at. What came of it is a sentence
made from the numbers of that moment.
"""

from __future__ import annotations

from dataclasses import dataclass

from gui.demonstrations import (
    Act,
    alike,
    ask,
    change,
    count,
    own_sentence,
    path,
    swap,
    together,
)


@dataclass(frozen=True)
class Step:
    """One click of the Guide: its heading, the presenter's words, and what is done."""

    title: str
    words: str
    act: Act


@dataclass(frozen=True)
class Finding:
    """Five steps that show one thing.

    Attributes:
        title: heading.
        model: name of the shipped model it is shown with.
    """

    title: str
    model: str
    steps: tuple[Step, ...]


FINDINGS = (
    Finding(
        "Imagined, and ignored",
        "shortcut",
        (
            Step(
                "It imagines, then it answers",
                "Here is a picture and a question. Before it says a word, this model feeds itself "
                "latents: vectors in the place of words. Each is drawn as a bar code. Then it "
                "answers.",
                ask("shortcut"),
            ),
            Step(
                "Erase the imagination",
                "Now every latent is replaced by zeros, and the model goes on from there. The "
                "receipt proves that the edit arrived. Does the answer care?",
                change("shortcut", "zero", "All latents zero"),
            ),
            Step(
                "Imagine something else",
                "Zeros are a vector it never saw. So take real latents, of another picture with "
                "another answer. If the answer is read from the latents, it has to follow.",
                swap("shortcut"),
            ),
            Step(
                "Not only this picture",
                "One picture proves little. The same edit on every example, one after the other, "
                "counted while you watch.",
                count("shortcut", "zero"),
            ),
            Step(
                "What is in the latents?",
                "If the latents were about the picture, those of different pictures would differ. "
                "Compare them step by step.",
                alike,
            ),
        ),
    ),
    Finding(
        "Imagined, and used",
        "faithful",
        (
            Step(
                "Another model, the same question",
                "The same picture, and from the outside the same behaviour: latents, then an "
                "answer. Only an edit can tell the two models apart.",
                ask("faithful"),
            ),
            Step(
                "Erase the imagination",
                "The edit that was made before: zeros in the place of every latent. Watch the "
                "answer, and the bars of the other options.",
                change("faithful", "zero", "All latents zero"),
            ),
            Step(
                "Imagine something else",
                "Latents of another picture. The picture itself stays where it was, and the "
                "question too. Which of the two does the answer follow?",
                swap("faithful"),
            ),
            Step(
                "Not only this picture",
                "On every example, with the latents of another picture: how many answers are now "
                "those of the other picture?",
                count("faithful", "swap"),
            ),
            Step(
                "The imagination is a path",
                "A planning question: lead the way past the holes. Each latent points at the "
                "piece of the picture it is most like. Join the points in the order in which they "
                "were imagined.",
                path,
            ),
        ),
    ),
    Finding(
        "Imagined in words",
        "words",
        (
            Step(
                "A sentence in place of latents",
                "This model imagines too, but in a sentence you can read. Then it answers.",
                ask("words"),
            ),
            Step(
                "Put other words in its mouth",
                "The sentence is replaced by the one it wrote about another picture, and it goes "
                "on from there. The picture in front of it has not changed.",
                swap("words"),
            ),
            Step(
                "The same words again",
                "A control: its own sentence, put back by the same hand. If touching the sentence "
                "were enough to turn the answer, it would turn now.",
                own_sentence,
            ),
            Step(
                "Not only this picture",
                "On every example, with the sentence of another picture.",
                count("words", "swap"),
            ),
            Step(
                "Three models, one edit",
                "Three models that answer the same questions. The same edit in each: what was "
                "imagined for another picture. This is what a look at the answers alone would "
                "never have shown.",
                together("shortcut", "faithful", "words"),
            ),
        ),
    ),
)


def place_of(position: int) -> tuple[Finding, Step, int]:
    """Finding, step and the step's number (from 1) at a position among all steps."""
    for finding in FINDINGS:
        if position < len(finding.steps):
            return finding, finding.steps[position], position + 1
        position -= len(finding.steps)
    raise IndexError("the Guide has no such step")


LAST = sum(len(finding.steps) for finding in FINDINGS) - 1
