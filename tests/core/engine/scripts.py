"""A sampler that is made to say a script, a letter a pass.

S start token, E end token, P pad, Q end of text, x and y two ordinary tokens, "." whatever the
model finds likeliest; so is everything behind the last letter.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from core.engine import Engine
from core.records import Trace
from tests.core.engine import tiny

GREEDY = "."


def letters(engine: Engine) -> dict[str, int]:
    """The ids the letters stand for in this checkpoint."""
    ids, say = engine.ids, engine.reader.encode
    ordinary = {"x": say("the")[0], "y": say("?")[0]}
    return ordinary | {
        "S": ids.start,
        "E": ids.end,
        "P": ids.pad if ids.pad >= 0 else ordinary["y"],
        "Q": ids.eos[0],
    }


class Saying:
    """A logits processor for one prompt, or for several of one padded batch.

    Args:
        engine: whose letters.
        prompts: (B, P) ids as they are decoded, padding included.
        scripts: one a prompt.
    """

    def __init__(self, engine: Engine, prompts: Tensor, scripts: Sequence[str]) -> None:
        self.letters = letters(engine)
        self.length = prompts.shape[1]
        rows = [tuple(row) for row in prompts.tolist()]
        self.scripts = dict(zip(rows, scripts, strict=True))

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        script = self.scripts[tuple(input_ids[0, : self.length].tolist())]
        letter = script[input_ids.shape[1] - self.length :][:1] or GREEDY
        if letter == GREEDY:
            return scores
        out = torch.full_like(scores, float("-inf"))
        out[:, self.letters[letter]] = 0
        return out


def saying(
    engine: Engine,
    script: str,
    longest: int = 18,
    budget: int = 4,
    seed: int = 1,
    question: str = "What colour?",
    size: tuple[int, int] = (84, 56),
    **options: object,
) -> Trace:
    """Run ``script`` over a picture and a question."""
    inputs = engine.prompt(tiny.picture(seed, size), question).inputs
    processor = Saying(engine, inputs["input_ids"], [script])
    trace: Trace = engine.decode(
        inputs, logits_processor=processor, max_new_tokens=longest, budget=budget, **options
    )
    return trace
