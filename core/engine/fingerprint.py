"""Which model this is, by its files."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from core.engine.engine import Engine

READ = (
    "config.json",
    "generation_config.json",
    "preprocessor_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "chat_template.jinja",
)
"""Files of a checkpoint that decide what it says, beside its weights; a card does not."""


def files_fingerprint(engine: Engine, how: str = "") -> str:
    """Twelve hex digits of a checkpoint's files.

    Of a folder, name and size of every file it is made of, with the first and last MiB of it;
    of a hub checkpoint its id and commit.

    Args:
        how: what counts beside the files, in words; it goes into the same digest behind them.
    """
    digest = hashlib.sha256()
    folder = Path(engine.name)
    if not folder.is_dir():
        digest.update(f"{engine.name}@{engine.loaded.revision}".encode())
    for path in _deciding(folder):
        size = path.stat().st_size
        digest.update(f"{path.relative_to(folder).as_posix()}:{size}:".encode())
        with path.open("rb") as file:
            digest.update(file.read(1 << 20))
            file.seek(max(0, size - (1 << 20)))
            digest.update(file.read())
    digest.update(how.encode())
    return digest.hexdigest()[:12]


def _deciding(folder: Path) -> list[Path]:
    """The weights and the files of :data:`READ`; none where there is no such folder."""
    found = []
    for path in sorted(folder.rglob("*")) if folder.is_dir() else ():
        weights = path.suffix == ".safetensors" and not path.name.startswith("bank")
        if (weights or path.name in READ) and path.is_file():
            found.append(path)
    return found
