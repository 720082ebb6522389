"""One job at a time, and what becomes of an exception in a job of the page."""

from __future__ import annotations

import html
import time
from collections.abc import Callable
from functools import wraps

from modules import devices, errors, fifo_lock, progress, shared

queue_lock = fifo_lock.FIFOLock()


def wrap_queued_call(func: Callable) -> Callable:
    """Waits for its turn."""

    def f(*args: object, **kwargs: object) -> object:
        with queue_lock:
            return func(*args, **kwargs)

    return f


def wrap_gradio_gpu_call(func: Callable, extra_outputs: list | None = None) -> Callable:
    """A job of the page: waits, counts progress, shows errors below the pictures."""

    @wraps(func)
    def f(*args: object, **kwargs: object) -> object:
        first = args[0] if args else None
        is_task = isinstance(first, str) and first.startswith("task(") and first.endswith(")")
        id_task = first if is_task else None
        if is_task:
            progress.add_task_to_queue(id_task)
        with queue_lock:
            shared.state.begin(job=id_task)
            progress.start_task(id_task)
            try:
                res = func(*args, **kwargs)
                progress.record_results(id_task, res)
            finally:
                progress.finish_task(id_task)
            shared.state.end()
        return res

    return wrap_gradio_call(f, extra_outputs=extra_outputs, add_stats=True)


def wrap_gradio_call(
    func: Callable, extra_outputs: list | None = None, add_stats: bool = False
) -> Callable:
    """As `wrap_gradio_call_no_job`; stop flags are cleared at the end."""

    @wraps(func)
    def f(*args: object, **kwargs: object) -> object:
        try:
            return func(*args, **kwargs)
        finally:
            state = shared.state
            state.skipped = state.interrupted = state.stopping_generation = False
            state.job_count = 0
            state.job = ""

    return wrap_gradio_call_no_job(f, extra_outputs, add_stats)


def wrap_gradio_call_no_job(
    func: Callable, extra_outputs: list | None = None, add_stats: bool = False
) -> Callable:
    """An exception becomes `<div class='error'>` in the last output, the others are emptied."""

    @wraps(func)
    def f(*args: object, **kwargs: object) -> tuple:
        start = time.perf_counter()
        try:
            res = list(func(*args, **kwargs))
        except Exception as e:  # noqa: BLE001  (the host shows it in the page)
            shown = f"Error completing request\nArguments: {args} {kwargs}"[:131072]
            errors.report(shown, exc_info=True)
            message = html.escape(f"{type(e).__name__}: {e}")
            empty = [None, ""] if extra_outputs is None else extra_outputs
            res = [*empty, f"<div class='error'>{message}</div>"]
        devices.torch_gc()
        if add_stats:
            took = f"{time.perf_counter() - start:.1f} sec."
            res[-1] += (
                "<div class='performance'><p class='time'>Time taken: "
                f"<wbr><span class='measurement'>{took}</span></p></div>"
            )
        return tuple(res)

    return f
