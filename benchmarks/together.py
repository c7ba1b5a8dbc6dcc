"""What it brings that several visitors' wishes go through the model together.

    python benchmarks/together.py --visitors 1 2 4 8
    python benchmarks/together.py --model assets/models/words --latents 32

Visitors stand in the page's own line and ask the model without a browser between: a run about a
picture of their own and then edits of it, one after another as soon as the last is answered. Each
number of visitors works once with wishes one at a time and once together (up to eight at once),
the same wishes both times, and every answer is compared. What is printed: wishes a second by the
wall and by processor time, the ratio of the two ways, the most that went together, and the number
of answers that differ. Then how long an edit takes that is wished for while another visitor's long
run is going, and what that costs the run, singly and together. The exit code is 1 where an answer
differs.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.crowd import KINDS


def work(room: Any, item: Any, who: int, edits: int, latents: int, said: list[Any]) -> None:
    """One visitor's wishes."""
    from core.records import Edit

    def turn() -> Any:
        return room.line.join(str(who), beside=room.beside)

    with turn() as ticket:
        ticket.take()
        base = room.sharing.run(
            item.image, item.question, force_latents=True, budget=latents or None
        )
    said.append(base.token_ids)
    for n in range(edits):
        edit = Edit(KINDS[n % len(KINDS)], steps=tuple(range(len(base.spans[0]))), seed=n)
        with turn() as ticket:
            ticket.take()
            child = room.sharing.branch(base, [edit])
            room.sharing.score(child, item.options)
        said.append(child.token_ids)
        room.let_go({child.id}, {base.id})
    room.let_go({base.id})


def crowd(engine: Any, items: Any, visitors: int, edits: int, latents: int, together: int) -> Any:
    """(seconds, processor seconds, answers by visitor, the most that went together)."""
    from gui.line import Line
    from gui.workshop import Workshop

    room = Workshop(lambda: engine, lambda: (), lambda: (), Line(64, together), together=together)
    room.start()
    room.done.wait()
    said: list[list[Any]] = [[] for _ in range(visitors)]
    threads = [
        threading.Thread(
            target=work, args=(room, items[who % len(items)], who, edits, latents, said[who])
        )
        for who in range(visitors)
    ]
    wall, spent = time.perf_counter(), time.process_time()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return time.perf_counter() - wall, time.process_time() - spent, said, room.sharing.largest


def middle(engine: Any, items: Any, words: int, together: int, tries: int) -> Any:
    """(seconds of an edit of 24 words that comes in the middle of a run of so many, of that run,
    what both said), medians."""
    from core.records import Edit
    from gui.line import Line
    from gui.workshop import Workshop

    room = Workshop(lambda: engine, lambda: (), lambda: (), Line(64, together), together=together)
    room.start()
    room.done.wait()
    base = engine.run(items[0].image, items[0].question, force_latents=True, max_new_tokens=24)
    said: list[Any] = []
    took: dict[str, list[float]] = {"edit": [], "run": []}

    def run() -> None:
        with room.line.join("long", beside=room.beside) as ticket:
            ticket.take()
            start = time.perf_counter()
            trace = room.sharing.run(
                items[1].image, items[1].question, force_latents=True, max_new_tokens=words
            )
            took["run"].append(time.perf_counter() - start)
        said.append(trace.token_ids)
        room.let_go({trace.id})

    run()
    whole = took["run"].pop()
    for n in range(tries):
        first = threading.Thread(target=run)
        first.start()
        time.sleep(whole * (n + 0.5) / tries)  # anywhere in it
        start = time.perf_counter()
        with room.line.join("edit", beside=room.beside) as ticket:
            ticket.take()
            child = room.sharing.branch(base, [Edit("gaussian", dose=1.0, seed=n)])
        took["edit"].append(time.perf_counter() - start)
        first.join()
        said.append(child.token_ids)
        room.let_go({child.id})
    return statistics.median(took["edit"]), statistics.median(took["run"]), said


def main() -> int:
    """Read the flags, measure, and tell."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="assets/models/faithful")
    parser.add_argument("--visitors", type=int, nargs="+", default=[1, 2, 4, 8])
    parser.add_argument("--edits", type=int, default=20, help="of each visitor")
    parser.add_argument("--latents", type=int, default=0, help="0: the model's own number")
    parser.add_argument("--long", type=int, nargs="*", default=[120, 480], help="words of the run")
    parser.add_argument("--tries", type=int, default=15, help="edits in the middle of a run")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--dtype", default="auto")
    flags = parser.parse_args()
    import core
    from core.scenes import gallery

    engine = core.load(flags.model, device=flags.device, dtype=flags.dtype)
    items = gallery()
    print(f"{engine.name}, {engine.choice.dtype_name} on {engine.passes.device}")
    crowd(engine, items, 2, 3, flags.latents, 8)  # warm
    differ = 0
    for visitors in flags.visitors:
        wishes = visitors * (1 + flags.edits)
        alone = crowd(engine, items, visitors, flags.edits, flags.latents, 1)
        both = crowd(engine, items, visitors, flags.edits, flags.latents, 8)
        differ += sum(
            a != b
            for x, y in zip(alone[2], both[2], strict=True)
            for a, b in zip(x, y, strict=True)
        )
        print(
            f"{visitors:3} visitors, {wishes:4} wishes: {wishes / alone[0]:6.1f} a second singly, "
            f"{wishes / both[0]:6.1f} together ({alone[0] / both[0]:.2f} ×; by processor time "
            f"{alone[1] / both[1]:.2f} ×), at most {both[3]} at once",
            flush=True,
        )
    engine.ids = replace(engine.ids, eos=())  # only their lengths end them
    for words in flags.long:
        one, both = (middle(engine, items, words, n, flags.tries) for n in (1, 8))
        differ += sum(a != b for a, b in zip(sorted(one[2]), sorted(both[2]), strict=True))
        print(
            f"an edit in the middle of a run of {words} words: {one[0] * 1000:.0f} ms singly, "
            f"{both[0] * 1000:.0f} ms together; the run takes {one[1] * 1000:.0f} and "
            f"{both[1] * 1000:.0f} ms",
            flush=True,
        )
    print(f"answers that differ: {differ}")
    return 1 if differ else 0


if __name__ == "__main__":
    sys.exit(main())
