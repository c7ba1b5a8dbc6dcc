"""Runs and receipts in sentences a person can read aloud."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gui.steps import format_steps

if TYPE_CHECKING:
    from core.records import Edit, Receipt, Trace

MODES = {
    "propagate": "later latents are imagined anew",
    "pinned": "later latents are held, what they see is recomputed",
    "cached": "everything between the edit and the answer is held",
}
OFF_MANIFOLD = 99.0  # percentile of the bank's distances; Dose.percentile documents it
ARRIVED = 1e-6  # relative change of a hidden state that float32 noise does not reach


def edit_title(edit: Edit, titles: dict[str, str]) -> str:
    """One edit in a few words: “Gaussian 1.0 at z2–3”.

    Args:
        titles: kind → title.
    """
    title = titles.get(edit.kind, edit.kind)
    amount = ""
    if edit.dose is not None:
        amount = f" {edit.dose:g}"
    elif edit.angle is not None:
        amount = f" {edit.angle:g}°"
    elif edit.fraction is not None:
        amount = f" {edit.fraction:.0%}"
    elif edit.count is not None:
        amount = f" {edit.count}"
    elif edit.patch is not None:
        amount = f" (row {edit.patch[0] + 1}, column {edit.patch[1] + 1})"
    elif edit.token is not None:
        amount = f" “{edit.token}”"
    elif edit.source is not None and edit.target is not None:
        amount = f" ({edit.source} → {edit.target})"
    where = "" if edit.steps is None else f" at z{format_steps(edit.steps)}"
    return f"{title}{amount}{where}"


def branch_title(edits: tuple[Edit, ...], titles: dict[str, str]) -> str:
    """All edits of a branch in a few words."""
    return " + ".join(edit_title(e, titles) for e in edits)


def receipt_line(receipt: Receipt, titles: dict[str, str]) -> str:
    """What was delivered: “z2–3, Gaussian: delivered ε 0.98, cosine 0.71, …”."""
    title = titles.get(receipt.kind, receipt.kind)
    if not receipt.doses:
        return f"{title}: {receipt.note or 'done'}"
    parts = [f"delivered ε {receipt.epsilon:.2f}", direction(receipt)]
    if receipt.percentile is not None:
        off = " (off the manifold)" if receipt.percentile > OFF_MANIFOLD else ""
        parts.append(f"percentile {receipt.percentile:.0f}{off}")
    if receipt.note:
        parts.append(receipt.note)
    if receipt.doses[0].place is not None:  # the prompt was edited, not a latent
        return f"{title}: " + ", ".join(parts)
    return f"z{format_steps([d.step for d in receipt.doses])}, {title}: " + ", ".join(parts)


def direction(receipt: Receipt) -> str:
    """“cosine 0.71”, over the steps whose vectors have a length before and after."""
    # norm_ratio is 0 where either has none, and exactly 1 where nothing was changed
    known = [d.cosine for d in receipt.doses if d.norm_ratio > 0]
    return f"cosine {sum(known) / len(known):.2f}" if known else "no length, so no direction"


def arrival_line(receipt: Receipt) -> str:
    """Whether the edit reached the model, by the hidden state at the edited slot."""
    change = receipt.hidden_change
    if change is None:
        return ""
    if change > ARRIVED:
        return f"It arrived: the hidden state there moved by {change:.1%}."
    if receipt.epsilon > 0:
        return "It did not arrive: the hidden state at the edited slot did not move."
    return "Nothing was changed, and the hidden state did not move."


def emission_line(trace: Trace, latent: bool) -> str:
    """What became of the imagination, in one sentence; "" when it went as usual.

    Args:
        latent: whether the model's family has latent spans.
    """
    if trace.ended_by == "cancelled":
        return "Stopped. What was said so far is kept."
    if latent and not trace.spans:
        return "The model answered without imagining."
    if trace.ended_by == "length":
        return "The run reached the most tokens it may say; raise the limit to see its end."
    return ""


def answer_line(trace: Trace) -> str:
    """The parsed answer, or why there is none."""
    if trace.answer is not None:
        return trace.answer
    return trace.answer_problem or "No answer was found in the text."


def sentence(trace: Trace) -> str:
    """What a word-imagining model imagined; "" for any other run."""
    if trace.imagined is None:
        return ""
    first, last = trace.imagined
    return "".join(trace.pieces[first:last]).strip()
