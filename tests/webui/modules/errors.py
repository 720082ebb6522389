"""Where the host prints what it swallows."""

from __future__ import annotations

import sys
import textwrap
import traceback
from collections.abc import Callable

exception_records: list[dict[str, object]] = []
_KEPT_RECORDS = 5


def record_exception() -> None:
    """Remembers the exception that is being handled, for the host's system info page."""
    error = sys.exc_info()[1]
    if error is None:
        return
    frames = traceback.extract_tb(error.__traceback__)
    trace = [[f"{f.filename}, line {f.lineno}, {f.name}", f.line] for f in frames]
    exception_records.append({"exception": str(error), "traceback": trace})
    del exception_records[:-_KEPT_RECORDS]


def report(message: str, *, exc_info: bool = False) -> None:
    """Prints a message to stderr, each line marked with `***`, and the traceback if asked."""
    record_exception()
    lines = [f"*** {line}" for line in message.splitlines()]
    if exc_info:
        lines += [textwrap.indent(traceback.format_exc(), "    "), "---"]
    sys.stderr.write("\n".join(lines) + "\n")
    sys.stderr.flush()


def print_error_explanation(message: str) -> None:
    """Prints a framed explanation to stderr."""
    record_exception()
    rule = "=" * max(len(line) for line in message.strip().splitlines())
    sys.stderr.write(f"{rule}\n{message.strip()}\n{rule}\n")


def display(e: Exception, task: str, *, full_traceback: bool = False) -> None:
    """Prints an exception with the task it broke."""
    record_exception()
    text = "".join(traceback.format_exception(type(e), e, e.__traceback__))
    sys.stderr.write(f"{task or 'error'}: {type(e).__name__}\n{text}")


_displayed: set[str] = set()


def display_once(e: Exception, task: str) -> None:
    """As `display`, but only the first time for a task."""
    if task not in _displayed:
        _displayed.add(task)
        display(e, task)


def run(code: Callable[[], object], task: str) -> None:
    """Calls `code`; an exception is only shown."""
    try:
        code()
    except Exception as e:  # noqa: BLE001  (the host swallows here)
        display(e, task)
