"""Readers of untrusted values: each takes a value out of JSON and returns it checked.

A reader is called with the value and the place it stands at, for the message; it returns what
belongs in the record or raises :class:`RecordError` with a sentence naming place and fault.
``True`` is never taken for 1, and no number is NaN.

What becomes of characters that cannot be shown: a *name* (family, id, device, kind of edit …)
with one in it is refused. In a *text* (question, answer, token …) they are kept out by putting
U+FFFD in their place, one for one: sampled tokens may be such characters, and a run is not to
be lost over them. Line feed, carriage return and tab stay. Anything else, markup included, is
kept as text for whoever displays it to escape.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from core.errors import RecordError
from core.records.limits import Limits

Reader = Callable[[Any, str], Any]

# C0 and C1 controls, DEL, and halves of surrogate pairs (which cannot be written as UTF-8)
_UNSHOWN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
_UNNAMED = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\u2028\u2029]")
_HUGE = 1e300


def shown(value: Any) -> str:
    """A short, harmless picture of ``value`` for a message."""
    if isinstance(value, (dict, list, tuple)):
        return f"a {type(value).__name__}"
    if isinstance(value, str):
        # unprintable includes the marks that reverse the direction of writing
        harmless = "".join(c if c.isprintable() else "\ufffd" for c in value[:60])
        return f"“{harmless}{'…' if len(value) > 60 else ''}”"
    if value is None or isinstance(value, (bool, float)):
        return str(value)
    if isinstance(value, int):
        return str(value) if abs(value) < 10**20 else "a number of more than 20 digits"
    return f"a {type(value).__name__}"


def parse_json(data: bytes, what: str, limits: Limits) -> dict[str, Any]:
    """The JSON object in ``data``; duplicate keys, NaN and Infinity are refused.

    Raises:
        RecordError: when it is not such an object or holds too many values.
    """
    if len(data) > limits.json_bytes:
        raise RecordError(f"{what} is longer than {limits.json_bytes:,} bytes.")
    # A value takes up to 70 bytes once parsed, two in the text; brackets inside strings count
    # too, which errs on the safe side.
    if data.count(b",") + data.count(b"[") + data.count(b"{") > limits.json_values:
        raise RecordError(f"{what} holds more than {limits.json_values:,} values.")

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            twice = Counter(key for key, _ in pairs).most_common(1)[0][0]
            raise RecordError(f"{what} has {shown(twice)} twice in one object.")
        return found

    def refused(constant: str) -> None:
        raise RecordError(f"{what} holds {constant}, which is no number.")

    try:
        value = json.loads(data.decode("utf-8"), object_pairs_hook=unique, parse_constant=refused)
    except RecursionError as error:
        raise RecordError(f"{what} is nested too deeply.") from error
    except ValueError as error:
        raise RecordError(f"{what} is not valid JSON in UTF-8.") from error
    if not isinstance(value, dict):
        raise RecordError(f"{what} is not a JSON object.")
    return value


def whole(least: int, most: int) -> Reader:
    """Integers from ``least`` to ``most``."""

    def read(value: Any, where: str) -> int:
        if type(value) is not int or not least <= value <= most:
            raise RecordError(
                f"{where} is {shown(value)}, not a whole number from {least} to {most}."
            )
        return value

    return read


def real(least: float = -_HUGE, most: float = _HUGE, infinite: str = "") -> Reader:
    """Numbers from ``least`` to ``most``; ``infinite`` is ``"inf"`` or ``"-inf"`` where the
    quantity can be that (JSON has no such number, so it is written as that word)."""

    def read(value: Any, where: str) -> float:
        if infinite and type(value) is str and value == infinite:
            return float(infinite)
        # an int is kept as it is: Edit(dose=1) comes back as it was made
        if type(value) not in (int, float) or not least <= value <= most:
            span = "" if (least, most) == (-_HUGE, _HUGE) else f" from {least:g} to {most:g}"
            span = f", {least:g} or more" if span and most == _HUGE else span
            raise RecordError(f"{where} is {shown(value)}, not a number{span}.")
        return float(value) if type(value) is float else value

    return read


def flag(value: Any, where: str) -> bool:
    """True or False."""
    if type(value) is not bool:
        raise RecordError(f"{where} is {shown(value)}, neither true nor false.")
    return value


def text(longest: int) -> Reader:
    """Words of a person or a model; see the module for what happens to control characters."""

    def read(value: Any, where: str) -> str:
        if type(value) is not str:
            raise RecordError(f"{where} is {shown(value)}, not a text.")
        if len(value) > longest:
            raise RecordError(f"{where} is longer than {longest:,} characters.")
        return value if value.isprintable() else _UNSHOWN.sub("\ufffd", value)

    return read


def name(longest: int = 200, pattern: str = "") -> Reader:
    """A name: no control characters, and ``pattern`` in full where one is given."""
    form = re.compile(pattern) if pattern else None

    def read(value: Any, where: str) -> str:
        if type(value) is not str or len(value) > longest or _UNNAMED.search(value):
            raise RecordError(f"{where} is {shown(value)}, not a name.")
        if form and not form.fullmatch(value):
            raise RecordError(f"{where} is {shown(value)}, which is not of the right form.")
        return value

    return read


def choice(*allowed: str) -> Reader:
    """One of a few words."""

    def read(value: Any, where: str) -> str:
        if type(value) is not str or value not in allowed:
            raise RecordError(f"{where} is {shown(value)}, not one of {', '.join(allowed)}.")
        return value

    return read


def maybe(reader: Reader) -> Reader:
    """None, or what ``reader`` reads."""
    return lambda value, where: None if value is None else reader(value, where)


def several(reader: Reader, most: int, least: int = 0) -> Reader:
    """A tuple of ``least`` to ``most`` values."""

    def read(value: Any, where: str) -> tuple[Any, ...]:
        items = _list(value, where, most, least)
        return tuple([reader(item, f"{where}[{i}]") for i, item in enumerate(items)])

    return read


def alike(kind: type, least: float, most: float, reader: Reader, longest: int) -> Reader:
    """A long tuple of numbers: a quick look at all of them, ``reader`` only where it fails."""
    slow = several(reader, longest)

    def read(value: Any, where: str) -> tuple[Any, ...]:
        items = _list(value, where, longest, 0)
        quick = set(map(type, items)) == {kind} and least <= min(items) and max(items) <= most
        # a NaN can hide from min and max, not from the sum
        return tuple(items) if quick and math.isfinite(sum(items)) else slow(items, where)

    return read


def record(
    build: Callable[..., Any], readers: Mapping[str, Reader], optional: bool = False
) -> Reader:
    """An object with exactly these fields, or only some of them where they are optional."""

    def read(value: Any, where: str) -> Any:
        if type(value) is not dict:
            raise RecordError(f"{where} is {shown(value)}, not an object.")
        unknown, missing = value.keys() - readers.keys(), readers.keys() - value.keys()
        if unknown:
            raise RecordError(f"{where} has an unknown field {shown(min(unknown))}.")
        if missing and not optional:
            raise RecordError(f"{where} lacks the field “{min(missing)}”.")
        return build(**{key: readers[key](value[key], f"{where}.{key}") for key in value})

    return read


def anything(limits: Limits) -> Reader:
    """Free-form JSON: finite numbers, whole ones within 64 bits, names as keys."""
    words, key_name, integer = text(limits.string), name(), whole(-(2**63), 2**63 - 1)

    def read(value: Any, where: str, depth: int = 0) -> Any:
        if depth > limits.json_depth:
            raise RecordError(f"{where[:60]}… is nested too deeply.")
        if value is None or type(value) is bool:
            return value
        if type(value) is int:
            return integer(value, where)
        if type(value) is float and math.isfinite(value):
            return value
        if type(value) is str:
            return words(value, where)
        if type(value) in (list, tuple):
            return [read(item, f"{where}[{i}]", depth + 1) for i, item in enumerate(value)]
        if type(value) is dict:
            return {
                key_name(key, f"a key of {where}"): read(item, f"{where}.{key[:40]}", depth + 1)
                for key, item in value.items()
            }
        raise RecordError(f"{where} is {shown(value)}, which a session cannot hold.")

    return read


def _list(value: Any, where: str, most: int, least: int) -> list[Any]:
    if type(value) is not list:
        raise RecordError(f"{where} is {shown(value)}, not a list.")
    if not least <= len(value) <= most:
        allowed = f"{most:,}" if least == most else f"{least:,} to {most:,}"
        raise RecordError(f"{where} has {len(value):,} values; {allowed} are allowed.")
    return value
