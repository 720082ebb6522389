"""A lock that lets waiting threads in by order of arrival."""

from __future__ import annotations

import collections
import threading


class FIFOLock:
    """First come, first served."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._held = False
        self._waiting: collections.deque[threading.Event] = collections.deque()

    def acquire(self, blocking: bool = True) -> bool:
        """Takes the lock; without `blocking`, says False when it is taken."""
        with self._guard:
            if not self._held:
                self._held = True
                return True
            if not blocking:
                return False
            turn = threading.Event()
            self._waiting.append(turn)
        turn.wait()
        return True

    def release(self) -> None:
        """Hands the lock to the next in line."""
        with self._guard:
            if not self._held:
                raise RuntimeError("release of a lock that is not held")
            if self._waiting:
                self._waiting.popleft().set()
            else:
                self._held = False

    __enter__ = acquire

    def __exit__(self, *_: object) -> None:
        self.release()
