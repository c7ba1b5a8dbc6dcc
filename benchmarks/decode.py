"""Decoding step by step: stock generate, the eager loop, the captured loop, the device's limit.

    python benchmarks/decode.py [--shape demo|3b|7b] [--layers N] [--tokens 1024] [--answer 64]
                                [--rows 1] [--repeat 3] [--compiled] [--divergence 0]

A step is one slot of every row; its time is the median from one pass to the next over all steps
of some answers. The limit is the time to read, once, the weights a step uses and the cache,
at the bandwidth of a measured copy. On a CPU and one thread times are of the process, not of the
clock on the wall; ``captured`` is then the graph's step without a graph. ``--divergence N`` tells
where the words of N questions first differ between the paths, against the eager path with itself,
alone and in a batch. Random weights of the shape are drawn on the device
(:mod:`benchmarks.shapes`).
"""

from __future__ import annotations

import platform
import sys
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

import torch

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.shapes import SETTLED, Bench, asked_for, made  # noqa: E402
from core.engine.captured import Captured  # noqa: E402
from core.engine.prompts import batched  # noqa: E402
from core.measures.statistics import wilson  # noqa: E402


def bandwidth(device: torch.device) -> float:
    """Bytes a second of a copy, read and write counted."""
    size = (1 << 30) if device.type == "cuda" else (1 << 27)
    source = torch.ones(size // 4, device=device)
    target = torch.empty_like(source)
    where = Bench("", _At(device), 0)  # type: ignore[arg-type]
    taken = where.seconds(lambda: [target.copy_(source) for _ in range(8)], 5)
    return 16 * size / taken


class _At:
    """As much of an engine as a clock needs."""

    def __init__(self, device: torch.device) -> None:
        self.passes = self
        self.device = device


def step_bytes(test: Bench, tokens: int, rows: int) -> tuple[int, int]:
    """Bytes of weights and of keys and values that one step reads."""
    passes = test.engine.passes
    weights = sum(w.nbytes for layer in passes.language.layers for w in layer.parameters())
    weights += passes.unembedding.weight.nbytes
    config = passes.config.text_config
    head = config.hidden_size // config.num_attention_heads
    slot = 2 * config.num_hidden_layers * config.num_key_value_heads * head
    return weights, rows * tokens * slot * passes.embedding.weight.element_size()


def mode(test: Bench, name: str) -> str:
    """Switch the engine's decoding."""
    test.engine.passes.captured = Captured(test.engine.passes.language, name)
    return name


def generate_step(test: Bench, inputs: dict[str, Any], answer: int, repeat: int) -> float:
    """Seconds a step of transformers' own generate."""
    passes = test.engine.passes
    moved = {key: value.to(passes.device) for key, value in inputs.items()}
    moved["pixel_values"] = moved["pixel_values"].to(passes.embedding.weight.dtype)
    said = {"max_new_tokens": answer + SETTLED + 1, "min_new_tokens": answer + SETTLED + 1}

    def say() -> None:
        passes.model.generate(**moved, **said, do_sample=False, pad_token_id=0)

    return test.step_seconds(passes.model, "forward", say, repeat)


def loop_step(test: Bench, inputs: dict[str, Any], answer: int, repeat: int) -> float:
    """Seconds a step of this program's loop, ten of the slots latent."""

    def say() -> None:
        test.engine.decode(inputs, None, answer + SETTLED + 1, 10, force_latents=True)
        test.engine.store.clear()

    return test.step_seconds(test.engine.passes, "decode", say, repeat)


def divergence(test: Bench, count: int, tokens: int, answer: int, captured: str) -> None:
    """Where words first differ between two paths, beside what the eager path does to itself."""
    engine = test.engine
    engine.ids = replace(engine.ids, eos=())  # every answer has its full length
    asked = [test.question(tokens, seed) for seed in range(count)]
    options = {"max_new_tokens": answer, "budget": 10}

    def say() -> list[tuple[int, ...]]:
        out = [engine.decode(one, **options).token_ids for one in asked]
        engine.store.clear()
        return out

    def together(rows: int) -> list[tuple[int, ...]]:
        out: list[tuple[int, ...]] = []
        for at in range(0, count, rows):
            some = engine.decode(batched(asked[at : at + rows]), **options)
            out += [trace.token_ids for trace in (some if isinstance(some, list) else [some])]
        engine.store.clear()
        return out

    mode(test, "eager")
    first, again = say(), say()
    paths = {
        "eager, run again": again,
        "eager, in batches of 2": together(2),
        "eager, in batches of 8": together(8),
        "eager, in batches of 32": together(32),
    }
    mode(test, captured)
    paths |= {f"{captured}, alone": say(), f"{captured}, in batches of 8": together(8)}
    print(f"\nfirst word that differs from eager, alone: {count} questions of {answer} words\n")
    print("| path | questions that differ | 95 % interval | a word | median place |")
    print("|---|---|---|---|---|")
    for name, other in paths.items():
        places = [
            next((i for i, (x, y) in enumerate(zip(a, b, strict=True)) if x != y), None)
            for a, b in zip(first, other, strict=True)
        ]
        found = sorted(p for p in places if p is not None)
        within = wilson(len(found), count)
        # words up to and with the first that differs: each could have been it
        looked = sum(answer if p is None else p + 1 for p in places)
        where = f"{median(found):g}" if found else "–"
        print(
            f"| {name} | {len(found)} of {count} | {within.low:.1%} to {within.high:.1%} | "
            f"{len(found) / looked:.3%} | {where} |",
            flush=True,
        )


def main() -> None:
    """Measure and print."""
    parser = asked_for(__doc__)
    parser.add_argument("--tokens", type=int, help="image tokens (1024; demo 256)")
    parser.add_argument("--answer", type=int, default=64, help="steps that are timed")
    parser.add_argument("--rows", type=int, default=1, help="questions in one batch")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--compiled", action="store_true", help="also with fused kernels")
    parser.add_argument("--divergence", type=int, default=0, help="questions compared")
    options = parser.parse_args()
    test = made(options, "eager")
    tokens = options.tokens or (256 if options.shape == "demo" else 1024)
    gpu = test.device.type == "cuda"
    machine = torch.cuda.get_device_name() if gpu else platform.machine()
    print(f"{test.name}; {machine}, threads {options.threads}, torch {torch.__version__}")
    if options.divergence:
        divergence(test, options.divergence, tokens, options.answer, "graph" if gpu else "static")
        return
    inputs = batched([test.question(tokens, seed) for seed in range(options.rows)])
    speed = bandwidth(test.device)
    weights, cached = step_bytes(test, inputs["input_ids"].shape[1], options.rows)
    limit = (weights + cached) / speed
    print(
        f"{tokens} image tokens, {options.rows} rows; a step reads {weights / 1e6:.1f} MB of "
        f"weights and {cached / 1e6:.1f} MB of cache at {speed / 1e9:.1f} GB/s (measured copy)\n"
    )
    print("path                    ms a step   tokens/s   × limit   against generate")
    found = [("limit of bandwidth", limit)]
    stock = generate_step(test, inputs, options.answer, options.repeat)
    found.append(("transformers generate", stock))
    ways = ["eager", "graph" if gpu else "static", *(["compiled"] if options.compiled else [])]
    for way in ways:
        mode(test, way)
        found.append((f"loop, {way}", loop_step(test, inputs, options.answer, options.repeat)))
        if test.engine.passes.captured.refused:
            print(f"({way}: {test.engine.passes.captured.refused})")
    for name, taken in found:
        print(
            f"{name:22s} {taken * 1e3:10.2f} {options.rows / taken:10.1f} {taken / limit:9.2f}"
            f" {stock / taken:15.2f}×"
        )


if __name__ == "__main__":
    main()
