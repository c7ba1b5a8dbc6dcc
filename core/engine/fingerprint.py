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


def files_fingerprint(engine: Engine) -> str:
    """Twelve hex digits of a checkpoint's files.

    Of a folder, name and size of every file it is made of, with the first and last MiB of it;
    of a hub checkpoint its id and commit.
    """
    digest = hashlib.sha256()
    folder = Path(engine.name)
    if not folder.is_dir():
        return hashlib.sha256(f"{engine.name}@{engine.loaded.revision}".encode()).hexdigest()[:12]
    for path in sorted(folder.rglob("*")):
        weights = path.suffix == ".safetensors" and not path.name.startswith("bank")
        if (weights or path.name in READ) and path.is_file():
            size = path.stat().st_size
            digest.update(f"{path.relative_to(folder).as_posix()}:{size}:".encode())
            with path.open("rb") as file:
                digest.update(file.read(1 << 20))
                file.seek(max(0, size - (1 << 20)))
                digest.update(file.read())
    return digest.hexdigest()[:12]
