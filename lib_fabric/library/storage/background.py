"""Work that nobody waits for, one run at a time.

Knows only the standard library.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable

_log = logging.getLogger(__name__)


class BackgroundTask:
    """Runs `work` in a thread of its own after every `request`; requests meanwhile make one more.

    The thread ends when there is nothing to do, and with the process; an
    exception in `work` goes to the console.
    """

    def __init__(self, work: Callable[[], None]) -> None:
        self._work = work
        self._lock = threading.Lock()
        self._is_wanted = False
        self._thread: threading.Thread | None = None

    def request(self) -> None:
        """Sees to it that `work` is run once from now on; returns at once."""
        with self._lock:
            self._is_wanted = True
            if self._thread is None:
                thread = threading.Thread(target=self._run, name="fabric", daemon=True)
                # No thread can be had: the next request tries again.
                with contextlib.suppress(RuntimeError):
                    thread.start()
                    self._thread = thread

    def wait(self, timeout_s: float = 60.0) -> bool:
        """Waits until everything requested is done; returns whether it is."""
        with self._lock:
            thread = self._thread
        if thread is not None:
            thread.join(timeout_s)
        return thread is None or not thread.is_alive()

    def _run(self) -> None:
        while True:
            with self._lock:
                if not self._is_wanted:
                    self._thread = None
                    return
                self._is_wanted = False
            try:
                self._work()
            except Exception:  # noqa: BLE001 (nobody waits for it; the next request goes on)
                _log.exception("FABRIC: work in the background failed")
