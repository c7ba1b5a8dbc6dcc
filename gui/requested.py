"""What a request asks for: at which address, for which tabs, and how much it brings.

Gradio serves more than this page uses: it fetches addresses of the web for whoever asks, keeps
screens on the disk, cuts videos, and tells statistics. Only what the page, its programs and
assistants need is let through, and nothing that a request carries makes this machine fetch
anything.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from math import isfinite
from typing import Any
from urllib.parse import parse_qs

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]

PREFIX = "/gradio_api/"
SERVED = {
    "api", "app_id", "call", "cancel", "heartbeat", "info", "login_check", "mcp", "openapi.json",
    "queue", "reset", "run", "startup-events", "theme.css", "token", "upload", "upload_progress",
    "user",
}  # fmt: skip
"""First part of the addresses below :data:`PREFIX` that are served, beside ``file=``."""
CLOSED = ("/monitoring",)
NAME = 128  # most letters of a tab's name
STILL = 30.0  # seconds between two parts of a body, after which it is given up
PLAIN = 1_000_000  # bytes of a body that is neither JSON nor an upload, such as a login
ROOM = 1_000_000  # bytes of a body beside the file in it
MANY = 200_000  # values in a request's JSON; Gradio takes its time over each
ESCAPED = re.compile(rb"\\u[dD][89a-fA-F]")  # half of a letter written in two


class Unwelcome(Exception):
    """A request that is not let through: the status and the sentence of the answer."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status, self.sentence = status, sentence


def check_address(path: str) -> None:
    """Raises :class:`Unwelcome` where nothing of this page is served."""
    served = not path.startswith(CLOSED)
    if path.startswith(PREFIX):
        rest = path.removeprefix(PREFIX)
        served = rest.split("/")[0] in SERVED or (rest.startswith("file=") and "://" not in rest)
    if not served:
        raise Unwelcome(404, "There is nothing at this address.")


def tabs_of(scope: Scope, plain: Any) -> set[str]:
    """Every tab a request speaks for or listens to, wherever its name is given.

    Args:
        plain: its JSON, None where it has none.

    Raises:
        Unwelcome: a name is longer than any tab's.
    """
    query = parse_qs(scope.get("query_string", b"").decode("latin-1"))
    found = set(query.get("session_hash", ()))
    parts = [part for part in scope["path"].removeprefix(PREFIX).split("/") if part]
    if parts[:1] == ["heartbeat"]:
        found.update(parts[1:2])
    if parts[:1] == ["call"] and len(parts) > 2:  # an event, or the tab whose events are told
        found.add(parts[-1])
    name = plain.get("session_hash") if isinstance(plain, dict) else None
    if isinstance(name, str):
        found.add(name)
    if any(len(each) > NAME for each in found):
        raise Unwelcome(400, "No tab has a name that long.")
    return found


def plain_of(body: bytes) -> Any:
    """A body's JSON as values.

    Raises:
        Unwelcome: it is none, holds what could not be answered with (Gradio quotes what it
            refuses, and fails on numbers and letters JSON does not know), more values than
            a person could mean, or a file of the web.
    """
    if not body:
        return None
    if body.count(b",") + body.count(b"[") + body.count(b"{") > MANY:
        raise Unwelcome(413, "The request holds more values than this page takes.")
    try:
        plain = json.loads(body, parse_constant=_no_number, parse_float=_finite)
        if ESCAPED.search(body):
            json.dumps(plain, ensure_ascii=False).encode("utf-8")  # half a letter is not written
    except (ValueError, RecursionError) as error:
        sentence = "The request is no JSON that this page understands."
        raise Unwelcome(400, sentence) from error
    if not isinstance(plain, dict):
        raise Unwelcome(400, "The request is no JSON object.")
    if b"path" in body or b"\\u" in body:
        for path in _paths(plain):
            if path.lower().startswith(("http:", "https:")):
                raise Unwelcome(400, "This page fetches nothing from the web; upload the file.")
    return plain


def _paths(plain: Any) -> Iterator[str]:
    """Where files lie that a request names."""
    left = [plain]
    while left:
        value = left.pop()
        if isinstance(value, dict):
            if isinstance(value.get("path"), str):
                yield value["path"]
            left.extend(value.values())
        elif isinstance(value, list):
            left.extend(value)


def _finite(text: str) -> float:
    number = float(text)
    if not isfinite(number):
        _no_number(text)
    return number


def _no_number(text: str) -> float:
    raise ValueError(f"{text} is no number")


async def body_of(receive: Receive, most: int) -> bytes:
    """The whole body.

    Raises:
        Unwelcome: it is larger than ``most`` bytes, or does not go on coming.
    """
    parts = []
    bounded = limited(receive, most)
    while True:
        message = await bounded()
        if message["type"] != "http.request":
            return b"".join(parts)
        parts.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(parts)


def limited(
    receive: Receive, most: int, took: Callable[[int], None] = lambda size: None
) -> Receive:
    """``receive`` that gives up on a body of more than ``most`` bytes or one that stands still.

    Args:
        took: told of each part's bytes; may raise :class:`Unwelcome` itself.
    """
    size, whole = 0, False

    async def next_part() -> Message:
        nonlocal size, whole
        if whole:  # what follows is the news that the caller left, which may come any time
            return await receive()
        try:
            message = await asyncio.wait_for(receive(), STILL)
        except TimeoutError:
            raise Unwelcome(408, "The request stopped coming; send it again.") from None
        if message["type"] == "http.request":
            size += len(message.get("body", b""))
            whole = not message.get("more_body", False)
            took(len(message.get("body", b"")))
            if size > most:
                raise Unwelcome(413, "The request is larger than this page takes.")
        return message

    return next_part


class Intake:
    """How much all visitors uploaded of late, so that they do not fill the disk together.

    Args:
        most: bytes within ``span``.
        span: seconds an upload is kept on the disk.
    """

    def __init__(self, most: int, span: float) -> None:
        self.most, self.span = most, span
        self._taken: deque[tuple[float, int]] = deque()
        self._sum = 0

    def take(self, size: int) -> None:
        """Count ``size`` bytes more.

        Raises:
            Unwelcome: there is no room for them now.
        """
        now = time.monotonic()
        while self._taken and self._taken[0][0] < now - self.span:
            self._sum -= self._taken.popleft()[1]
        if self._sum + size > self.most:
            raise Unwelcome(503, "Too much was uploaded here of late; try again later.")
        self._sum += size
        if self._taken and now - self._taken[-1][0] < 1:  # a second's parts are one entry
            self._taken[-1] = (self._taken[-1][0], self._taken[-1][1] + size)
        elif size:
            self._taken.append((now, size))
