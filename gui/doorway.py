"""What every request passes: who may speak for which tab, for whom the page is, and headers.

A tab of Gradio's goes by a name the browser draws, and whoever has that name could read and act
for it. So the first request that uses a name ties it to a cookie of the browser it came from;
the same name from another browser gets nothing. A browser without cookies has the name alone.

On a loopback address only the names of this machine are answered to: a foreign site that points
its own name here (DNS rebinding) reads nothing, and one that lets a browser send something here
is not listened to. What a request may ask for and bring is in :mod:`gui.requested`.
"""

from __future__ import annotations

import errno
import json
import secrets
import threading
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

from starlette.requests import cookie_parser

from gui.requested import (
    PLAIN,
    PREFIX,
    Intake,
    Message,
    Receive,
    Scope,
    Unwelcome,
    body_of,
    check_address,
    limited,
    plain_of,
    tabs_of,
)

Send = Callable[[Message], Awaitable[None]]

COOKIE = "zscope"
NAMES = 200_000  # tabs that are remembered
OPEN = ("cancel", "heartbeat", "reset")  # Gradio asks nobody here for a name and a password
FULL = (errno.ENOSPC, errno.EDQUOT)
INFO = ("info", "openapi.json", "call")  # tell of the page by the name they were asked by
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
        most: bytes of a request's JSON, or of an upload.
        intake: of all uploads together; None counts none.
        admits: whether a browser with these cookies has logged in; None where nobody has to.
        tidy: told of each tab that asks for something, on the event loop.
        forget: makes Gradio forget by what name it was asked about the page, so that it does not
            tell everybody a name that one of them made up.
    """

    def __init__(
        self,
        app: Any,
        hosted: bool = False,
        names: tuple[str, ...] | None = None,
        most: int = 80_000_000,
        intake: Intake | None = None,
        admits: Callable[[dict[str, str]], bool] | None = None,
        tidy: Callable[[str], Any] = lambda tab: None,
        forget: Callable[[], Any] = lambda: None,
    ) -> None:
        self.app, self.names, self.most, self.hosted = app, names, most, hosted
        self.intake, self.admits, self.tidy, self.forget = intake, admits, tidy, forget
        self.headers = headers(hosted)
        self._tabs: OrderedDict[str, str] = OrderedDict()
        self._lock = threading.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or answer it here."""
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})  # this page has none
            return
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        given = {name.decode("latin-1").lower(): value for name, value in scope["headers"]}
        cookies = _cookies(given.get("cookie", b""))
        cookie = cookies.get(COOKIE)
        fresh = secrets.token_urlsafe(24) if cookie is None else None
        begun = False

        async def told(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        dressed = self._dressed(told, fresh, scope)
        try:
            receive = await self._checked(scope, given, cookies, receive)
            await self.app(scope, receive, dressed)
        except Unwelcome as unwelcome:
            if not begun:
                await _refuse(dressed, unwelcome)
        except OSError as error:
            if begun or error.errno not in FULL:
                raise
            await _refuse(dressed, Unwelcome(507, "There is no room on the disk of this page."))

    async def _checked(
        self, scope: Scope, given: dict[str, bytes], cookies: dict[str, str], receive: Receive
    ) -> Receive:
        """What the request's body is to be taken from, once it may pass.

        Raises:
            Unwelcome: it may not.
        """
        if self.names is not None and _host(given.get("host", b"")) not in self.names:
            raise Unwelcome(421, "This page answers to this machine alone.")
        posted = scope["method"] not in ("GET", "HEAD", "OPTIONS")
        if posted and self.names is not None and not _own(given.get("origin"), self.names):
            raise Unwelcome(403, "This page takes nothing from other sites.")
        path = scope["path"]
        check_address(path)
        first = path.removeprefix(PREFIX).split("/")[0] if path.startswith(PREFIX) else None
        if first in OPEN and self.admits is not None and not self.admits(cookies):
            raise Unwelcome(401, "This page asks for a name and a password: log in first.")
        kind = given.get("content-type", b"").split(b";")[0].strip().lower()
        plain, tidied = None, posted and first is not None
        if tidied and first == "upload":
            take = self.intake.take if self.intake is not None else lambda size: None
            receive, tidied = limited(receive, self.most, take), False
        elif tidied:
            body = await body_of(receive, self.most)
            if body and not (kind == b"application/json" or kind.endswith(b"+json")):
                raise Unwelcome(415, "This page understands JSON.")
            plain, receive = plain_of(body), _again(body, receive)
        elif posted:
            receive = limited(receive, PLAIN)
        if first is not None:
            for tab in tabs_of(scope, plain):
                if not self._is_theirs(tab, cookies.get(COOKIE)):
                    raise Unwelcome(403, "This tab belongs to another browser.")
                if tidied:
                    self.tidy(tab)
            if first in INFO:
                self.forget()
        return receive

    def _is_theirs(self, tab: str, cookie: str | None) -> bool:
        with self._lock:
            owner = self._tabs.setdefault(tab, cookie or "")
            self._tabs.move_to_end(tab)
            while len(self._tabs) > NAMES:
                self._tabs.popitem(last=False)
        return not owner or owner == cookie

    def _dressed(self, send: Send, fresh: str | None, scope: Scope) -> Send:
        async def dressed(message: Message) -> None:
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


def _cookies(header: bytes) -> dict[str, str]:
    # not http.cookies, which drops all that follow one it does not like: on a loopback address a
    # browser sends those of every other program as well
    return cookie_parser(header.decode("latin-1"))


def _host(header: bytes) -> str:
    name = header.decode("latin-1").lower()
    return name.rpartition("]")[0] + "]" if name.startswith("[") else name.partition(":")[0]


def _again(body: bytes, receive: Receive) -> Receive:
    told = False

    async def again() -> Message:
        nonlocal told
        if told:
            return await receive()
        told = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again


def _own(origin: bytes | None, names: tuple[str, ...]) -> bool:
    """Whether a request comes from this machine's own pages, or from no page at all."""
    if origin is None:
        return True
    try:
        host = urlsplit(origin.decode("latin-1")).netloc
    except ValueError:
        return False
    return _host(host.encode("latin-1")) in names


async def _refuse(send: Send, unwelcome: Unwelcome) -> None:
    told = {"error": unwelcome.sentence, "detail": unwelcome.sentence}
    body = json.dumps(told).encode()
    kind = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    if unwelcome.status in (408, 413, 503, 507):  # the rest of the body is not read
        kind.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": unwelcome.status, "headers": kind})
    await send({"type": "http.response.body", "body": body})
