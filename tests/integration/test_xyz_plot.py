"""The X/Y/Z plot with our axes, through the API: each cell as if made alone, and nothing left."""

from __future__ import annotations

import pytest

from tests.demo.client import WebuiError
from tests.integration.payloads import (
    HOST_TOLERANCE,
    assert_differ,
    assert_same,
    payload,
    run_plot,
)

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def plot(webui, described_scripts):
    """Runs a plot with `label` on the X axis; (pictures of the cells, their infotexts)."""

    def run(label, values, **changes):
        return run_plot(webui, described_scripts, label, values, **changes)

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
