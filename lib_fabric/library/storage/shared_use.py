"""What several threads use at once, and one must sometimes have for itself.

Knows only the standard library.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator


class SharedUse:
    """Any number of threads between `somebody`, or one alone between `nobody`."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._num_users = 0

    @contextlib.contextmanager
    def somebody(self) -> Iterator[None]:
        """Waits while another thread has it for itself."""
        with self._changed:
            self._num_users += 1
        try:
            yield
        finally:
            with self._changed:
                self._num_users -= 1
                self._changed.notify_all()

    @contextlib.contextmanager
    def nobody(self, timeout_seconds: float) -> Iterator[None]:
        """Waits until no thread uses it, but not longer than so long, and lets none begin."""
        with self._changed:
            self._changed.wait_for(lambda: self._num_users == 0, timeout_seconds)
            yield
