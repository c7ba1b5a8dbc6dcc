"""A browser tab without a browser: what Gradio's page sends and is sent, over plain HTTP.

Every control of the page can be worked this way, also those that are closed to programs, and a
tab can be closed as a browser closes it. Used by the tests of many visitors at once and by the
soak under ``benchmarks/``.
"""

from __future__ import annotations

import json
import secrets
import socket
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import httpx

PATIENCE = 120.0  # seconds for one event of a page that shares its machine


class Refused(Exception):
    """The server ended an event with an error."""


class Visitor:
    """One tab.

    Args:
        address: where the page is served.
        session: the tab's name; None draws one as a browser does.
    """

    def __init__(self, address: str, session: str | None = None) -> None:
        self.base = address.rstrip("/")
        self.session = session or secrets.token_hex(6)
        self.http = httpx.Client(timeout=PATIENCE)
        self.config = self.http.get(f"{self.base}/config").json()
        self.parts = {c["id"]: c for c in self.config["components"]}
        self.ids = {
            c["props"].get("elem_id"): c["id"]
            for c in self.config["components"]
            if c["props"].get("elem_id")
        }
        self.values: dict[int, Any] = {
            id: part["props"].get("value") for id, part in self.parts.items()
        }
        self._beat: socket.socket | None = None

    def enter(self) -> None:
        """Ask for the page itself, as a browser does, and keep its cookie."""
        self.http.get(f"{self.base}/")

    def control(self, name: str, event: str) -> dict[str, Any]:
        """The dependency of an event of the component with this ``elem_id``."""
        target = [self.ids[name], event]
        found = [d for d in self.config["dependencies"] if target in d["targets"]]
        return next(d for d in found if d["backend_fn"])

    def opening(self) -> dict[str, Any]:
        """The dependency of the page's load."""
        return next(
            d
            for d in self.config["dependencies"]
            if d["backend_fn"] and any(t[1] == "load" for t in d["targets"])
        )

    def open(self, query: str = "") -> list[str]:
        """Load the page; the messages' texts."""
        return [json.dumps(m) for m in self._send(self.opening(), ["", ""], None, query)]

    def do(self, name: str, event: str = "click", data: Any = None, **values: Any) -> list[str]:
        """Work a control to its end; what came back, each message as text.

        Args:
            name: its ``elem_id``.
            event: which of its events.
            data: what the event carries.
            values: ``elem_id`` (with ``_`` for ``-``) → value of another control.
        """
        return list(self.watch(name, event, data, **values))

    def watch(
        self, name: str, event: str = "click", data: Any = None, **values: Any
    ) -> Iterator[str]:
        """Like :meth:`do`, message by message."""
        control = self.control(name, event)
        given = {self.ids[k.replace("_", "-")]: v for k, v in values.items()}
        row = [
            None if self.parts[i]["type"] == "state" else given.get(i, self.values.get(i))
            for i in control["inputs"]
        ]
        for message in self._send(control, row, data):
            yield json.dumps(message, ensure_ascii=False)

    def _send(
        self, control: dict[str, Any], row: list[Any], data: Any, query: str = ""
    ) -> Iterator[dict[str, Any]]:
        body = {
            "data": row,
            "event_data": data,
            "fn_index": control["id"],
            "session_hash": self.session,
            "trigger_id": control["targets"][0][0] if control["targets"] else None,
        }
        if not control["queue"]:
            answer = self.http.post(f"{self.base}/gradio_api/run/predict{query}", json=body)
            if answer.status_code != 200:
                raise Refused(answer.text)
            yield answer.json()
            return
        joined = self.http.post(f"{self.base}/gradio_api/queue/join{query}", json=body)
        if joined.status_code != 200:
            raise Refused(joined.text)
        event = joined.json()["event_id"]
        url = f"{self.base}/gradio_api/queue/data?session_hash={self.session}"
        with self.http.stream("GET", url) as stream:
            for line in stream.iter_lines():
                if not line.startswith("data:"):
                    continue
                message = json.loads(line[5:])
                if message.get("event_id") not in (event, None):
                    continue
                if message["msg"] == "process_completed":
                    if not message["success"]:
                        raise Refused(json.dumps(message["output"]))
                    yield message
                    return
                if message["msg"] == "process_generating":
                    yield message

    def stay(self) -> None:
        """Hold the connection by which the server knows that the tab is open."""
        at = urlsplit(self.base)
        cookies = "; ".join(f"{name}={value}" for name, value in self.http.cookies.items())
        self._beat = socket.create_connection((at.hostname, at.port), PATIENCE)
        self._beat.sendall(
            f"GET /gradio_api/heartbeat/{self.session} HTTP/1.1\r\nHost: {at.netloc}\r\n"
            f"Cookie: {cookies}\r\n\r\n".encode()
        )
        self._beat.recv(1024)

    def close(self) -> None:
        """Close the tab."""
        self.http.close()
        if self._beat is not None:
            self._beat.close()
