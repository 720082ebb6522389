"""The X/Y/Z plot with our axes, through the API: each cell as if made alone, and nothing left."""

from __future__ import annotations

import base64
import io
import json

import pytest
from PIL import Image

from tests.demo.client import WebuiError
from tests.integration.payloads import HOST_TOLERANCE, assert_differ, assert_same, payload

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def plot(webui, described_scripts):
    """Runs a plot with `label` on the X axis; (pictures of the cells, their infotexts)."""
    (script,) = [
        each
        for each in described_scripts
        if each["name"] == "x/y/z plot" and not each["is_img2img"]
    ]
    names = [argument["label"] for argument in script["args"]]
    labels = script["args"][0]["choices"]

    def run(label, values, **changes):
        args = [argument["value"] for argument in script["args"]]
        args = ["" if value is None else value for value in args]
        for axis in range(3):
            args[3 * axis : 3 * axis + 3] = [0, "", []]
        args[0], args[1] = labels.index(label), values
        args[names.index("Include Sub Images")] = True
        args[names.index("Use text inputs instead of dropdowns")] = True
        args[names.index("Draw legend")] = False
        request = payload(**changes) | {"script_name": "x/y/z plot", "script_args": args}
        answer = webui.post("/sdapi/v1/txt2img", request)
        count = len(values.split(","))
        pictures = [
            Image.open(io.BytesIO(base64.b64decode(text))) for text in answer["images"][-count:]
        ]
        return pictures, json.loads(answer["info"])["infotexts"][-count:]

    return run


def test_every_setting_has_its_axis(described_scripts):
    for script in described_scripts:
        if script["name"] == "x/y/z plot":
            ours = [each for each in script["args"][0]["choices"] if each.startswith("[FABRIC] ")]
            assert "[FABRIC] Strength" in ours
            assert len(ours) == len(set(ours))


def test_each_cell_is_the_picture_made_alone_with_that_setting(webui, plot, rated):
    fabric = {**rated, "negative_scale": 1.0}
    scripts = payload(fabric)["alwayson_scripts"]
    # Not in order, and the default in the midst: its infotext must not keep the one before.
    pictures, infotexts = plot("[FABRIC] Strength", "1.5, 0.8, 0.3", alwayson_scripts=scripts)
    for picture, infotext, strength in zip(pictures, infotexts, (1.5, 0.8, 0.3), strict=True):
        alone = webui.txt2img(**payload({**fabric, "strength": strength}))
        assert_same([picture], alone.pictures, HOST_TOLERANCE)
        written = f"FABRIC strength: {strength:g}" if strength != 0.8 else None
        assert ("FABRIC strength" in infotext) == (written is not None)
        assert written is None or written in infotext
        assert "FABRIC liked: " in infotext
    assert_differ(pictures[0], pictures[2])


def test_a_plot_leaves_nothing_for_the_next_picture(webui, plot, rated):
    before = webui.txt2img(**payload(rated))
    plot("[FABRIC] End", "0.2, 1", alwayson_scripts=payload(rated)["alwayson_scripts"])
    after = webui.txt2img(**payload(rated))
    assert_same(before.pictures, after.pictures, 0)
    assert "FABRIC end" not in after.infotexts[0]


def test_without_rated_pictures_an_axis_changes_nothing(webui, plot):
    pictures, infotexts = plot("[FABRIC] Strength", "0.5, 1.5")
    assert_same(pictures, webui.txt2img(**payload()).pictures * 2, 0)
    assert not any("FABRIC" in infotext for infotext in infotexts)


def test_a_value_out_of_range_is_refused(plot, rated):
    with pytest.raises(WebuiError, match=r"'strength' must be 0 to 2") as refused:
        plot("[FABRIC] Strength", "0.5, 7", alwayson_scripts=payload(rated)["alwayson_scripts"])
    assert refused.value.status == 422
