"""What every request passes: who may speak for which tab, for whom the page is, and headers.

A tab of Gradio's goes by a name the browser draws, and whoever has that name could read and act
for it. So the first request that uses a name ties it to a cookie of the browser it came from;
the same name from another browser gets nothing. A browser without cookies has the name alone.

On a loopback address only the names of this machine are answered to: a foreign site that points
its own name here (DNS rebinding) reads nothing.
"""

from __future__ import annotations

import json
import re
import secrets
import threading
from collections import OrderedDict
from collections.abc import Awaitable, Callable, MutableMapping
from http.cookies import CookieError, SimpleCookie
from math import isfinite
from typing import Any
from urllib.parse import parse_qs

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

COOKIE = "zscope"
NAMES = 20_000  # tabs that are remembered
LOOPBACK = ("127.0.0.1", "localhost", "::1", "[::1]")
PREFIX = "/gradio_api/"
ESCAPED = re.compile(rb"\\u[dD][89a-fA-F]")  # half of a letter written in two
# Gradio's page is written with inline scripts and styles; nothing is ever fetched from elsewhere.
POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self' data:; "
    "media-src 'self' data: blob:; connect-src 'self' data: blob:; worker-src 'self' blob:; "
    "object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors {frames}"
)
HUB = "'self' https://huggingface.co https://*.hf.space"


def headers(hosted: bool) -> list[tuple[bytes, bytes]]:
    """What every answer carries; a Space is shown in a frame of its hub, other copies in none."""
    own = {
        "content-security-policy": POLICY.format(frames=HUB if hosted else "'self'"),
        "x-content-type-options": "nosniff",
        "referrer-policy": "same-origin",
        "permissions-policy": "camera=(), microphone=(), geolocation=()",
        "cross-origin-opener-policy": "same-origin",
    }
    if hosted:
        del own["cross-origin-opener-policy"]  # the hub opens the page in a frame of its own
    else:
        own["x-frame-options"] = "SAMEORIGIN"
    return [(name.encode(), value.encode()) for name, value in own.items()]


class Doorway:
    """An ASGI middleware around Gradio's application.

    Args:
        app: what is behind it.
        hosted: the page is a Space, behind a proxy and in a frame.
        names: hosts that are answered to; None answers to any.
        most: bytes of a request's JSON.
        tidy: told of each tab that asks for something, on the event loop.
    """

    def __init__(
        self,
        app: Any,
        hosted: bool = False,
        names: tuple[str, ...] | None = None,
        most: int = 80_000_000,
        tidy: Callable[[str], Any] = lambda tab: None,
    ) -> None:
        self.app, self.names, self.most, self.hosted = app, names, most, hosted
        self.tidy = tidy
        self.headers = headers(hosted)
        self._tabs: OrderedDict[str, str] = OrderedDict()
        self._lock = threading.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or answer it here."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        given = {name.decode("latin-1").lower(): value for name, value in scope["headers"]}
        cookie = _cookie(given.get("cookie", b""))
        fresh = secrets.token_urlsafe(24) if cookie is None else None
        send = self._dressed(send, fresh, scope)
        if self.names is not None and _host(given.get("host", b"")) not in self.names:
            await _refuse(send, 421, "This page answers to this machine alone.")
            return
        if scope["path"].startswith(PREFIX):
            body = None
            if scope["method"] == "POST" and b"json" in given.get("content-type", b""):
                body = await _body(receive, self.most)
                if body is None:
                    await _refuse(send, 413, "The request is larger than this page takes.")
                    return
                receive = _again(body, receive)
            try:
                tab = _tab(scope, body)
            except (ValueError, RecursionError):
                await _refuse(send, 400, "The request is no JSON that this page understands.")
                return
            if tab is not None and not self._is_theirs(tab, cookie):
                await _refuse(send, 403, "This tab belongs to another browser.")
                return
            if tab is not None and body is not None:
                self.tidy(tab)
        await self.app(scope, receive, send)

    def _is_theirs(self, tab: str, cookie: str | None) -> bool:
        with self._lock:
            owner = self._tabs.setdefault(tab, cookie or "")
            self._tabs.move_to_end(tab)
            while len(self._tabs) > NAMES:
                self._tabs.popitem(last=False)
        return not owner or owner == cookie

    def _dressed(self, send: Send, fresh: str | None, scope: Scope) -> Send:
        async def dressed(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                own = {name for name, _ in self.headers}
                kept = [(n, v) for n, v in message.get("headers", ()) if n.lower() not in own]
                kept += self.headers
                if fresh is not None and scope["path"] == "/":
                    across = "; SameSite=None; Secure; Partitioned"  # in the hub's frame
                    where = across if self.hosted else "; SameSite=Lax"
                    kept.append(
                        (b"set-cookie", f"{COOKIE}={fresh}; Path=/; HttpOnly{where}".encode())
                    )
                message = {**message, "headers": kept}
            await send(message)

        return dressed


def _cookie(header: bytes) -> str | None:
    try:
        found = SimpleCookie(header.decode("latin-1")).get(COOKIE)
    except CookieError:
        return None
    return found.value if found is not None else None


def _host(header: bytes) -> str:
    name = header.decode("latin-1").lower()
    return name.rpartition("]")[0] + "]" if name.startswith("[") else name.partition(":")[0]


def _tab(scope: Scope, body: bytes | None) -> str | None:
    """The tab a request speaks for, by its address or its JSON.

    Raises:
        ValueError, RecursionError: the body is no JSON, or holds what could not be answered with:
            Gradio quotes what it refuses, and fails on numbers and letters JSON does not know.
    """
    plain = _plain(body) if body else None
    asked = parse_qs(scope.get("query_string", b"").decode("latin-1")).get("session_hash")
    if asked:
        return asked[0]
    parts = scope["path"].removeprefix(PREFIX).split("/")
    if parts[0] == "heartbeat" and len(parts) > 1:
        return str(parts[1])
    name = plain.get("session_hash") if isinstance(plain, dict) else None
    return name if isinstance(name, str) else None


def _plain(body: bytes) -> Any:
    """A body's JSON as values."""
    plain = json.loads(body, parse_constant=_no_number, parse_float=_finite)
    if ESCAPED.search(body):
        json.dumps(plain, ensure_ascii=False).encode("utf-8")  # half a letter cannot be written
    return plain


def _finite(text: str) -> float:
    number = float(text)
    if not isfinite(number):
        _no_number(text)
    return number


def _no_number(text: str) -> float:
    raise ValueError(f"{text} is no number")


async def _body(receive: Receive, most: int) -> bytes | None:
    parts: list[bytes] = []
    size, more = 0, True
    while more:
        message = await receive()
        if message["type"] != "http.request":
            break
        parts.append(message.get("body", b""))
        size, more = size + len(parts[-1]), message.get("more_body", False)
        if size > most:
            return None
    return b"".join(parts)


def _again(body: bytes, receive: Receive) -> Receive:
    told = False

    async def again() -> MutableMapping[str, Any]:
        nonlocal told
        if told:
            return await receive()
        told = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again


async def _refuse(send: Send, status: int, sentence: str) -> None:
    body = json.dumps({"error": sentence, "detail": sentence}).encode()
    kind = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": kind})
    await send({"type": "http.response.body", "body": body})
