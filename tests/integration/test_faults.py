"""Something goes wrong at every step of a generation; afterwards nothing is left of it."""

from __future__ import annotations

import pytest

from tests.integration.fault_checks import Unharmed, failure, fault_request, fresh_ratings
from tests.integration.payloads import HOST_TOLERANCE, assert_same
from tests.webui import standin_faults

pytestmark = pytest.mark.integration

READING = "reading the request"
ENTERING = "entering the model"
STEP = "preparing a step"
ENCODING = "encoding the rated pictures"
EMPTY_PROMPT = "encoding the empty prompt"
LOOKING = "looking at the rated pictures"
FOLLOWING = "following the rated pictures"
OWN_CALLS = ("unet:3", "unet:6", "unet:9", "attention:15", "attention:21")
# Where, and what FABRIC was doing there; None where the fault is the host's alone.
# Of the U-Net calls each step has two for three references, then its own.
PLACES = [
    ("option:1", READING),
    ("init:1", None),
    ("hook:1", ENTERING),
    ("hook:2", STEP),
    ("encoder:1", ENCODING),
    ("encoder:2", ENCODING),
    ("encoder:3", ENCODING),
    ("text:1", EMPTY_PROMPT),
    ("denoiser:1", None),
    ("denoiser:2", None),
    ("denoiser:3", None),
    ("unet:1", LOOKING),
    ("unet:2", LOOKING),
    ("unet:3", None),
    ("unet:4", LOOKING),
    ("unet:5", LOOKING),
    ("unet:6", None),
    ("unet:9", None),
    ("attention:1", LOOKING),
    ("attention:2", LOOKING),
    # The model has seven such layers: all of each reference pass, then those of the step itself.
    ("attention:14", LOOKING),
    ("attention:15", None),
    ("attention:21", None),
    ("attention:22", LOOKING),
    ("decoder:1", None),
]
HIRES = {"enable_hr": True, "hr_scale": 1.5, "denoising_strength": 0.7}


@pytest.fixture(scope="module")
def unharmed(standin, webui, rated):
    """The state before all of these tests."""
    return Unharmed(standin, webui, rated)


@pytest.fixture
def seed(request):
    """Another one for every test of the file."""
    return request.session.items.index(request.node)


def sentence(place, doing, kind):
    """What the user is told, with which status."""
    if kind != "error" and place in OWN_CALLS:
        doing = FOLLOWING
    host_text = {
        "error": f"stand-in fault {standin_faults.PLACES[place.partition(':')[0]]}",
        "lasting oom": "CUDA out of memory. Tried to allocate 9.00 GiB.",
    }[kind]
    if doing is None:
        return 500, host_text
    if kind == "lasting oom":
        return 500, (
            f"out of memory while FABRIC was {doing}. Rate fewer pictures, choose a smaller "
            "size, merge tokens (Speed), or switch FABRIC off."
        )
    return 500, (
        f"FABRIC failed while {doing} (RuntimeError: {host_text}). "
        "Switch FABRIC off to generate without it."
    )


@pytest.mark.parametrize(("place", "doing"), PLACES, ids=[place for place, _ in PLACES])
@pytest.mark.parametrize("kind", ["error", "lasting oom"])
def test_an_exception_is_told_and_leaves_nothing(
    standin, webui, unharmed, seed, place, doing, kind
):
    with unharmed.after():
        standin.post("/standin/fault", {"at": place, "kind": kind})
        told = failure(webui, fault_request(fresh_ratings(seed)))
        assert told == sentence(place, doing, kind)


@pytest.mark.parametrize("place", ["unet:1", "unet:2", "unet:3", "unet:6", "attention:9"])
def test_a_lack_of_memory_that_passes_costs_no_picture(standin, webui, unharmed, seed, place):
    """The step is done again in smaller parts."""
    request = fault_request(fresh_ratings(seed))
    with unharmed.after():
        standin.post("/standin/fault", {"at": place, "kind": "oom"})
        pictures = webui.txt2img(**request).pictures
        assert_same(pictures, webui.txt2img(**request).pictures, HOST_TOLERANCE)


@pytest.mark.parametrize(
    ("place", "doing"),
    [("unet:1", LOOKING), ("unet:2", None), ("unet:3", LOOKING), ("attention:1", LOOKING)],
)
def test_an_exception_where_a_row_follows_one_liked_picture(
    standin, webui, unharmed, seed, place, doing
):
    """The method contrast: each step needs one liked picture and the disliked one."""
    with unharmed.after():
        standin.post("/standin/fault", {"at": place})
        told = failure(webui, fault_request({**fresh_ratings(seed), "method": "contrast"}))
        assert told == sentence(place, doing, "error")


def test_an_exception_of_the_host_names_the_host_only(standin, webui, unharmed, seed):
    """While its own prompts are encoded."""
    with unharmed.after():
        standin.post("/standin/fault", {"at": "text:1"})
        request = fault_request(fresh_ratings(seed), prompt=f"prompt number {seed}")
        assert failure(webui, request) == (500, "stand-in fault inside the text encoder")


@pytest.mark.parametrize("place", ["encoder:4", "unet:10", "unet:12", "hook:3"])
def test_an_exception_in_the_hires_pass(standin, webui, unharmed, seed, place):
    with unharmed.after():
        standin.post("/standin/fault", {"at": place})
        told = failure(webui, fault_request({**fresh_ratings(seed), "hires": True}, **HIRES))
        assert told is not None
        assert told[0] == 500
        assert ("FABRIC" in told[1]) == (place != "unet:12")


@pytest.mark.parametrize(
    ("place", "doing"), [("unet:5", LOOKING), ("unet:6", None), ("decoder:2", None)]
)
def test_an_exception_in_the_second_batch(standin, webui, unharmed, seed, place, doing):
    """References are known by then: each batch has one call to check that they still hold, and
    its own three."""
    with unharmed.after():
        ratings = fresh_ratings(seed)
        assert failure(webui, fault_request(ratings)) is None
        standin.post("/standin/fault", {"at": place})
        told = failure(webui, fault_request(ratings, n_iter=3, seed=50))
        assert told == sentence(place, doing, "error")


def test_an_exception_in_img2img(standin, webui, unharmed, rated, seed):
    with unharmed.after():
        # The first call of the encoder is the host's, for the picture to start from.
        standin.post("/standin/fault", {"at": "encoder:2"})
        request = fault_request(fresh_ratings(seed), init_images=rated["liked"][:1])
        with pytest.raises(Exception, match="FABRIC failed while encoding the rated pictures"):
            webui.img2img(**request)


STOP_PLACES = [
    *("option:1", "init:1", "hook:1", "hook:2", "encoder:1", "encoder:2", "text:1", "denoiser:1"),
    *("denoiser:2", "unet:1", "unet:2", "unet:3", "unet:4", "unet:9", "attention:1"),
    *("attention:9", "attention:15", "attention:21", "decoder:1"),
]


@pytest.mark.parametrize("place", STOP_PLACES)
@pytest.mark.parametrize("kind", ["interrupt", "skip"])
def test_interrupt_and_skip_at_every_stage(standin, webui, unharmed, seed, place, kind):
    with unharmed.after():
        standin.post("/standin/fault", {"at": place, "kind": kind})
        assert failure(webui, fault_request(fresh_ratings(seed))) is None
        assert not standin.get("/standin/fault").json(), "it never came to that"


@pytest.mark.parametrize("place", ["encoder:1", "unet:1", "unet:4", "decoder:1"])
def test_after_a_skip_the_next_batch_is_what_it_would_have_been(
    standin, webui, unharmed, seed, place
):
    with unharmed.after():
        ratings = fresh_ratings(seed)
        standin.post("/standin/fault", {"at": place, "kind": "skip"})
        both = webui.txt2img(**fault_request(ratings, n_iter=2, seed=90)).pictures
        alone = webui.txt2img(**fault_request(ratings, seed=91)).pictures
        assert_same(both[1:], alone, 0)


def test_an_interrupt_ends_the_reading_of_many_pictures(standin, webui, unharmed, seed):
    many = fresh_ratings(seed)
    many["liked"] = many["liked"] * 16 + fresh_ratings(seed + 5000)["liked"]
    with unharmed.after():
        standin.post("/standin/unet-calls")
        standin.post("/standin/fault", {"at": "unet:1", "kind": "interrupt"})
        assert failure(webui, fault_request(many)) is None
        assert len(standin.get("/standin/unet-calls").json()) == 1


@pytest.mark.parametrize("kind", ["switch", "replace", "unload"])
@pytest.mark.parametrize(
    "place", ["option:1", "hook:1", "encoder:1", "encoder:3", "text:1", "denoiser:2", "unet:2",
              "unet:4", "unet:8", "attention:1", "decoder:1"]
)  # fmt: skip
def test_another_model_in_the_middle(standin, webui, unharmed, seed, place, kind):
    with unharmed.after():
        standin.post("/standin/fault", {"at": place, "kind": kind})
        told = failure(webui, fault_request(fresh_ratings(seed)))
        assert not standin.get("/standin/fault").json(), "it never came to that"
        if kind != "unload":
            assert told is None
        elif told is not None and "FABRIC" in told[1]:
            assert "unloaded" in told[1]


def test_the_hires_checkpoint_and_the_refiner_after_a_fault(standin, webui, unharmed, seed):
    """Models are exchanged inside p.sample; the fault comes after that."""
    random = webui.get("/sdapi/v1/sd-models")[1]["title"]
    hires = {**HIRES, "hr_checkpoint_name": random}
    refiner = {"refiner_checkpoint": random, "refiner_switch_at": 0.4}
    for changes, place in [(hires, "unet:12"), (hires, "unet:10"), (refiner, "denoiser:3")]:
        with unharmed.after():
            standin.post("/standin/fault", {"at": place})
            ratings = {**fresh_ratings(seed), "hires": True}
            assert failure(webui, fault_request(ratings, **changes)) is not None
            assert not standin.get("/standin/fault").json(), "it never came to that"
        seed += 7000
