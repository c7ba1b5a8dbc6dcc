"""What an edit costs, against asking the whole question again.

    python benchmarks/branch.py [--shape demo|3b|7b] [--layers N] [--tokens 1024] [--answer 32]
                                [--decode auto] [--repeat 5] [--threads 1] [--cold]

For an edit at the first, middle and last latent: how much faster the edited answer is there than
by (a) re-running the question through the same loop and (b) the published way, the stock model
called step by step from the start with eager attention. For 1, 8, 32 and 64 branches in one
batch: the time as a multiple of one, per what-if against (b), and the memory of their caches,
kept and at most while decoding, as a multiple of the bytes of their own slots. Medians; on a CPU
of the process's own time, so that what else runs there is not counted.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.shapes import Bench, asked_for, made  # noqa: E402
from core import Edit, Trace  # noqa: E402
from core.engine import Engine  # noqa: E402
from core.engine.cache import BranchCache  # noqa: E402


def published(test: Bench, inputs: dict[str, Tensor], trace: Trace) -> Callable[[], None]:
    """The same tokens and latents through stock transformers, from the start, eagerly.

    The stock decoder, its eager attention and its growing cache, on the weights that are there.
    """
    from transformers import DynamicCache

    model, passes = test.engine.loaded.model, test.engine.passes
    latent = trace.is_latent
    moved = {key: value.to(passes.device) for key, value in inputs.items()}
    moved["pixel_values"] = moved["pixel_values"].to(passes.embedding.weight.dtype)
    config = passes.language.config

    @torch.no_grad()
    def run() -> None:
        usual, config._attn_implementation = config._attn_implementation, "eager"
        try:
            cache = DynamicCache(config=config)
            options = {"past_key_values": cache, "use_cache": True, "output_hidden_states": True}
            out = model(**moved, **options)
            delta = model.model.rope_deltas
            length = inputs["input_ids"].shape[1]
            for place, token in enumerate(trace.token_ids[:-1]):
                embeds = passes.embedding(torch.tensor([[token]], device=passes.device))
                if latent[place]:
                    embeds = out.hidden_states[-1][:, -1:]
                at = torch.tensor([[length + place]], device=passes.device) + delta
                seen = torch.ones(1, length + place + 1, dtype=torch.long, device=passes.device)
                out = model(
                    inputs_embeds=embeds,
                    attention_mask=seen,
                    position_ids=at.expand(3, 1, 1),
                    **options,
                )
        finally:
            config._attn_implementation = usual

    return run


def main() -> None:
    """Measure and print."""
    parser = asked_for(__doc__)
    parser.add_argument("--tokens", type=int, help="image tokens (1024; demo 256)")
    parser.add_argument("--answer", type=int, default=32, help="tokens after the latents")
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--cold", action="store_true", help="no unmeasured first call of each")
    parser.add_argument("--decode", default="auto", help="auto, eager, graph, compiled, static")
    options = parser.parse_args()
    test = made(options, options.decode)
    engine = test.engine
    # an answer that runs to its length: what an end of text would hide is the cost of a word
    engine.ids = replace(engine.ids, eos=())
    inputs = test.question(options.tokens or (256 if options.shape == "demo" else 1024))
    settings = {"max_new_tokens": engine.budget + options.answer, "force_latents": True}

    def ask() -> Trace:
        # a re-run sees its picture anew, as the published way does
        engine.passes.see.clear()
        engine.passes.prefixes.clear()
        trace: Trace = engine.decode(inputs, **settings)
        return trace

    trace = ask()
    again = test.seconds(ask, options.repeat, cold=options.cold)
    stock = test.seconds(published(test, inputs, trace), options.repeat, cold=options.cold)
    steps = len(trace.spans[0])
    print(
        f"{test.name}, {len(trace.prompt.input_ids)} prompt slots, {steps} latents, "
        f"{len(trace.token_ids)} tokens, threads {options.threads}, decoded "
        f"{engine.passes.captured.mode}"
    )
    print(f"(a) the same loop, whole question      {again * 1e3:8.1f} ms")
    print(f"(b) stock transformers, whole question {stock * 1e3:8.1f} ms\n")
    print("edit at          ms    faster than (a)   than (b)")
    for name, step in (("first", 0), ("middle", steps // 2), ("last", steps - 1)):
        edit = [Edit("gaussian", steps=[step], dose=1.0)]
        taken = test.seconds(
            lambda edit=edit: engine.branch(trace, edit), options.repeat, cold=options.cold
        )
        print(f"{name:10s} {taken * 1e3:8.1f}   {again / taken:14.2f}×   {stock / taken:7.2f}×")
    batches(test, trace, steps - 1, options.repeat, options.cold, stock)


def batches(test: Bench, trace: Trace, step: int, repeat: int, cold: bool, stock: float) -> None:
    """Time and memory of many branches at once."""
    engine = test.engine
    print("\nbranches at the last latent, one batch; memory against the bytes of their own slots")
    print("   n        ms   × of one   one by one   per what-if, than (b)   kept    at most")
    one = 0.0
    for count in (1, 8, 32, 64):
        lists = [[Edit("gaussian", steps=[step], dose=1.0, seed=s)] for s in range(count)]

        def make(lists=lists) -> None:  # type: ignore[no-untyped-def]
            made = engine.branches(trace, lists, keep=False)
            engine.store.forget(*(child.id for child in made))

        taken = test.seconds(make, repeat, cold=cold)
        one = one or taken
        own, most, needed = memory(engine, trace, lists)
        print(
            f"{count:4d}  {taken * 1e3:8.1f}   {taken / one:8.2f}   {count * one / taken:9.1f}×"
            f"   {count * stock / taken:20.1f}×   {own / needed:.2f}×   {most / needed:7.2f}×"
        )


def memory(engine: Engine, trace: Trace, lists: list[list[Edit]]) -> tuple[int, int, int]:
    """Bytes of own slots of a batch of branches: kept, most while decoding, and needed.

    Needed are the keys and values of the slots that the branches hold in the end; the most holds
    the empty room of the decoding batch as well.
    """
    decode, most = engine.passes.decode, 0

    def watched(cache: BranchCache, embeds: Tensor, positions: Tensor) -> Tensor:
        nonlocal most
        hidden = decode(cache, embeds, positions)
        most = max(most, sum(k.nbytes + v.nbytes for k, v in cache.own))
        return hidden

    engine.passes.decode = watched  # type: ignore[method-assign]
    try:
        kept = engine.branches(trace, lists, keep=True)
    finally:
        engine.passes.decode = decode  # type: ignore[method-assign]
    keys = engine.live(engine.hold(trace)).cache.prompt[0][0]
    slot = 2 * engine.passes.layers * keys.shape[1] * keys.shape[3] * keys.element_size()
    needed = sum((len(child.token_ids) - 1) * slot for child in kept)
    own = sum(engine.live(engine.hold(child)).cache.own_bytes for child in kept)
    engine.store.forget(*(child.id for child in kept))
    return own, most, needed


if __name__ == "__main__":
    main()
