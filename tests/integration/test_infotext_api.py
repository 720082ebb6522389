"""The `infotext` of a request (WebUI 1.8.0 and later): the same picture again."""

from __future__ import annotations

import pytest

from tests.demo.client import WebuiError
from tests.integration.payloads import assert_differ, assert_same, payload

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("api_infotext")]


@pytest.fixture(scope="module")
def made(webui, rated):
    """A picture made with settings and weights off their default."""
    liked = [{"image": rated["liked"][0], "weight": 0.5}, rated["liked"][1]]
    fabric = {"liked": liked, "disliked": rated["disliked"], "strength": 1.25, "hires": True}
    return webui.txt2img(**payload(fabric))


def our_entries(generated):
    return [part for part in generated.infotexts[0].split(", ") if part.startswith("FABRIC ")]


def test_infotext_alone_makes_the_identical_picture(webui, made):
    assert "*0.5" in made.infotexts[0]
    again = webui.txt2img(infotext=made.infotexts[0])
    assert_same(made.pictures, again.pictures, 0)
    # Not the whole: 1.9.4 adds the schedule type that an infotext does not name.
    assert our_entries(again) == our_entries(made) != []


def test_what_the_request_says_itself_counts_more(webui, made, rated):
    fabric = {"liked": rated["liked"][:1], "strength": 0.5}
    scripts = payload(fabric)["alwayson_scripts"]
    again = webui.txt2img(infotext=made.infotexts[0], alwayson_scripts=scripts)
    assert_same(again.pictures, webui.txt2img(**payload(fabric)).pictures, 0)
    assert_differ(again.pictures[0], made.pictures[0])


def test_infotext_without_feedback_makes_a_plain_picture(webui):
    plain = webui.txt2img(**payload())
    assert_same(plain.pictures, webui.txt2img(infotext=plain.infotexts[0]).pictures, 0)


def test_a_picture_that_is_gone_is_named(webui, made):
    infotext = made.infotexts[0].replace("FABRIC liked: ", "FABRIC liked: 0123456789abcdef ")
    with pytest.raises(WebuiError, match="0123456789abcdef") as refused:
        webui.txt2img(infotext=infotext)
    assert refused.value.status == 422
