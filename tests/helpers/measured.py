"""How much memory something takes at its peak, in a process of its own; for systems with fork."""

from __future__ import annotations

import os
import resource
import sys
from collections.abc import Callable

_KILOBYTE = 1 if sys.platform == "darwin" else 1024


def peak_bytes(work: Callable[[], object]) -> int:
    """By how many bytes a child process that does `work` grows while it does.

    Raises:
        AssertionError: `work` raised something.
    """
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            before = _peak()
            work()
            os.write(writer, str(_peak() - before).encode())
            code = 0
        finally:
            os._exit(code)
    os.close(writer)
    with os.fdopen(reader) as told:
        grown = told.read()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0, "it raised something"
    return int(grown)


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _KILOBYTE
