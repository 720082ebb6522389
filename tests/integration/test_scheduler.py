"""Feedback beside an extension that queues requests and waits until no task is under way."""

from __future__ import annotations

import base64
import io
import time
from pathlib import Path

import pytest
from PIL import Image

from tests.demo.client import WebuiClient, WebuiError
from tests.integration.payloads import assert_same, payload, plot_request
from tests.webui.server import StandIn

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.integration
PATIENCE_S = 120


@pytest.fixture(scope="module")
def server(standin):
    """A stand-in with FABRIC and a queue; asks for `standin` to skip as that."""
    with StandIn(extension=[ROOT, ROOT / "tests/webui/scheduler"]) as started:
        yield started


@pytest.fixture(scope="module")
def webui(server):
    return WebuiClient(server.url)


class Jobs:
    """The queue; `add` and `wait` for what has been added."""

    def __init__(self, server):
        self._server = server

    def add(self, request, path="/scheduler"):
        answer = self._server.post(path, request)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def wait(self, number):
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end:
            job = self._server.get(f"/scheduler/{number}").json()
            if job["state"] != "pending":
                return job
            time.sleep(0.1)
        raise AssertionError(f"the queue stands: job {number} is still pending")


@pytest.fixture
def jobs(server):
    return Jobs(server)


def pictures_of(job):
    assert job["state"] == "done", job.get("error")
    return [Image.open(io.BytesIO(base64.b64decode(text))) for text in job["images"]]


GONE = {"liked": ["0123456789abcdef"]}
REFUSED = {
    "a picture that is gone": (payload(GONE), "no longer in the store"),
    "a setting out of range": (payload({"strength": 9}), "'strength' must be 0 to 2"),
    "though it is off": (payload({"enabled": False, "strength": 9}), "'strength' must be 0 to 2"),
}


@pytest.mark.parametrize(("request_", "why"), REFUSED.values(), ids=REFUSED)
def test_a_job_that_is_refused_leaves_the_queue_running(webui, jobs, rated, request_, why):
    refused, good = jobs.add(request_), jobs.add(payload(rated))
    job = jobs.wait(refused)
    assert job["state"] == "failed"
    assert why in job["error"]
    assert_same(pictures_of(jobs.wait(good)), webui.txt2img(**payload(rated)).pictures, 0)


def test_a_request_of_somebody_else_that_is_refused_does_so_too(webui, jobs):
    with pytest.raises(WebuiError, match="no longer in the store"):
        webui.txt2img(**payload(GONE))
    pictures_of(jobs.wait(jobs.add(payload())))


def test_an_error_in_a_steered_sampling_does_so_too(server, jobs, rated):
    server.post("/standin/fault", {"at": "unet:3"})
    failing, good = jobs.add(payload(rated)), jobs.add(payload(rated))
    assert "stand-in fault" in jobs.wait(failing)["error"]
    pictures_of(jobs.wait(good))


def test_a_plot_with_an_axis_that_is_refused_does_so_too(webui, jobs, rated):
    scripts = webui.get("/sdapi/v1/script-info")
    request = plot_request(scripts, "[FABRIC] Strength", "1, 9", **payload(rated))
    refused, good = jobs.add(request), jobs.add(payload())
    assert "'strength' must be 0 to 2" in jobs.wait(refused)["error"]
    pictures_of(jobs.wait(good))


def test_a_plot_goes_on_after_a_cell_that_is_refused(webui, jobs, rated):
    """And its task with it: the queue waits for all of it."""
    scripts = webui.get("/sdapi/v1/script-info")
    request = plot_request(scripts, "[FABRIC] Start", "0.9, 0.1, 0.2", **payload(rated))
    plot, good = jobs.add(request), jobs.add(payload())
    assert len(pictures_of(jobs.wait(plot))) == 3, "a grid and two cells"
    pictures_of(jobs.wait(good))
