"""Ways to spoil bytes and plain values, all drawn from one seeded ``random.Random``."""

from __future__ import annotations

import copy
import random
import struct
from typing import Any

HOSTILE: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 2, 7, 255, 2**31 - 1, 2**31, 2**63, 2**64, -(2**63) - 1, 10**30,
    -0.0, 0.5, -1.5, 1e308, 5e-324, float("nan"), float("inf"), float("-inf"),
    "", " ", "\x00", "\ud800", "\u202e", "<script>alert(1)</script>", "../x", "/etc/passwd", "~",
    "a" * 300, "ü" * 5000, "nan", "inf", "1e999", "-1", "None", "%s%n{0}", "{{7*7}}", "\r\n",
    [], {}, [[[[]]]], [None], [1, 2, 3], [0.5], ["a"], {"a": 1}, {"": None}, [[0, 1], [2, 3]],
    "<img src=x onerror=alert(1)>", "file:///etc/passwd", "http://127.0.0.1:1/x.png",
)  # fmt: skip
NUMBERS = (0, 1, 2**8 - 1, 2**16 - 1, 2**31 - 1, 2**31, 2**32 - 1)


def value(draw: random.Random, depth: int = 0) -> Any:
    """A value nobody asked for, now and then one of several inside another."""
    if depth < 3 and draw.random() < 0.15:
        inner = [value(draw, depth + 1) for _ in range(draw.randrange(4))]
        return inner if draw.random() < 0.6 else {str(place): v for place, v in enumerate(inner)}
    if draw.random() < 0.2:
        return "".join(chr(draw.choice([*range(32, 127), 0, 10, 233, 0x202E, 0x1F600]))
                       for _ in range(draw.randrange(12)))  # fmt: skip
    if draw.random() < 0.1:
        return draw.randrange(-10, 100)
    return copy.deepcopy(draw.choice(HOSTILE))


def spoiled_bytes(draw: random.Random, data: bytes, times: int = 4) -> bytes:
    """``data`` with up to ``times`` places changed, cut, inserted, doubled or set to a number."""
    content = bytearray(data)
    for _ in range(draw.randint(1, times)):
        if not content:
            break
        place = draw.randrange(len(content))
        match draw.randrange(7):
            case 0:
                content[place] ^= 1 << draw.randrange(8)
            case 1:
                content[place] = draw.choice([0, 1, 0x7F, 0x80, 0xFF])
            case 2:
                del content[place : place + draw.randint(1, 64)]
            case 3:
                content[place:place] = draw.randbytes(draw.randint(1, 16))
            case 4:
                content[place:place] = content[place : place + draw.randint(1, 64)]
            case 5:
                content[place : place + 4] = struct.pack("<I", draw.choice(NUMBERS))
            case 6:
                del content[place:]
    return bytes(content)


def places(plain: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of every value inside a plain one."""
    inside = plain.items() if isinstance(plain, dict) else ()
    inside = enumerate(plain) if isinstance(plain, list) else inside
    found = [path] if path else []
    for key, item in inside:
        found += places(item, (*path, key))
    return found


def spoiled(draw: random.Random, plain: Any) -> Any:
    """A copy of a plain value with one to three of those inside replaced, gone or moved."""
    plain = copy.deepcopy(plain)
    for _ in range(draw.randint(1, 3)):
        paths = places(plain)
        if not paths:
            return value(draw)
        path = draw.choice(paths)
        here = _at(plain, path[:-1])
        match draw.randrange(4):
            case 0:
                here[path[-1]] = value(draw)
            case 1:
                del here[path[-1]]
            case 2 if isinstance(here, list):
                here.append(copy.deepcopy(here[path[-1]]))
            case 2:
                here[f"{path[-1]}_"] = copy.deepcopy(here[path[-1]])
            case 3:
                here[path[-1]] = copy.deepcopy(_at(plain, draw.choice(paths)))
    return plain


def _at(plain: Any, path: tuple[Any, ...]) -> Any:
    for key in path:
        plain = plain[key]
    return plain
