"""What the commands of the Makefile share: their output, and the WebUI that they talk to."""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

from tests.webui.server import StandIn, StandInError

ROOT = Path(__file__).resolve().parents[2]
_TICK_SECONDS = 5.0
_ENDING = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)


def say(text: str) -> None:
    """Prints a line at once: a command may take minutes, and may be cut off."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


@contextlib.contextmanager
def progress(what: str) -> Iterator[None]:
    """Says what is being done, and every few seconds that it still is."""
    started, is_done = time.monotonic(), threading.Event()

    def tick() -> None:
        while not is_done.wait(_TICK_SECONDS):
            say(f"  ... {time.monotonic() - started:.0f} s")

    say(f"{what} ...")
    ticking = threading.Thread(target=tick, daemon=True)
    ticking.start()
    try:
        yield
    finally:
        is_done.set()
        ticking.join()


@contextlib.contextmanager
def interrupted_once() -> Iterator[None]:
    """Makes every polite way to end a command raise KeyboardInterrupt inside, but only once.

    So it ends by way of whatever has to be tidied up, which a second press must not cut short.
    """

    def end(_number: int, _frame: FrameType | None) -> None:
        for each in _ENDING:
            signal.signal(each, signal.SIG_IGN)
        raise KeyboardInterrupt

    before = {each: signal.signal(each, end) for each in _ENDING}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


@contextlib.contextmanager
def running_webui(
    url: str | None, port: int = 0, more: Path | None = None, env: dict[str, str] | None = None
) -> Iterator[str]:
    """The address of a WebUI: the one given, or a stand-in for as long as the context lasts.

    Args:
        port: of the stand-in; 0 = a free one.
        more: the folder of another extension for the stand-in.
        env: further environment variables for it.

    Raises:
        SystemExit: it does not start; with a sentence.
    """
    if url:
        yield url
        return
    extensions = [ROOT, more] if more else [ROOT]
    with contextlib.ExitStack() as stack:
        with progress("Starting the stand-in WebUI with the small model (some 15 seconds)"):
            server = StandIn(extension=extensions, port=port or None, env=env)
            try:
                stack.enter_context(server)
            except StandInError as error:
                raise SystemExit(f"The stand-in WebUI did not start: {error}") from error
        yield server.url
