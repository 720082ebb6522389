"""Feedback beside an extension that queues requests and waits until no task is under way."""

from __future__ import annotations

import base64
import io
import time
from pathlib import Path

import pytest
from PIL import Image

from tests.demo.client import WebuiClient, WebuiError, to_base64
from tests.integration.gradio_page import GradioPage
from tests.integration.payloads import HOST_TOLERANCE, assert_same, payload, plot_request
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


# ---- what the page's last Generate gave FABRIC, sent by the API ----------------------------------

SMALL = {"width": 64, "height": 64, "steps": 3, "seed": 11}


@pytest.fixture
def page(server):
    """A page with FABRIC ticked."""
    opened = GradioPage(server.url)
    opened.set(**{"txt2img_fabric_accordion-checkbox": True})
    return opened


def queued(page, jobs, **fabric):
    """The page generates with these settings, and then the queue does."""
    page.generate(**SMALL, **{f"fabric_{name}": value for name, value in fabric.items()})
    return jobs.wait(jobs.add(payload(steps=3), "/scheduler/page"))


def test_the_pages_arguments_are_forgiven_whoever_sends_them(page, jobs, rated):
    told = page.fabric("add", data=rated["liked"][0], to="liked", name="red.png")
    job = queued(page, jobs, liked=f"{told['liked'][0]} {'0' * 64}", strength=3, end=None)
    (picture,) = pictures_of(job)
    for said in (
        page.values["html_log_txt2img"],
        picture.info["parameters"].partition("FABRIC note: ")[2],
    ):
        assert "Strength may be 0 to 2, so 2 is used instead of 3." in said
        assert "End had no value that can be used, so its default is used: 0.8." in said
        assert "Picture 0000000000000000 was left out" in said
    assert "FABRIC strength: 2," in picture.info["parameters"]


def test_nothing_of_a_page_that_is_off_is_read(page, jobs):
    page.set(**{"txt2img_fabric_accordion-checkbox": "often"})
    job = queued(page, jobs, liked="nonsense", strength="strong", end=99, method="none")
    (picture,) = pictures_of(job)
    assert "FABRIC" not in picture.info["parameters"]
    assert "FABRIC" not in page.values["html_log_txt2img"]


def test_more_pictures_than_are_allowed_now(page, server, webui, rated):
    for each in rated["liked"]:
        page.fabric("add", data=each, to="liked", name="picture.png")
    webui.post("/sdapi/v1/options", {"fabric_max_pictures": 1})
    try:
        assert len(page.generate(**SMALL)) == 1
        told = page.values["html_log_txt2img"]
    finally:
        webui.post("/sdapi/v1/options", {"fabric_max_pictures": 64})
    assert "Each list may hold at most 1 here, so the oldest pictures were left out." in told


@pytest.mark.parametrize("given", [{"strength": 3}, {"liked": ["0" * 64]}, {"end": None}])
def test_the_api_itself_is_not_forgiven(webui, rated, given):
    for enabled in (True, False):
        request = payload({**rated, **given, "enabled": enabled})
        if enabled or "liked" not in given:
            with pytest.raises(WebuiError) as refused:
                webui.txt2img(**request)
            assert refused.value.status == 422


# ---- feedback that cannot act --------------------------------------------------------------------

DISLIKED = {"enabled": True, "method": "paper"}


def note_of(picture):
    return picture.info["parameters"].partition("FABRIC note: ")[2]


@pytest.mark.parametrize(
    ("fabric", "changes", "told"),
    [
        ({"liked": []}, {"cfg_scale": 1}, "CFG scale 1"),
        ({"liked": []}, {"s_min_uncond": 100, "all": True}, "NGMS"),
        ({"strength": 0}, {}, "Strength is 0."),
        ({"start": 0.5, "end": 0.5}, {}, "no sampling step lay between Start and End"),
        ({"liked": [], "negative_scale": 0}, {}, "Disliked strength is 0"),
        ("weights", {}, "the weight of every rated picture is 0."),
    ],
    ids=["CFG 1", "NGMS", "strength", "window", "disliked strength", "weights"],
)
def test_what_cannot_act_says_so_in_log_and_infotext(server, webui, rated, fabric, changes, told):
    if fabric == "weights":
        entries = [{"image": each, "weight": 0} for each in rated["liked"]]
        fabric = {"liked": entries, "disliked": []}
    changes = dict(changes)
    if changes.pop("all", False):
        changes["override_settings"] = {"s_min_uncond_all": True}
    before = server.log().count(told)
    request = payload({**rated, "method": "paper", **fabric}, **changes)
    (picture,) = webui.txt2img(**request).pictures[:1]
    assert told in note_of(picture)
    assert server.log().count(told) == before + 1
    plain = payload(None, **changes)
    assert_same([picture], webui.txt2img(**plain).pictures[:1], HOST_TOLERANCE)


def test_the_page_says_beside_the_picture_what_cannot_act(page, rated):
    page.fabric("add", data=rated["disliked"][0], to="disliked", name="green.png")
    assert len(page.generate(**SMALL, cfg_scale=1, fabric_method="paper")) == 1
    assert "Choose the method contrast." in page.values["html_log_txt2img"]
    assert len(page.generate(**SMALL, cfg_scale=1, fabric_method="contrast")) == 1
    assert "FABRIC" not in page.values["html_log_txt2img"]


@pytest.mark.parametrize("sampler", ["Euler", "DDIM"])
def test_img2img_that_has_no_step_left(webui, rated, sampler):
    init = to_base64(Image.new("RGB", (64, 64), "red"))
    request = payload(
        {**rated, "start": 0.5, "end": 1},
        init_images=[init],
        denoising_strength=0.01,
        sampler_name=sampler,
    )
    (picture,) = webui.img2img(**request).pictures
    assert "FABRIC had no effect: " in note_of(picture)


def test_infotext_says_which_liked_picture_each_one_followed(webui, rated):
    request = payload({**rated, "method": "contrast"}, batch_size=4, seed=8)
    pictures = webui.txt2img(**request).pictures
    told = [each.info["parameters"] for each in pictures]
    liked = told[0].partition("FABRIC liked: ")[2].partition(",")[0].split()
    followed = [each.partition("FABRIC followed: ")[2][:16] for each in told]
    assert len(liked) == 2
    # Seeds that count up take the liked pictures in turn.
    assert [set(followed[:2]), set(followed[2:])] == [set(liked)] * 2
    alone = webui.txt2img(**{**request, "batch_size": 1, "seed": 9}).pictures[0]
    assert f"FABRIC followed: {followed[1]}" in alone.info["parameters"]
