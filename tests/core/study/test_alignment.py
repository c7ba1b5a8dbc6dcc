"""The two runs of a cross are lined up: the same words before the latents, or told apart."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

import core
from core.engine import Engine
from core.errors import InputError
from core.records import Trace
from core.study import alignment
from core.study.arms import Arm, Input, Latent
from core.study.design import Design
from core.study.items import StudyItem
from core.study.parents import Parents
from tests.core.engine import tiny
from tests.core.engine.scripts import letters

CHANGED = Input("swap image")
BLANK = Input("blank")
ARMS = (
    Arm("input changed", "input", x=CHANGED),
    Arm("crossed", "mediation", x=CHANGED, z=(Latent("transplant"),), donor="x"),
    Arm("blank picture", "blind", x=BLANK),
)
DESIGN = Design(ARMS, max_new_tokens=20, budget=4)
ITEMS = [
    StudyItem(name, "What colour?", answer, lambda seed=seed: tiny.picture(seed),
              transfer=lambda donor: donor.answer, judge=lambda said, own=answer: said == own)
    for seed, (name, answer) in enumerate((("first", "red"), ("second", "blue")))
]  # fmt: skip
Says = Callable[[int], str]


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    folder = tiny.write_checkpoint(tmp_path_factory.mktemp("model"), "monet", seed=3)
    return core.load(folder, device="cpu", dtype="float32")


def runs(
    engine: Engine,
    monkeypatch: pytest.MonkeyPatch,
    words: Sequence[str],
    design: Design = DESIGN,
) -> tuple[Trace, Trace, Trace, list[list[str]]]:
    """The first item's runs as it is, on the other's picture and on none, by a scripted model.

    Args:
        words: what the model says by itself at each time it is asked, in letters; what it is
            made to begin with takes the place of as many of them.
    """
    known = letters(engine)
    said, asked, plain = list(words), [], Engine.run_many

    def scripted(self: Engine, questions: Sequence[Any], **options: Any) -> list[Trace]:
        own = [known[letter] for letter in said.pop(0)]
        given = options.pop("begins", None) or [()] * len(questions)
        names = {number: letter for letter, number in known.items()}
        asked.append(["".join(names[i] for i in ids) for ids in given])
        begins = [[*ids, *own[len(ids) :]] for ids in given]
        return plain(self, questions, begins=begins, **options)

    with monkeypatch.context() as patch:
        patch.setattr(Engine, "run_many", scripted)
        parents = Parents(engine, design, ITEMS, [0, 1], {0: list(design.arms)})
        parents.ask()
    found = [parents.base[0], parents.changed[0, (CHANGED, False)]]
    found.append(parents.changed[0, (BLANK, False)])
    assert all(isinstance(one, Trace) for one in found), found
    return *found, asked  # type: ignore[return-value]


def test_the_changed_run_begins_with_the_items_own_words(engine: Engine, monkeypatch):
    own, other, blank, asked = runs(engine, monkeypatch, ["xySxxxxx", "yxxx", "yySxxxxx"])
    assert asked == [["", ""], [""], ["xy"]]  # a blank picture is told nothing
    assert other.token_ids[:3] == own.token_ids[:3]
    assert [(s.start, len(s)) for s in other.spans] == [(s.start, len(s)) for s in own.spans]
    assert alignment.agree(own, other)
    assert not blank.spans


def test_paired_runs_go_their_own_way(engine: Engine, monkeypatch):
    design = replace(DESIGN, alignment="paired")
    own, other, _, asked = runs(engine, monkeypatch, ["xySxxxxx", "xxxx", "ySxxxxxx"], design)
    assert asked == [["", ""], [""], [""]]
    assert len(other.spans) == len(own.spans) == 1
    assert not alignment.agree(own, other)


def test_where_later_spans_differ_the_words_between_are_held(engine: Engine, monkeypatch):
    base, later = "xSxxxxxxSxxxxxxxx", "xSxxxxxxxxSxxxxxx"
    own, other, _, asked = runs(engine, monkeypatch, [base, "xxxx", later, later])
    assert [len(span) for span in own.spans] == [4, 4]
    assert asked[2] == ["x"]
    assert asked[3][0].startswith("xSxxxxxxS")
    assert alignment.agree(own, other)


def test_nobody_is_made_to_open_a_span(engine: Engine, monkeypatch):
    """The changed input closes the gate: that is found, not overruled."""
    own, other, _, asked = runs(engine, monkeypatch, ["xySxxxxx", "xxxx", "xyxxxxxx"])
    assert asked[-1] == ["xy"]
    assert own.spans
    assert not other.spans


def test_rows_of_another_alignment_are_other_rows():
    assert DESIGN.fingerprint() != replace(DESIGN, alignment="paired").fingerprint()
    with pytest.raises(InputError, match="aligned"):
        replace(DESIGN, alignment="loosely")
