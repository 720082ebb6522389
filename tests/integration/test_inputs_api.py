"""The tables of inputs through the API, and what the API itself cannot read."""

from __future__ import annotations

import os

import pytest

from tests.demo.client import WebuiError
from tests.inputs.bad import BAD_INPUTS
from tests.inputs.good import bring_pictures, good_inputs
from tests.integration.payloads import assert_same, largest_difference, payload

pytestmark = pytest.mark.integration


def _request(arguments, **changes):
    request = payload(**{"steps": 2, **changes})
    request["alwayson_scripts"] = {"FABRIC": {"args": arguments}}
    return request


@pytest.fixture(scope="module")
def plain(webui):
    """The picture without feedback, before any of these requests; checked again after them."""
    before = webui.txt2img(**_request([]))
    webui.txt2img(**_request(bring_pictures(), steps=1))
    yield before.pictures[0]
    assert_same(before.pictures, webui.txt2img(**_request([])).pictures, 0)


@pytest.fixture(scope="module", autouse=True)
def unharmed(request, plain):
    """What lies on the model is the same before and after all of them."""
    if os.environ.get("FABRIC_WEBUI_URL"):
        yield
        return
    standin = request.getfixturevalue("standin")
    before = standin.get("/standin/model-state").json()
    yield
    assert standin.get("/standin/model-state").json() == before


@pytest.mark.parametrize("given", [each for each in BAD_INPUTS if each.reaches_us], ids=str)
def test_bad_input_gets_its_sentence(webui, given):
    with pytest.raises(WebuiError) as refused:
        webui.txt2img(**_request(given.arguments))
    assert refused.value.status == 422
    assert refused.value.body["detail"] == given.sentence
    assert refused.value.body["error"] == "FabricError"


@pytest.mark.parametrize("given", good_inputs(), ids=str)
def test_unusual_input_works(webui, plain, given):
    made = webui.txt2img(**_request(given.arguments))
    infotext = made.infotexts[0]
    assert f"FABRIC disliked: {given.disliked}" in infotext or not given.disliked
    assert f"FABRIC liked: {given.liked}" in infotext or not given.liked
    assert (largest_difference(plain, made.pictures[0]) > 0) == given.acts


def test_img2img_refuses_in_the_same_way(webui, rated):
    request = _request([{"liked": ["/etc/passwd"]}], init_images=rated["liked"][:1])
    with pytest.raises(WebuiError) as refused:
        webui.img2img(**request)
    assert refused.value.status == 422
    assert refused.value.body["detail"].startswith("liked[0] is neither a picture")


def test_the_cap_is_a_setting(webui, rated):
    request = _request([rated])
    assert webui.txt2img(**request).pictures
    webui.post("/sdapi/v1/options", {"fabric_max_pictures": 1})
    try:
        with pytest.raises(WebuiError) as refused:
            webui.txt2img(**request)
    finally:
        webui.post("/sdapi/v1/options", {"fabric_max_pictures": 64})
    assert refused.value.status == 422
    assert refused.value.body["detail"] == "'liked' may hold at most 1 picture, not 2."
    assert webui.txt2img(**request).pictures


INFOTEXT = "a circle\nSteps: 2, Sampler: Euler a, CFG scale: 4, Seed: 7, Size: 64x64, "
HOSTILE_SETTINGS = (
    "FABRIC strength: nan, FABRIC start: 1e999, FABRIC end: ../../etc/passwd, "
    "FABRIC negative scale: [], FABRIC min strength: -5, FABRIC hires: maybe"
)


@pytest.mark.usefixtures("api_infotext")
def test_hostile_settings_in_infotext_change_nothing(webui, plain):
    options = webui.get("/sdapi/v1/options")
    made = webui.txt2img(steps=2, height=64, width=64, infotext=INFOTEXT + HOSTILE_SETTINGS)
    assert_same([plain], made.pictures, 0)
    assert webui.get("/sdapi/v1/options") == options


@pytest.mark.usefixtures("api_infotext")
@pytest.mark.parametrize(
    ("pictures", "sentence"),
    [
        ("../../etc/passwd", "'liked' must be a list of pictures, not '../../etc/passwd'."),
        ("*", "'liked' must be a list of pictures, not '*'."),
        ("file:///etc/passwd", "'liked' must be a list of pictures, not 'file:///etc/passwd'."),
        (
            "0123456789abcdef",
            "liked[0].image: picture '0123456789abcdef' is no longer in the store. Rate it again.",
        ),
    ],
)
def test_pictures_in_infotext_that_are_none_are_refused(webui, plain, pictures, sentence):
    """Silently left out, the picture would not be the one that was asked for."""
    with pytest.raises(WebuiError) as refused:
        webui.txt2img(steps=1, infotext=f'{INFOTEXT}FABRIC liked: "{pictures}"')
    assert refused.value.status == 422
    assert refused.value.body["detail"] == sentence


@pytest.mark.parametrize(
    "body",
    [
        b'{"alwayson_scripts": {"FABRIC": {"args": [{"liked": %s}]}}}' % (b"[" * 100_000),
        b'{"alwayson_scripts": {"FABRIC": {"args": [{"liked": %s%s}]}}}'
        % (b"[" * 100_000, b"]" * 100_000),
        b'{"alwayson_scripts": {"FABRIC": {"args": [{"liked": ["\xff"]}]}}}',
        b'{"alwayson_scripts": {"FABRIC": {"args": [{"liked": ',
    ],
    ids=["open brackets", "deep", "not UTF-8", "cut"],
)
def test_what_is_no_json_is_refused_by_the_webui(webui, body):
    with pytest.raises(WebuiError) as refused:
        webui.post_bytes("/sdapi/v1/txt2img", body)
    assert refused.value.status in (400, 422)
