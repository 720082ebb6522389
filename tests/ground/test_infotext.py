"""What infotext says of FABRIC: only what is wanted, and nothing of another generation."""

import numpy as np
import pytest
from PIL import Image

from lib_fabric.infotext import WANTED, read_enabled, write_infotext
from lib_fabric.pictures import from_image
from lib_fabric.ratings import Ratings
from lib_fabric.request import FabricRequest
from lib_fabric.settings import FabricSettings
from tests.helpers.pictures import rated


def request_with(**settings):
    pixels = np.random.default_rng(0).integers(0, 256, (16, 24, 3), dtype=np.uint8)
    liked = rated(from_image(Image.fromarray(pixels)))
    return FabricRequest(FabricSettings(enabled=True, **settings), Ratings(liked))


def test_only_what_is_wanted_is_written():
    written = {}
    for wanted in WANTED:
        written[wanted] = {"Steps": 4}
        write_infotext(written[wanted], request_with(strength=1.5), wanted)
    everything, settings_only, nothing = (set(written[wanted]) for wanted in WANTED)
    assert everything == {"Steps", "FABRIC strength", "FABRIC liked"}
    assert settings_only == {"Steps", "FABRIC strength"}
    assert nothing == {"Steps"}


def test_a_cell_does_not_inherit_what_the_cell_before_it_wrote():
    params = {"Steps": 4, "FABRICATED": 1}
    write_infotext(params, request_with(strength=1.5))
    write_infotext(params, request_with())
    assert set(params) == {"Steps", "FABRICATED", "FABRIC liked"}


@pytest.mark.parametrize(
    ("params", "enabled"),
    [
        ({"Steps": "4", "Seed": "7", "FABRIC liked": "0123456789abcdef"}, True),
        ({"FABRIC disliked": "0123456789abcdef"}, True),
        ({"Steps": "4", "Seed": "7"}, False),
        ({"Prompt": "a circle", "Negative prompt": "", "Clip skip": "1"}, None),
        ({"Steps": "4", "Seed": "7", "FABRIC strength": "1.5"}, None),
    ],
)
def test_whether_it_made_the_picture(params, enabled):
    assert read_enabled(params) is enabled
