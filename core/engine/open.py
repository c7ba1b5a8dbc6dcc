"""Opening a checkpoint: which family it is, what its special tokens are, how it was loaded."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from core.engine.attention import use_kernel
from core.engine.captured import decoding_mode
from core.engine.device import choose
from core.engine.engine import Engine
from core.engine.instrument import Editor
from core.engine.loading import Loaded, load_model
from core.engine.machine import TokenIds
from core.engine.processor import LOADING, Processor, load_processor
from core.errors import BudgetError, CheckpointError, FamilyError
from core.families import Family, Vocabulary, detect, fits, get, names
from core.records import Bank


def open_engine(
    source: str | Path,
    editor: Editor,
    family: str | None = None,
    device: str = "auto",
    dtype: str = "auto",
    attention: str = "sdpa",
    revision: str | None = None,
    decode: str = "auto",
) -> Engine:
    """Load a checkpoint; see :func:`core.load`."""
    name = str(Path(source).expanduser()) if Path(source).expanduser().exists() else str(source)
    if Path(name).is_file():
        raise CheckpointError(f"{name} is a file; give the folder that holds config.json.")
    wanted = get(family) if family else None
    choice = choose(device, dtype)
    with LOADING:
        loaded = load_model(name, choice, attention, revision)
        processor = load_processor(name, revision)
    tokens = _tokens(processor)
    chosen = wanted or _detect(name, tokens, loaded.config)
    ids = resolve(chosen, processor, loaded)
    mode = decoding_mode(decode, loaded.model, attention)
    use_kernel(loaded.model, attention, chosen.divided_scores)
    notes = [choice.reason]
    if processor is None:
        notes.append("No tokenizer in the folder: it takes tensors only.")
    if chosen.head and loaded.head is not None:
        notes.append("A trained lvr_head projects every latent but the first, as published.")
    return Engine(
        loaded,
        processor,
        chosen,
        ids,
        choice,
        editor,
        name=name,
        attention=attention,
        decode=mode,
        budget=_budget(chosen, loaded.config),
        notes=tuple(notes),
        bank=_bank(name),
    )


def _tokens(processor: Processor | None) -> Collection[str]:
    return processor.tokenizer.get_vocab().keys() if processor else ()


def _detect(name: str, tokens: Collection[str], config: Mapping[str, Any]) -> Family:
    try:
        return detect(tokens, config)
    except FamilyError as error:
        raise FamilyError(f"{name}: {error}") from error


def _budget(family: Family, config: Mapping[str, Any]) -> int:
    own = config.get("zscope")
    if isinstance(own, Mapping) and isinstance(own.get("budget"), int):
        return int(own["budget"])
    if family.budget_key and isinstance(config.get(family.budget_key), int):
        budget = int(config[family.budget_key]) * family.budget_factor
        if budget < 1:
            raise BudgetError(
                f"config.json gives {family.budget_key} {budget}; it must be 1 or more."
            )
        return budget
    return family.budget


def _bank(name: str) -> Bank | None:
    path = Path(name) / "bank.safetensors"
    return Bank.load(path) if path.exists() else None


def resolve(family: Family, processor: Processor | None, loaded: Loaded) -> TokenIds:
    """The family's special tokens as ids of this checkpoint, by string where it can be.

    Raises:
        FamilyError: the tokenizer does not have the family's tokens.
    """
    eos = _end_of_text(loaded)
    if not family.latent:
        return TokenIds(eos=eos)
    if processor is None:
        vocabulary = family.vocabularies[0]
        roles = {
            role: _without_tokenizer(role, vocabulary, loaded) for role in vocabulary.strings()
        }
        markers = tuple(_without_tokenizer(m, vocabulary, loaded) for m in vocabulary.markers)
        return _token_ids(roles, markers, (), eos)
    table = processor.tokenizer.get_vocab()
    fitting = next((v for v in family.vocabularies if fits(v, table)), None)
    if fitting is None:
        lacking = [t for t in family.vocabularies[0].strings().values() if t not in table]
        raise FamilyError(
            f"This tokenizer has no {lacking[0]}, so the checkpoint is not {family.title}; "
            f"choose another family: {', '.join(names())}."
        )
    roles = {role: table[text] for role, text in fitting.strings().items()}
    markers = tuple(table[m] for m in fitting.markers if m in table)
    after = processor.tokenizer(family.after_exit, add_special_tokens=False)["input_ids"]
    rows = int(loaded.model.lm_head.weight.shape[0])
    outside = [text for role, text in fitting.strings().items() if roles[role] >= rows]
    if outside:
        raise CheckpointError(
            f"Token {outside[0]} has no row in the model's output layer; the tokenizer and the "
            "weights are not of the same checkpoint."
        )
    # the authors' evaluation forces the first token of it, the model writes the rest
    return _token_ids(roles, markers, tuple(after[:1]), eos)


def _token_ids(
    roles: Mapping[str, int],
    markers: tuple[int, ...],
    after_exit: tuple[int, ...],
    eos: tuple[int, ...],
) -> TokenIds:
    start, end, pad = (roles.get(role, -1) for role in ("start", "end", "pad"))
    return TokenIds(start, end, pad, markers, after_exit, eos)


def _without_tokenizer(role: str, vocabulary: Vocabulary, loaded: Loaded) -> int:
    key = vocabulary.config_keys.get(role)
    if key is not None and isinstance(loaded.config.get(key), int):
        return int(loaded.config[key])
    if role in vocabulary.published_ids:
        return vocabulary.published_ids[role]
    raise FamilyError(
        f"Without a tokenizer the id of the family's {role} token is unknown; add tokenizer.json."
    )


def _end_of_text(loaded: Loaded) -> tuple[int, ...]:
    own = loaded.model.generation_config.eos_token_id
    if own is None:
        own = loaded.config.get("eos_token_id")
    if own is None:
        return ()
    return tuple(own) if isinstance(own, (list, tuple)) else (int(own),)
