"""What an edit costs, against asking the whole question again.

    python benchmarks/branch.py [--model FOLDER] [--tokens 256] [--repeat 5] [--threads 1]

Prints, for an edit at the first, middle and last latent, the time from the edit to the last
answer token as a ratio of (a) re-running the question through the same loop and (b) the
published way, the stock model called step by step from the start with eager attention; and
for 1, 8, 32 and 64 branches in one batch the time as a multiple of one, with the memory of
their caches. Medians of CPU-bound runs; ratios of runs in the same process.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import core  # noqa: E402
from core import Edit, Trace  # noqa: E402
from core.engine import Engine  # noqa: E402


def median(action: Callable[[], object], repeat: int) -> float:
    """Median seconds of ``action`` after one unmeasured call."""
    action()
    taken = []
    for _ in range(repeat):
        start = time.perf_counter()
        action()
        taken.append(time.perf_counter() - start)
    return statistics.median(taken)


def question_about(engine: Engine, tokens: int) -> dict[str, Tensor]:
    """Prompt tensors with a picture of ``tokens`` merged patches (a square number)."""
    side = round(tokens**0.5)
    assert engine.processor is not None
    images = engine.processor.images
    pixels = side * int(images.patch_size) * 2
    images.size = {"shortest_edge": pixels**2, "longest_edge": pixels**2}
    noise = np.random.default_rng(0).integers(0, 255, (pixels, pixels, 3), dtype=np.uint8)
    return engine.prompt(Image.fromarray(noise), "What is in the picture?").inputs


def published(engine: Engine, inputs: dict[str, Tensor], trace: Trace) -> Callable[[], None]:
    """The same tokens and latents through stock transformers, from the start, eagerly."""
    from transformers import DynamicCache, Qwen2_5_VLForConditionalGeneration

    stock = Qwen2_5_VLForConditionalGeneration.from_pretrained(
        engine.name, dtype=torch.float32, attn_implementation="eager"
    ).eval()
    latent = trace.is_latent

    @torch.no_grad()
    def run() -> None:
        cache = DynamicCache(config=stock.config.get_text_config())
        out = stock(**inputs, past_key_values=cache, use_cache=True, output_hidden_states=True)
        delta = stock.model.rope_deltas
        length = inputs["input_ids"].shape[1]
        for place, token in enumerate(trace.token_ids[:-1]):
            embeds = stock.get_input_embeddings()(torch.tensor([[token]]))
            if latent[place]:
                embeds = out.hidden_states[-1][:, -1:]
            out = stock(
                inputs_embeds=embeds,
                attention_mask=torch.ones(1, length + place + 1, dtype=torch.long),
                position_ids=(torch.tensor([[length + place]]) + delta).expand(3, 1, 1),
                past_key_values=cache,
                use_cache=True,
                output_hidden_states=True,
            )

    return run


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default=str(ROOT / "assets/models/faithful"))
    parser.add_argument("--tokens", type=int, default=256, help="image tokens")
    parser.add_argument("--answer", type=int, default=12, help="tokens after the latents")
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    engine = core.load(options.model, dtype="float32", device="cpu")
    inputs = question_about(engine, options.tokens)
    settings = {"max_new_tokens": engine.budget + options.answer, "force_latents": True}

    def ask() -> Trace:
        engine.passes.see.clear()  # a re-run sees its picture anew, as the published way does
        trace: Trace = engine.decode(inputs, **settings)
        return trace

    trace = ask()
    again = median(ask, options.repeat)
    stock = median(published(engine, inputs, trace), options.repeat)
    steps = len(trace.spans[0])
    print(
        f"{Path(options.model).name}, {len(trace.prompt.input_ids)} prompt slots "
        f"({options.tokens} image tokens), {steps} latents, {len(trace.token_ids)} tokens, "
        f"threads {options.threads}, float32"
    )
    print(f"(a) the same loop, whole question      {again * 1e3:8.1f} ms")
    print(f"(b) stock transformers, whole question {stock * 1e3:8.1f} ms\n")
    print("edit at          ms    of (a)   of (b)")
    for name, step in (("first", 0), ("middle", steps // 2), ("last", steps - 1)):
        edit = [Edit("gaussian", steps=[step], dose=1.0)]
        taken = median(lambda edit=edit: engine.branch(trace, edit), options.repeat)
        print(f"{name:10s} {taken * 1e3:8.1f}   {taken / again:6.1%}   {taken / stock:6.1%}")
    batches(engine, trace, steps - 1, options.repeat, stock)


def batches(engine: Engine, trace: Trace, step: int, repeat: int, stock: float) -> None:
    """Time and memory of many branches at once."""
    print("\nbranches at the last latent, one batch")
    print("   n        ms   × of one   against one by one   per what-if against (b)   own cache")
    one = 0.0
    for count in (1, 8, 32, 64):
        lists = [[Edit("gaussian", steps=[step], dose=1.0, seed=s)] for s in range(count)]
        taken = median(lambda lists=lists: engine.branches(trace, lists, keep=False), repeat)
        one = one or taken
        kept = engine.branches(trace, lists, keep=True)
        own = sum(engine.live(engine.hold(child)).cache.own_bytes for child in kept)
        engine.store.forget(*(child.id for child in kept))
        print(
            f"{count:4d}  {taken * 1e3:8.1f}   {taken / one:8.2f}   {count * one / taken:17.1f}×"
            f"   {count * stock / taken:21.1f}×   {own / count / 1024:6.0f} KiB each"
        )


if __name__ == "__main__":
    main()
