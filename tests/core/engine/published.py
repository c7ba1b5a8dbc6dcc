"""The published decoding loops, one by one, literally and slowly: the truth the engine is held to.

Written from the description of each published implementation, not from the engine: each loop
keeps its own flags under their published names, feeds the *stock* transformers model one slot at
a time with transformers' own cache, and knows nothing of a common machine. Batch 1.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor
from torch.nn import functional as F
from transformers import AttentionInterface, DynamicCache, Qwen2_5_VLForConditionalGeneration

Sampler = Callable[[int, Tensor], int]
"""(number of tokens recorded so far, raw logits (V,)) → the sampled id."""


@dataclass
class Record:
    """What a loop did: recorded ids, and of each consumed one what its slot was fed."""

    tokens: list[int] = field(default_factory=list)
    fed: list[Tensor] = field(default_factory=list)
    latent: list[bool] = field(default_factory=list)
    logits: list[Tensor] = field(default_factory=list)
    distances: list[float] = field(default_factory=list)


def _divided(
    module: Any, query: Tensor, key: Tensor, value: Tensor, attention_mask: Any, **_: Any
) -> tuple[Tensor, Tensor]:
    """Attention as transformers wrote it up to 4.51: scores divided by √d."""
    group = query.shape[1] // key.shape[1]
    key, value = key.repeat_interleave(group, 1), value.repeat_interleave(group, 1)
    scores = torch.matmul(query, key.transpose(2, 3)) / math.sqrt(query.shape[-1])
    if attention_mask is not None:
        scores = scores + attention_mask[:, :, :, : key.shape[-2]]
    weights = torch.softmax(scores, dim=-1, dtype=torch.float32).to(query.dtype)
    return torch.matmul(weights, value).transpose(1, 2).contiguous(), weights


AttentionInterface.register("divided", _divided)


class Stock:
    """The stock model with one run's cache: ``begin`` with a prompt, then ``feed`` slot by slot."""

    def __init__(self, folder: Path, divided: bool = False) -> None:
        self.model: Any = Qwen2_5_VLForConditionalGeneration.from_pretrained(
            folder, dtype=torch.float32, attn_implementation="eager"
        ).eval()
        if divided:
            # the mask is still made for "eager": only the text layers' arithmetic changes
            from transformers import AttentionMaskInterface
            from transformers.masking_utils import ALL_MASK_ATTENTION_FUNCTIONS

            AttentionMaskInterface.register("divided", ALL_MASK_ATTENTION_FUNCTIONS["eager"])
            self.model.model.language_model.config._attn_implementation = "divided"
        self.table: Tensor = self.model.model.language_model.embed_tokens.weight
        tensors = load_file(folder / "model.safetensors")
        # cloned: sums over memory-mapped tensors differ in their last bit, which latents grow
        self.head_tensors = {k: v.clone() for k, v in tensors.items() if k.startswith("lvr_head.")}
        self.latent_end = tensors.get("lvr_latent_end_emb")

    @torch.no_grad()
    def begin(self, inputs: dict[str, Tensor]) -> Tensor:
        """h (D,) of the prompt's last slot."""
        self.cache = DynamicCache()
        self.model.model.rope_deltas = None  # the stock model keeps the last prompt's
        out = self.model.model(**inputs, past_key_values=self.cache, use_cache=True)
        delta = self.model.model.rope_deltas
        self.next = inputs["input_ids"].shape[1] + int(delta if delta is not None else 0)
        hidden: Tensor = out.last_hidden_state[0, -1]
        return hidden

    @torch.no_grad()
    def feed(self, vector: Tensor) -> Tensor:
        """h (D,) of one more slot fed ``vector`` (D,)."""
        position = torch.full((3, 1, 1), self.next)
        out = self.model.model.language_model(
            inputs_embeds=vector[None, None],
            position_ids=position,
            past_key_values=self.cache,
            use_cache=True,
        )
        self.next += 1
        hidden: Tensor = out.last_hidden_state[0, -1]
        return hidden

    @torch.no_grad()
    def logits(self, hidden: Tensor) -> Tensor:
        raw: Tensor = self.model.lm_head(hidden[None])[0].float()
        return raw

    @torch.no_grad()
    def head(self, hidden: Tensor) -> Tensor:
        """The checkpoint's ``lvr_head``, from its tensors."""
        hidden = hidden[None]
        t = {key.removeprefix("lvr_head."): value for key, value in self.head_tensors.items()}
        if "ln_q.weight" in t:
            x = F.layer_norm(hidden, hidden.shape[-1:], t["ln_q.weight"], t["ln_q.bias"], eps=1e-6)
            x = F.gelu(F.linear(x, t["mlp.0.weight"], t["mlp.0.bias"]))
            return F.linear(x, t["mlp.2.weight"], t["mlp.2.bias"])[0]
        gate = F.silu(F.linear(hidden, t["gate_proj.weight"], t["gate_proj.bias"]))
        up = F.linear(hidden, t["up_proj.weight"], t["up_proj.bias"])
        return F.linear(gate * up, t["down_proj.weight"], t["down_proj.bias"])[0]


@dataclass(frozen=True)
class Asked:
    """One run to be decoded.

    Attributes:
        inputs: the prompt's tensors, one row.
        sample: chooses each next token.
        S, E, P: start, end and pad ids (−1 for none).
        eos: ids that end a text.
        longest: ``max_new_tokens``.
        K: the loop's own latent count (``MAX_LATENT_LEN``, ``LATENT_SIZE``, ``lvr_steps``, …).
    """

    inputs: dict[str, Tensor]
    sample: Sampler
    S: int
    E: int
    P: int
    eos: tuple[int, ...]
    longest: int
    K: int


def _consume(stock: Stock, record: Record, vector: Tensor, latent: bool) -> Tensor:
    record.fed.append(vector)
    record.latent.append(latent)
    return stock.feed(vector)


def monet_vllm(stock: Stock, ask: Asked) -> Record:
    """Monet's per-request state in the vLLM runner, and its scheduler's stop conditions."""
    record = Record()
    active, pending, current_len = False, None, 0
    h = stock.begin(ask.inputs)
    while True:
        record.logits.append(stock.logits(h))
        tid = ask.sample(len(record.tokens), record.logits[-1])
        if not active and tid == ask.S:
            active = True
        elif active and (tid == ask.E or current_len >= ask.K):
            active, pending, current_len = False, None, 0
            tid = ask.E
        if active:
            pending = h
            current_len += 1
        record.tokens.append(tid)
        if tid in ask.eos or len(record.tokens) == ask.longest:
            return record
        if active and pending is not None:
            h, pending = _consume(stock, record, pending, True), None
        else:
            h = _consume(stock, record, stock.table[tid], False)


def mirage_sample(stock: Stock, ask: Asked) -> Record:
    """Mirage's ``_sample``: flags that are set for the whole run and never cleared."""
    record = Record()
    in_latent_mode = latent_start = latent_end = False
    latent_num = latent_end_num = 0
    h = stock.begin(ask.inputs)
    while True:
        record.logits.append(stock.logits(h))
        token = ask.sample(len(record.tokens), record.logits[-1])
        if token == ask.S:
            in_latent_mode = latent_start = True
        elif token == ask.E:
            latent_end_num += 1
            if latent_end_num == 1:  # the batch size
                latent_end, in_latent_mode = True, False
        elif in_latent_mode:
            token = ask.P
        if in_latent_mode and not latent_end and not latent_start:
            latent_num += 1
            if latent_num > ask.K:
                latent_end, in_latent_mode = True, False
                token = ask.E
        record.tokens.append(token)
        if token in ask.eos or len(record.tokens) == ask.longest:
            return record
        if in_latent_mode and not latent_start:
            h = _consume(stock, record, h, True)
        else:
            latent_start = False  # the start token is embedded as it is consumed
            h = _consume(stock, record, stock.table[token], False)


def seed_sample(stock: Stock, ask: Asked) -> Record:
    """The CapImagine paper's ``_sample``: Mirage's with flags cleared at each span."""
    record = Record()
    in_latent_mode = latent_start = False
    latent_num = 0
    h = stock.begin(ask.inputs)
    while True:
        record.logits.append(stock.logits(h))
        token = ask.sample(len(record.tokens), record.logits[-1])
        if token == ask.S:
            in_latent_mode = latent_start = True  # latent_num is not reset here
        elif token == ask.E:
            in_latent_mode, latent_num = False, 0
        elif in_latent_mode:
            token = ask.P
        if in_latent_mode and not latent_start:
            latent_num += 1
            if latent_num > ask.K:
                in_latent_mode, latent_num = False, 0
                token = ask.E
        record.tokens.append(token)
        if token in ask.eos or len(record.tokens) == ask.longest:
            return record
        if in_latent_mode and not latent_start:
            h = _consume(stock, record, h, True)
        else:
            latent_start = False
            h = _consume(stock, record, stock.table[token], False)


def ilvr_sample(stock: Stock, ask: Asked) -> Record:
    """ILVR's ``_sample``: every start token, also one inside a span, begins the count anew."""
    record = Record()
    in_latent_mode = latent_start = False
    latent_num = 0
    h = stock.begin(ask.inputs)
    while True:
        record.logits.append(stock.logits(h))
        token = ask.sample(len(record.tokens), record.logits[-1])
        if token == ask.S:
            in_latent_mode = latent_start = True
            latent_num = 0
        elif token == ask.E:
            in_latent_mode = False
            latent_num = 0
        elif in_latent_mode:
            token = ask.P
        if in_latent_mode and not latent_start:
            latent_num += 1
            if latent_num > ask.K:
                in_latent_mode = False
                token = ask.E
        record.tokens.append(token)
        if token in ask.eos or len(record.tokens) == ask.longest:
            return record
        if in_latent_mode and not latent_start:
            h = _consume(stock, record, h, True)
        else:
            latent_start = False
            h = _consume(stock, record, stock.table[token], False)


def _stops(token: int, record: Record, ask: Asked) -> bool:
    return token in ask.eos or len(record.tokens) >= ask.longest


def lvr_steps(stock: Stock, ask: Asked) -> Record:
    """LVR, ``decoding_strategy="steps"``; with a head in the published, off-by-one way."""
    record = Record()
    mode, remaining = False, ask.K
    consumed = int(ask.inputs["input_ids"][0, -1])
    h = stock.begin(ask.inputs)
    while True:
        if mode and stock.head_tensors:
            h = stock.head(h)  # before the output layer, only where the slot held a latent
        record.logits.append(stock.logits(h))
        y = ask.sample(len(record.tokens), record.logits[-1])
        old, new = mode, mode or consumed == ask.S
        if new and not old:
            remaining = ask.K
        remaining -= int(old)
        mode = new and remaining > 0
        record.tokens.append(y)
        if not mode and _stops(y, record, ask):
            return record
        h = _consume(stock, record, h if mode else stock.table[y], mode)
        consumed = y


def lvr_latent(stock: Stock, ask: Asked, criterion: str, threshold: float) -> Record:
    """LVR, ``decoding_strategy="latent"``: also ends when the *last fed* vector is near e."""
    record = Record()
    end = stock.latent_end
    assert end is not None
    mode, counter = False, 0
    last: Tensor | None = None
    consumed = int(ask.inputs["input_ids"][0, -1])
    h = stock.begin(ask.inputs)
    while True:
        if mode and stock.head_tensors:
            h = stock.head(h)
        record.logits.append(stock.logits(h))
        y = ask.sample(len(record.tokens), record.logits[-1])
        near = False
        if last is not None:
            if criterion == "mse":
                distance = float((last - end).square().mean())
            elif criterion == "mae":
                distance = float((last - end).abs().mean())
            else:
                distance = float(1 - F.cosine_similarity(last, end, dim=-1))
            record.distances.append(distance)
            near = distance < threshold
        counter += int(mode)
        if consumed == ask.S:
            counter = 0
        mode = (mode or consumed == ask.S) and not near and counter < ask.K
        last = h
        record.tokens.append(y)
        if not mode and _stops(y, record, ask):
            return record
        h = _consume(stock, record, h if mode else stock.table[y], mode)
        consumed = y


def skila_sample(stock: Stock, ask: Asked) -> Record:
    """SkiLa's ``_sample``: entered by the consumed start token, pads recorded."""
    record = Record()
    in_sketch_mode, remaining = False, ask.K
    consumed = int(ask.inputs["input_ids"][0, -1])
    h = stock.begin(ask.inputs)
    while True:
        record.logits.append(stock.logits(h))
        token = ask.sample(len(record.tokens), record.logits[-1])
        sketch_start, sketch_end = consumed == ask.S, token == ask.E
        temp_mode = in_sketch_mode or sketch_start
        if temp_mode and not in_sketch_mode:
            remaining = ask.K
        remaining -= int(in_sketch_mode)
        sketch_end = sketch_end or (in_sketch_mode and remaining <= 0)
        in_sketch_mode = temp_mode and not sketch_end
        if in_sketch_mode:
            token = ask.P
        if sketch_end:
            token = ask.E
        record.tokens.append(token)
        if token in ask.eos or len(record.tokens) == ask.longest:
            return record
        h = _consume(stock, record, h if in_sketch_mode else stock.table[token], in_sketch_mode)
        consumed = token


def laser_dynamic(stock: Stock, ask: Asked, answer_start: int) -> Record:
    """Laser's dynamic decoding with ``repetition_exit``: forced start, three ways out."""
    record = Record()
    mode, counter, forced_answer_pending = False, 0, False
    said = ask.inputs["input_ids"][0].tolist()
    h = stock.begin(ask.inputs)
    while True:
        record.logits.append(stock.logits(h))
        y = ask.sample(len(record.tokens), record.logits[-1])
        if not record.tokens:
            y = ask.S
        if forced_answer_pending:
            y, forced_answer_pending = answer_start, False
        start = said[-1] == ask.S
        if start and not mode:
            counter = 0
        counter += int(mode)
        repeated = mode and y == said[-1] == said[-2]
        if mode and (counter >= ask.K or repeated):
            y, forced_answer_pending = ask.E, True
        mode = (mode or start) and y != ask.E
        record.tokens.append(y)
        said.append(y)
        if not mode and _stops(y, record, ask):
            return record
        h = _consume(stock, record, h if mode else stock.table[y], mode)
