"""What the commands of the Makefile share: their output, and the WebUI that they talk to."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.webui.server import StandIn

ROOT = Path(__file__).resolve().parents[2]


def say(text: str) -> None:
    """Prints a line at once: a command may take minutes, and may be cut off."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


@contextlib.contextmanager
def running_webui(url: str | None, port: int = 0) -> Iterator[str]:
    """The address of a WebUI: the one given, or a stand-in for as long as the context lasts.

    port: of the stand-in; 0 = a free one.
    """
    if url:
        yield url
        return
    with StandIn(extension=ROOT, port=port or None) as server:
        yield server.url
