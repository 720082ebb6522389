"""Bad input gets a 422 and one sentence that names the field and what it may be."""

from __future__ import annotations

import pytest

from tests.demo.client import WebuiError
from tests.integration.payloads import payload

pytestmark = pytest.mark.integration

UNKNOWN_ID = "0123456789abcdef" * 4

CASES = [
    ({"strength": 3}, "'strength' must be 0 to 2, not 3."),
    ({"strength": "1"}, "'strength' must be 0 to 2, not '1'."),
    ({"strength": None}, "'strength' must be 0 to 2, not None."),
    ({"strength": True}, "'strength' must be 0 to 2, not True."),
    ({"min_strength": -0.1}, "'min_strength' must be 0 to 2, not -0.1."),
    ({"start": 1.01}, "'start' must be 0 to 1, not 1.01."),
    ({"end": []}, "'end' must be 0 to 1, not a list of 0."),
    ({"start": 0.9, "end": 0.1}, "'start' (0.9) must not be after 'end' (0.1)."),
    ({"negative_scale": 10**400}, "'negative_scale' must be 0 to 2, not a very large number."),
    ({"hires": "yes"}, "'hires' must be true or false, not 'yes'."),
    ({"enabled": 1}, "'enabled' must be true or false, not 1."),
    (
        {"likes": []},
        "FABRIC: unknown field 'likes'. Known: enabled, liked, disliked, strength, "
        "min_strength, start, end, negative_scale, hires.",
    ),
    ({"liked": "abc"}, "'liked' must be a list of pictures, not 'abc'."),
    ({"liked": {"image": "x"}}, "'liked' must be a list of pictures, not an object."),
    ({"liked": ["x"] * 65}, "'liked' may hold at most 64 pictures, not 65."),
    (
        {"disliked": [7]},
        "disliked[0] must be a picture in base64 or the id of a rated picture, not 7.",
    ),
    (
        {"liked": ["../../etc/passwd"]},
        "liked[0] is neither a picture in base64 (PNG, JPEG or WebP) nor the id of a rated "
        "picture.",
    ),
    (
        {"liked": ["http://127.0.0.1/picture.png"]},
        "liked[0] is neither a picture in base64 (PNG, JPEG or WebP) nor the id of a rated "
        "picture.",
    ),
    ({"liked": ["aGVsbG8gd29ybGQh"]}, "liked[0] is not a PNG, JPEG or WebP picture."),
    (
        {"liked": [UNKNOWN_ID]},
        f"liked[0]: picture '{UNKNOWN_ID[:16]}' is no longer in the store. Rate it again.",
    ),
    ({"liked": [{"weight": 1}]}, "liked[0] has no 'image'."),
    (
        {"liked": [{"image": "x", "size": 1}]},
        "liked[0]: unknown field 'size'. Known: image, weight.",
    ),
    (
        {"liked": [{"image": "x", "weight": 2.5}]},
        "'liked[0].weight' must be 0 to 2, not 2.5.",
    ),
]


@pytest.mark.parametrize(("fabric", "sentence"), CASES, ids=[str(c[0])[:40] for c in CASES])
def test_bad_fields_are_refused_with_a_sentence(webui, fabric, sentence):
    with pytest.raises(WebuiError) as refused:
        webui.txt2img(**payload(fabric, steps=1))
    assert refused.value.status == 422
    assert refused.value.body["detail"] == sentence
    assert refused.value.body["error"] == "FabricError"


def test_damaged_pictures_are_refused(webui, rated):
    truncated = rated["liked"][0][:200]
    with pytest.raises(WebuiError) as refused:
        webui.txt2img(**payload({"liked": [truncated]}, steps=1))
    assert refused.value.status == 422
    assert refused.value.body["detail"] == "liked[0] is damaged and cannot be read."
