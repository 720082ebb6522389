"""What infotext says of FABRIC: only what is wanted, and nothing of another generation."""

import numpy as np
import pytest
from PIL import Image

from lib_fabric.infotext import WANTED, infotext_entries, read_enabled
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
    request = request_with(strength=1.5)
    everything, settings_only, nothing = (
        set(infotext_entries(request, wanted)) for wanted in WANTED
    )
    assert everything == {"FABRIC strength", "FABRIC liked"}
    assert settings_only == {"FABRIC strength"}
    assert nothing == set()


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
