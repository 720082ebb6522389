"""Start-up times, by step."""

from __future__ import annotations

import time


class Timer:
    """Notes how long each named step took."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Starts again from zero."""
        self.start = self._last = time.time()
        self.records: dict[str, float] = {}

    def record(self, category: str, extra_time: float = 0) -> None:
        """Adds the time since the last call to `category`."""
        now = time.time()
        self.records[category] = self.records.get(category, 0.0) + now - self._last + extra_time
        self._last = now

    def summary(self) -> str:
        """One line: the total, then the steps that took at least 0.1 s."""
        parts = [f"{name}: {took:.1f}s" for name, took in self.records.items() if took >= 0.1]
        return f"{time.time() - self.start:.1f}s ({', '.join(parts)})"


startup_timer = Timer()
