"""The acts of the page as MCP tools, for assistants: the five endpoints and nothing else.

They stand at ``/gradio_api/mcp/`` behind the same door and within the same bounds as the page,
and take their turn in the same line. Nothing is kept between two requests. What an assistant is
told of a tool is the docstring of its endpoint. The ``mcp`` package takes a second to import:
that waits for the first request, so that a page nobody asks this way opens no later.
"""

from __future__ import annotations

import asyncio
import base64
import inspect
import json
import re
import threading
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import gradio as gr
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse

from gui.calls import WANTED

if TYPE_CHECKING:
    from mcp.server import Server

    from gui.doorway import Receive, Scope, Send
    from gui.endpoints import Endpoints

PATH = "/gradio_api/mcp"
NAMES = ("models", "examples", "run", "branch", "score")
ROOM = 1_000_000  # bytes of a call beside its picture
INTRODUCTION = (
    "Zscope asks a vision-language model that imagines in latent vectors before it answers, "
    "changes what it imagined, and says whether the answer cared. Begin with `models` and "
    "`examples`; `run` asks, `branch` asks and edits, `score` weighs answer options."
)


class Tools:
    """An ASGI middleware that answers the address of the tools, and lets all else through.

    Args:
        app: what is behind it.
        endpoints: whose methods the tools are.
        admits: whether a name and a password may come in, sent as HTTP's basic authorization;
            None asks nobody.
    """

    def __init__(
        self, app: Any, endpoints: Endpoints, admits: Callable[[str, str], bool] | None = None
    ) -> None:
        self.app, self.endpoints, self.admits = app, endpoints, admits
        self._server: Server | None = None
        self._making = asyncio.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer an assistant, or pass a request on."""
        if scope["type"] != "http" or scope["path"].rstrip("/") != PATH:
            await self.app(scope, receive, send)
            return
        refusal = self._refusal(scope)
        if refusal is not None:
            await refusal(scope, receive, send)
            return
        async with self._making:
            if self._server is None:
                self._server = await run_in_threadpool(made, self.endpoints)
        from mcp.server.streamable_http_manager import StreamableHTTPSessionManager

        manager = StreamableHTTPSessionManager(
            self._server,
            json_response=True,
            stateless=True,
            max_request_body_size=self.endpoints.bounds.upload * 4_000_000 // 3 + ROOM,
        )
        gone, whole = threading.Event(), asyncio.Event()
        WANTED.set(lambda: not gone.is_set())
        watch = asyncio.create_task(_note_leaving(receive, whole, gone))
        try:
            async with manager.run():
                await manager.handle_request(scope, _until_whole(receive, whole), send)
        finally:
            watch.cancel()
            gone.set()

    def _refusal(self, scope: Scope) -> JSONResponse | None:
        """What is answered to those who may not come in, or do not speak to it as they should."""
        given = {name.lower(): value for name, value in scope["headers"]}
        if self.admits is not None and not self.admits(*_basic(given.get(b"authorization", b""))):
            challenge = {"www-authenticate": 'Basic realm="Zscope"'}
            said = "This page asks for a name and a password: send them as basic authorization."
            return JSONResponse({"error": said}, 401, challenge)
        if scope["method"] != "POST":
            said = "This address is for MCP clients, over streamable HTTP."
            return JSONResponse({"error": said}, 405, {"allow": "POST"})
        return None


def made(endpoints: Endpoints) -> Server:
    """The server of an endpoint's five tools; imports ``mcp``."""
    from anyio import CapacityLimiter, to_thread
    from mcp import types
    from mcp.server import Server
    from mcp.server.fastmcp.tools import Tool

    acts = {name: getattr(endpoints, name) for name in NAMES}
    tools = {name: Tool.from_function(act, structured_output=False) for name, act in acts.items()}
    room = CapacityLimiter(endpoints.bounds.waiting + len(NAMES))  # those in line hold one each
    server: Server = Server("Zscope", instructions=INTRODUCTION)

    @server.list_tools()
    async def listed() -> list[types.Tool]:
        return [
            types.Tool(
                name=name,
                description=described(act)[0],
                inputSchema=schema(act, tools[name].parameters),
                annotations=types.ToolAnnotations(readOnlyHint=True, openWorldHint=False),
            )
            for name, act in acts.items()
        ]

    @server.call_tool()
    async def called(name: str, arguments: dict[str, Any]) -> Any:
        if name not in acts:
            raise ValueError(f"There is no tool “{name}”; there are {', '.join(NAMES)}.")
        act = partial(acts[name], **arguments)
        try:
            said = await to_thread.run_sync(act, limiter=room)
        except gr.Error as error:  # an endpoint's own, and already one sentence
            raise ValueError(error.message) from error
        text = types.TextContent(type="text", text=json.dumps(said, ensure_ascii=False))
        return [text], {"result": said} if isinstance(said, list) else said

    return server


def described(act: Callable[..., Any]) -> tuple[str, dict[str, str]]:
    """What a docstring says: of the act and what comes back, and of each argument."""
    text = inspect.getdoc(act) or ""
    told, _, rest = text.partition("\nArgs:\n")
    if not rest:
        told, _, back = text.partition("\nReturns:\n")
    else:
        rest, _, back = rest.partition("\nReturns:\n")
    found = re.findall(r"^ {4}(\w+): (.*(?:\n {8,}.*)*)", rest, re.MULTILINE)
    returns = f" Returns: {_flat(back)}" if back else ""
    return _flat(told) + returns, {name: _flat(said) for name, said in found}


def schema(act: Callable[..., Any], parameters: dict[str, Any]) -> dict[str, Any]:
    """The JSON schema of an act's arguments, each with what its docstring says."""
    said = described(act)[1]
    given = parameters.get("properties", {})
    properties = {
        name: {
            **{key: value for key, value in one.items() if key != "title"},
            "description": said[name],
        }
        for name, one in given.items()
    }
    return {**parameters, "properties": properties, "additionalProperties": False}


def _flat(text: str) -> str:
    return " ".join(text.split())


def _basic(header: bytes) -> tuple[str, str]:
    """Name and password of an authorization header; two empty ones where it has none."""
    kind, _, value = header.decode("latin-1").partition(" ")
    try:
        told = base64.b64decode(value, validate=True).decode() if kind.lower() == "basic" else ""
    except ValueError:
        told = ""
    name, _, password = told.partition(":")
    return name, password


def _until_whole(receive: Receive, whole: asyncio.Event) -> Receive:
    """``receive`` that says when the last of the body was taken."""

    async def taken() -> Any:
        message = await receive()
        if not message.get("more_body", False):
            whole.set()
        return message

    return taken


async def _note_leaving(receive: Receive, whole: asyncio.Event, gone: threading.Event) -> None:
    """Sets ``gone`` when the caller hangs up, which nobody else listens for once it has asked."""
    await whole.wait()
    while (await receive())["type"] != "http.disconnect":
        pass
    gone.set()
