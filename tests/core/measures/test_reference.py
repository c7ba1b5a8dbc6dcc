"""What a bank says is normal, against hand-worked pairs."""

import pytest
import torch

from core.errors import InputError
from core.measures.reference import bank_reference, evenly, panels_of, words_cosine
from core.measures.similarity import within_run
from core.records.bank import Bank, BankItem, bank_of
from tests.core.measures.clouds import cloud

X, Y, D = [1.0, 0.0], [0.0, 1.0], [0.6, 0.8]


def worded() -> Bank:
    """Two items: one says words 1 and 2, the other 1 and 3."""
    words = [([1, 2], torch.tensor([X, Y])), ([1, 3], torch.tensor([X, D]))]
    return bank_of([cloud(0, 3, 2), cloud(1, 2, 2)], words=words)


def test_only_different_words_of_different_items_are_pairs():
    # (1, 3): X·D = 0.6; (2, 1): Y·X = 0; (2, 3): Y·D = 0.8; the two 1s are the same word
    assert words_cosine(worded()) == pytest.approx((0.6 + 0.0 + 0.8) / 3, abs=1e-6)
    assert words_cosine(worded(), "corrected") == 0


def test_the_centred_line_is_that_of_centred_words():
    table = torch.tensor([X, Y, X, D])
    unit = torch.nn.functional.normalize(table - table.mean(0), dim=1)
    expected = float(unit[0] @ unit[3] + unit[1] @ unit[2] + unit[1] @ unit[3]) / 3
    assert words_cosine(worded(), "centred") == pytest.approx(expected, abs=1e-6)


def test_a_bank_gives_the_reference_the_corrected_cosine_needs():
    bank = worded()
    reference = bank_reference(bank)
    b = words_cosine(bank)
    assert torch.allclose(reference.mean.float(), bank.mean, equal_nan=True)
    raw = within_run(bank.latents[0])
    expected = (raw - b) / (1 - b)
    assert torch.allclose(within_run(bank.latents[0], "corrected", reference), expected)


def test_without_words_there_is_no_line():
    bank = bank_of([cloud(0, 3, 2)])
    assert words_cosine(bank) is None
    assert bank_reference(bank).unrelated is None
    same = bank_of([cloud(0, 3, 2)], words=[([1, 2], torch.tensor([X, Y]))])
    assert words_cosine(same) is None  # one item alone: nothing is unrelated
    with pytest.raises(InputError, match="unknown"):
        words_cosine(bank, "cooked")


def test_rows_of_a_grid_are_ordered_by_task_and_shared_out():
    names = ["b", "a", "b", "a", "b", "c"]
    assert evenly(names, 10) == [1, 3, 0, 2, 4, 5]
    assert evenly(names, 3) == [1, 0, 5]
    assert evenly([], 3) == []
    items = tuple(BankItem(str(n), name) for n, name in enumerate(names))
    rows, table = panels_of(Bank(cloud(0, 6, 2, 3), items=items), 3)
    assert rows == [1, 0, 5]
    assert table.shape == (3, 2, 3)
