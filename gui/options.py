"""How the page is served, and which model stands behind it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from gui.bounds import Bounds

LOOPBACK = ("127.0.0.1", "localhost", "::1", "[::1]")


@dataclass(frozen=True)
class Options:
    """How the page is served, and which model stands behind it.

    Attributes:
        model: folder or hub id of the checkpoint.
        family: name of its family; None detects it.
        revision: commit of a hub checkpoint.
        device, dtype, attention: as :func:`core.load` takes them.
        host, port: where the page is served.
        share: also make a public link through Gradio's relay.
        browser: open the page in the default browser.
        state: folder where sessions are kept by themselves; None, as on a hosted copy, keeps
            nothing on the disk.
        own_models: visitors may load other checkpoints than the listed ones, by hub id or from
            a folder of this machine.
        bounds: how much a visitor may ask for.
        hosted: strangers are served, through a proxy and in the hub's frame.
        auth: whether a user and a password may come in; None asks nobody.
    """

    model: str = "assets/models/faithful"
    family: str | None = None
    revision: str | None = None
    device: str = "auto"
    dtype: str = "auto"
    attention: str = "sdpa"
    host: str = "127.0.0.1"
    port: int = 7860
    share: bool = False
    browser: bool = False
    state: Path | None = None
    own_models: bool = True
    bounds: Bounds = field(default_factory=Bounds)
    hosted: bool = False
    auth: Callable[[str, str], bool] | None = None

    @property
    def kept(self) -> int:
        """Seconds for which an upload is kept on the disk."""
        return 1800 if self.hosted else 86_400

    @property
    def alone(self) -> bool:
        """Whether only this machine is served."""
        return self.host in LOOPBACK and not self.share and not self.hosted
