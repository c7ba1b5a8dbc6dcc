"""Hand in what nobody means well with, and see that a result or one sentence comes out.

    python benchmarks/fuzz.py --inputs 50000 --seed 0

Session files, tables of items, pictures, edit lists, arguments of the endpoints, values of every
control of the page and raw requests are drawn from a seed, most of them from sound ones with a
few places spoiled. What is printed: for each sort how many inputs were tried, taken and refused
with which named error, and every input with which anything else came out, up to a few of each.
The exit code is 1 where one did. ``--again SORT:NUMBER`` tries one of the same seed alone.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import random
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

SHOWN = 3  # inputs of one sort that are printed with the same kind of failure
SLOW = 10.0  # seconds for one input from which it is told


def drawn(seed: int, name: str, number: int) -> random.Random:
    """The draw of one input, the same whenever it is asked for."""
    return random.Random(f"{seed}/{name}/{number}")


def tried(kind: Any, seed: int, count: int, show: int = SHOWN) -> tuple[Counter[str], int]:
    """Try inputs of one sort; how each ended, and how many with what nobody named."""
    from tests.fuzz.kind import Unnamed

    ends: Counter[str] = Counter()
    failures: Counter[str] = Counter()
    began = time.perf_counter()
    for number in range(count):
        given = kind.draw(drawn(seed, kind.name, number))
        start = time.perf_counter()
        try:
            with contextlib.redirect_stderr(io.StringIO()):
                ends[kind.tried(given)] += 1
        except Unnamed as error:
            sort = str(error)[:60]
            failures[sort] += 1
            if failures[sort] <= show:
                cause = error.__cause__
                frames = traceback.extract_tb(cause.__traceback__)[-3:] if cause else []
                where = " > ".join(f"{Path(f.filename).name}:{f.lineno} {f.name}" for f in frames)
                said = str(error)[:400].encode("utf-8", "backslashreplace").decode()
                print(f"UNNAMED {kind.name}:{number} {said}\n  {where}\n  {ascii(given)[:300]}")
        if time.perf_counter() - start > SLOW:
            print(f"SLOW {kind.name}:{number} {time.perf_counter() - start:.0f} s")
    bad = sum(failures.values())
    seconds = time.perf_counter() - began
    told = ", ".join(f"{name} {n}" for name, n in ends.most_common())
    print(f"{kind.name:28} {count:6} tried in {seconds:5.0f} s, {bad} unnamed: {told}", flush=True)
    return ends, bad


def main() -> int:
    """Read the flags, try everything, and tell."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--inputs", type=int, default=50_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="sorts whose name holds this")
    parser.add_argument("--again", default="", metavar="SORT:NUMBER")
    flags = parser.parse_args()
    warnings.simplefilter("ignore")
    from tests.fuzz import calls, payloads, pictures, sessions, tables

    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        site = payloads.Site(place / "none")
        kinds = [
            *sessions.kinds(), *tables.kinds(place / "tables"), *pictures.kinds(),
            *calls.kinds(place), *payloads.kinds(site),
        ]  # fmt: skip
        try:
            if flags.again:
                name, _, number = flags.again.rpartition(":")
                kind = next(k for k in kinds if k.name == name)
                given = kind.draw(drawn(flags.seed, name, int(number)))
                print(ascii(given)[:5000])
                print(kind.tried(given))
                return 0
            all_shares, count, bad = sum(k.share for k in kinds), 0, 0
            for kind in (k for k in kinds if flags.only in k.name):
                share = max(1, round(flags.inputs * kind.share / all_shares))
                bad += tried(kind, flags.seed, share)[1]
                count += share
            print(f"{'all':28} {count:6} tried, {bad} unnamed")
            return 1 if bad else 0
        finally:
            site.close()


if __name__ == "__main__":
    sys.exit(main())
