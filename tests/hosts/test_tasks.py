"""The host's task: over where we let an API request fail, under way where somebody goes on."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from lib_fabric.errors import FabricError
from tests.helpers.fake_modules import fake_modules, imported_anew

SCRIPTS = ("loopback.py", "xyz_grid.py")


@pytest.fixture
def tasks(monkeypatch):
    """hosts.tasks on a fake `modules.progress` with a task under way."""
    fakes = fake_modules(monkeypatch, {"progress": {"current_task": "task", "finish_task": None}})
    progress = fakes["progress"]
    progress.finish_task = lambda task: setattr(progress, "current_task", None)
    with imported_anew("lib_fabric.hosts.tasks") as module:
        yield module


def processing(script_args=(0,), is_api=True):
    selectable = [SimpleNamespace(filename=f"/host/scripts/{name}") for name in SCRIPTS]
    runner = SimpleNamespace(selectable_scripts=selectable)
    return SimpleNamespace(script_args=script_args, scripts=runner, is_api=is_api)


def fail_in(tasks, p):
    with pytest.raises(FabricError), tasks.ended_on_error(p):
        raise FabricError("No.")


@pytest.mark.parametrize("script_args", [(0,), (None,), (1,), (), None, ("text",), (7,)])
def test_an_api_request_that_fails_has_no_task(tasks, script_args):
    fail_in(tasks, processing(script_args))
    assert tasks.progress.current_task is None


@pytest.mark.parametrize("p", [processing((2,)), processing(is_api=False)], ids=["plot", "page"])
def test_the_task_of_what_goes_on_is_left(tasks, p):
    fail_in(tasks, p)
    assert tasks.progress.current_task == "task"


def test_a_request_that_succeeds_is_the_hosts(tasks):
    with tasks.ended_on_error(processing()):
        pass
    assert tasks.progress.current_task == "task"
