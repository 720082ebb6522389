"""Small pictures of noise for tests, known by a number."""

from functools import cache

import numpy as np
from PIL import Image

from lib_fabric.pictures import from_image
from lib_fabric.ratings import Rated


def image(seed=0, height=10, width=12):
    """Noise, the same for the same seed."""
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


@cache
def picture_id(seed=0):
    """The id of `image(seed)`."""
    return from_image(image(seed)).id


def rated(*pictures, weight=1.0):
    """One list of rated pictures, or of their ids, all of one weight."""
    return tuple(Rated(each, weight) for each in pictures)
