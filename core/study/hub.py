"""Data sets of the Hugging Face hub: ``hub:OWNER/NAME``, or ``hub:OWNER/NAME:SPLIT``.

The hub keeps a Parquet copy of most data sets; that copy is fetched once, kept where the hub's
own client keeps things, and read like any other Parquet file.
"""

from __future__ import annotations

from pathlib import Path

from core.errors import RecordError

PREFIX = "hub:"
CONVERTED = "refs/convert/parquet"


def tables_of(name: str) -> list[Path]:
    """The Parquet files of a data set, in order.

    Args:
        name: ``hub:OWNER/NAME`` with an optional ``:SPLIT`` (the test split, else any, is taken
            where none is named).

    Raises:
        RecordError: it cannot be had, or has no such split.
    """
    repo, _, split = name.removeprefix(PREFIX).partition(":")
    from huggingface_hub import snapshot_download

    try:
        place = snapshot_download(
            repo,
            repo_type="dataset",
            revision=CONVERTED,
            allow_patterns=f"*/{split}/*.parquet" if split else "*.parquet",
        )
    except Exception as error:  # of the network, the name, or the rights
        raise RecordError(
            f"The data set {repo} cannot be fetched from the hub ({type(error).__name__}): see "
            "that its name is right and that this machine is online, or give a file."
        ) from error
    found = sorted(Path(place).glob(f"*/{split or '*'}/*.parquet"))
    tests = [path for path in found if path.parent.name in ("test", "validation")]
    chosen = found if split else (tests or found)
    # one configuration and split: several would mix data sets
    chosen = [path for path in chosen if path.parent == chosen[0].parent]
    if not chosen:
        raise RecordError(
            f"The data set {repo} has no {'split “' + split + '”' if split else 'Parquet copy'} on "
            "the hub; give a file."
        )
    return chosen
