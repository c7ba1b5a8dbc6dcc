"""How a run was decoded: everything that, with the model and the prompt, fixes its result."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Settings:
    """Decoding settings of one run.

    Attributes:
        budget: number of latents a span is given, or None for the family's published number.
        force_latents: the start token was forced as the first thing the model says.
        forbid_latents: the start token could not be sampled.
        seed: seeds every draw; draw n of a run depends on ``seed`` and n alone.
        temperature: 0 is greedy.
        top_p: nucleus mass in (0, 1]; 1 keeps everything.
        top_k: 0 keeps everything.
        max_new_tokens: the most tokens recorded after the prompt.
        strategy: what ends an LVR span, ``"steps"`` or ``"latent"``; None elsewhere.
        end_threshold: distance below which LVR's ``latent`` strategy leaves the span.
        criterion: the distance of that strategy, ``"mse"``, ``"mae"`` or ``"cosine"``.
        dtype: parameter type, e.g. ``"float32"``.
        attention: attention kernel of the prompt pass.
        device: where the model ran.
    """

    budget: int | None = None
    force_latents: bool = False
    forbid_latents: bool = False
    seed: int = 0
    temperature: float = 0.0
    top_p: float = 1.0
    top_k: int = 0
    max_new_tokens: int = 256
    strategy: str | None = None
    end_threshold: float = 0.02
    criterion: str = "mse"
    dtype: str = "float32"
    attention: str = "sdpa"
    device: str = "cpu"
