"""Ends the host's task where we let a request fail.

Knows `modules.progress`, and what the host's processing objects and scripts look like.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from modules import progress

# Scripts that go on where one of their generations fails: the X/Y/Z plot.
_FORGIVING_SCRIPTS = ("xyz_grid.py",)


@contextlib.contextmanager
def ended_on_error(p: Any) -> Iterator[None]:  # noqa: ANN401 (the host's processing object)
    """Ends the task of this object's request where what is inside raises.

    The host leaves it under way where an API request fails, and other extensions' queues wait until
    none is. It starts the task before it calls any hook, so that nothing can be refused earlier.
    """
    try:
        yield
    except Exception:  # whatever it is, it goes on from here
        if not _is_forgiven(p):
            end_task(p)
        raise


def end_task(p: Any) -> None:  # noqa: ANN401 (as above)
    """Ends it, if this is an API request: the page's ends in any case."""
    if getattr(p, "is_api", False) and progress.current_task is not None:
        progress.finish_task(progress.current_task)


def _is_forgiven(p: Any) -> bool:  # noqa: ANN401 (as above)
    """Whether the script that runs it goes on, and the task with it."""
    chosen = p.script_args[0] if p.script_args else None
    if not isinstance(chosen, int) or not 0 < chosen <= len(p.scripts.selectable_scripts):
        return False
    script = p.scripts.selectable_scripts[chosen - 1]
    return Path(script.filename).name in _FORGIVING_SCRIPTS
