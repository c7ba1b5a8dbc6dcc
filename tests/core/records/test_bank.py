"""A bank on disk is the bank that was saved, and nothing else is taken for one."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from core.errors import RecordError
from core.records import Bank
from core.records.bank import BankItem, bank_of, settings_hash


def whole() -> Bank:
    words = [([4, 5], torch.randn(2, 3)), ([6], torch.randn(1, 3))]
    items = (BankItem("one", "plan", "Which way?", "R", "L"), BankItem("two", answer=None))
    settings = {"files": "abc", "budget": 3, "temperature": 0.0}
    return bank_of([torch.randn(3, 3), torch.randn(2, 3)], "two scenes", settings, items, words)


def test_a_bank_comes_back_as_it_was(tmp_path: Path):
    bank = whole()
    bank.save(tmp_path / "bank.safetensors")
    back = Bank.load(tmp_path / "bank.safetensors")
    for name in ("latents", "words"):
        assert torch.equal(getattr(back, name).nan_to_num(9), getattr(bank, name).nan_to_num(9))
    assert torch.equal(back.word_ids, torch.tensor([[4, 5], [6, -1]]))
    assert back.latents[1, 2].isnan().all()
    assert (back.source, back.items, back.settings) == (bank.source, bank.items, bank.settings)
    assert (
        back.hash == bank.hash == settings_hash({"temperature": 0.0, "budget": 3, "files": "abc"})
    )
    assert [path.name for path in tmp_path.iterdir()] == ["bank.safetensors"]


def test_a_bank_of_latents_alone_still_opens(tmp_path: Path):
    save_file({"latents": torch.ones(2, 3, 4)}, tmp_path / "b", metadata={"source": '"old"'})
    bank = Bank.load(tmp_path / "b")
    assert (bank.source, bank.settings, bank.hash, bank.items, bank.words) == (
        "old", None, None, (), None,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("tensors", "meta"),
    [
        ({"other": torch.ones(1)}, {}),
        ({"latents": torch.ones(2, 3)}, {}),
        ({"latents": torch.ones(0, 3, 4)}, {}),
        ({"latents": torch.ones(2, 3, 4, dtype=torch.float16)}, {}),
        ({"latents": torch.ones(2, 3, 4)}, {"items": '[{"id": "a"}]'}),
        ({"latents": torch.ones(2, 3, 4)}, {"items": '[{"colour": "a"}, {"id": "b"}]'}),
        ({"latents": torch.ones(2, 3, 4)}, {"items": "5"}),
        ({"latents": torch.ones(2, 3, 4)}, {"settings": "[]"}),
        ({"latents": torch.ones(2, 3, 4)}, {"settings": "{"}),
        ({"latents": torch.ones(2, 3, 4), "words": torch.ones(2, 1, 4)}, {}),
        (
            {
                "latents": torch.ones(2, 3, 4),
                "words": torch.ones(2, 1, 5),
                "word_ids": torch.ones(2, 1, dtype=torch.int64),
            },
            {},
        ),
    ],
)
def test_a_file_that_is_no_bank_is_refused_in_a_sentence(tmp_path: Path, tensors, meta):
    save_file(tensors, tmp_path / "b", metadata=meta)
    with pytest.raises(RecordError):
        Bank.load(tmp_path / "b")


def test_what_is_no_safetensors_file_is_refused(tmp_path: Path):
    (tmp_path / "b").write_bytes(b"not at all")
    for path in (tmp_path / "b", tmp_path / "absent"):
        with pytest.raises(RecordError, match="not a bank"):
            Bank.load(path)
