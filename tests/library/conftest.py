"""What the tests of the library share."""

import time

import pytest


class Clock:
    """Stands still until it is set."""

    def __init__(self):
        self.now = time.time()

    def __call__(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    """The time that the library is told."""
    clock = Clock()
    monkeypatch.setattr("time.time", clock)
    return clock
