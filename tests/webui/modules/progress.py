"""Which job runs, and how far it is."""

from __future__ import annotations

import random
import string
import time
from collections import OrderedDict

from fastapi import FastAPI
from modules import shared
from pydantic import BaseModel

current_task: str | None = None
pending_tasks: OrderedDict[str, float] = OrderedDict()
finished_tasks: list[str] = []
recorded_results: list[tuple[str, object]] = []
_KEPT_TASKS = 16
_KEPT_RESULTS = 2


def start_task(id_task: str) -> None:
    """The job begins."""
    global current_task
    current_task = id_task
    pending_tasks.pop(id_task, None)


def finish_task(id_task: str) -> None:
    """The job is over."""
    global current_task
    if current_task == id_task:
        current_task = None
    finished_tasks.append(id_task)
    del finished_tasks[:-_KEPT_TASKS]


def create_task_id(task_type: str) -> str:
    """A new id."""
    letters = random.choices(string.ascii_uppercase + string.digits, k=7)
    return f"task({task_type}-{''.join(letters)})"


def add_task_to_queue(id_job: str) -> None:
    """The job waits."""
    pending_tasks[id_job] = time.time()


def record_results(id_task: str, res: object) -> None:
    """Keeps the last results."""
    recorded_results.append((id_task, res))
    del recorded_results[:-_KEPT_RESULTS]


class ProgressRequest(BaseModel):
    id_task: str | None = None
    id_live_preview: int = -1
    live_preview: bool = True


class ProgressResponse(BaseModel):
    active: bool
    queued: bool
    completed: bool
    progress: float | None = None
    eta: float | None = None
    live_preview: str | None = None
    id_live_preview: int | None = None
    textinfo: str | None = None


def setup_progress_api(app: FastAPI) -> None:
    """Adds the routes the page asks."""
    app.add_api_route(
        "/internal/progress", progressapi, methods=["POST"], response_model=ProgressResponse
    )


def progressapi(req: ProgressRequest) -> ProgressResponse:
    """POST /internal/progress."""
    answer = ProgressResponse(
        active=req.id_task == current_task,
        queued=req.id_task in pending_tasks,
        completed=req.id_task in finished_tasks,
    )
    if not answer.active:
        answer.textinfo = "In queue" if answer.queued else "Waiting..."
        return answer
    state, share = shared.state, 0.0
    if state.job_count > 0:
        share += state.job_no / state.job_count
        if state.sampling_steps > 0:
            share += state.sampling_step / state.sampling_steps / state.job_count
    answer.progress = min(share, 1)
    answer.textinfo = state.textinfo
    return answer
