"""What has to agree between the fields of a trace, and between the traces of a session."""

from __future__ import annotations

from collections.abc import Sequence

from core.errors import RecordError
from core.records.trace import Trace


def check_trace(trace: Trace, where: str) -> None:
    """Raise RecordError unless lengths agree, spans lie inside the tokens without overlapping,
    and every dose of a receipt lies inside its span or the prompt."""
    _check_lengths(trace, where)
    _check_spans(trace, where)
    _check_receipts(trace, where)


def check_family_tree(traces: Sequence[Trace]) -> None:
    """Raise RecordError when two traces share an id or one is its own ancestor."""
    parents = {trace.id: trace.parent for trace in traces}
    if len(parents) != len(traces):
        raise RecordError("two of its traces have the same id.")
    settled: set[str] = set()
    for start in parents:
        path: set[str] = set()
        here: str | None = start
        while here is not None and here in parents and here not in settled:
            if here in path:
                raise RecordError(f"trace {here} is its own ancestor.")
            path.add(here)
            here = parents[here]
        settled |= path


def _check_lengths(trace: Trace, where: str) -> None:
    tokens = len(trace.token_ids)
    for field in ("sampled_ids", "pieces", "logprobs", "top"):
        length = len(getattr(trace, field))
        if length != tokens and not (field == "top" and not length):
            raise RecordError(f"{where}.{field} has {length} values for {tokens} tokens.")
    if trace.imagined and not trace.imagined[0] <= trace.imagined[1] <= tokens:
        raise RecordError(f"{where}.imagined is not a stretch of the {tokens} tokens.")


def _check_spans(trace: Trace, where: str) -> None:
    place, width = 0, None
    for index, span in enumerate(trace.spans):
        here = f"{where}.spans[{index}]"
        if span.latents.ndim != 2 or span.hidden.shape != span.latents.shape:
            raise RecordError(
                f"{here} has latents {tuple(span.latents.shape)} and hidden states "
                f"{tuple(span.hidden.shape)}, which should both be (steps, width)."
            )
        if width not in (None, span.latents.shape[1]):
            raise RecordError(f"{here} is of another width than the span before it.")
        if span.start < place:
            raise RecordError(f"{here} overlaps the span before it.")
        if span.stop > len(trace.token_ids):
            raise RecordError(f"{here} ends behind the last of {len(trace.token_ids)} tokens.")
        place, width = span.stop, span.latents.shape[1]


def _check_receipts(trace: Trace, where: str) -> None:
    for index, receipt in enumerate(trace.receipts):
        length = len(trace.spans[receipt.span]) if receipt.span < len(trace.spans) else 0
        for dose in receipt.doses:
            if dose.place is not None:
                if dose.place >= len(trace.prompt.input_ids):
                    raise RecordError(
                        f"{where}.receipts[{index}] has a dose at slot {dose.place} of a prompt "
                        f"of {len(trace.prompt.input_ids)}."
                    )
            elif dose.step >= length:
                raise RecordError(
                    f"{where}.receipts[{index}] has a dose at step {dose.step} "
                    f"of a span of {length}."
                )
