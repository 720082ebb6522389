"""The host's readers of pictures in its galleries and of how they were made."""

from __future__ import annotations

import logging

from modules import images
from PIL import Image

from lib_fabric.errors import FabricError
from lib_fabric.library.history_entry import Details, read_seed

try:
    from modules.infotext_utils import image_from_url_text, parse_generation_parameters
except ImportError:  # before 1.8.0
    from modules.generation_parameters_copypaste import (
        image_from_url_text,
        parse_generation_parameters,
    )

logger = logging.getLogger(__name__)


def gallery_picture(entry: object) -> Image.Image:
    """The picture of one gallery entry as it arrives from the page.

    Raises:
        FabricError: not a picture that the WebUI itself has shown; the entry is the client's word.
    """
    try:
        image = image_from_url_text(entry)
    # The host raises AssertionError outside its folders, and nearly anything on other nonsense.
    except Exception as error:
        raise FabricError("This picture cannot be read. Generate it again.") from error
    if not isinstance(image, Image.Image):
        raise FabricError("There is no picture here to rate.")
    return image


def picture_details(image: Image.Image) -> Details:
    """How a picture was made, as its infotext says; empty where it says nothing."""
    try:
        infotext, _ = images.read_info_from_image(image)
        params = parse_generation_parameters(infotext) if infotext else {}
        return Details(
            prompt=params.get("Prompt", ""),
            seed=read_seed(params.get("Seed")),
            checkpoint=params.get("Model", ""),
        )
    # The host's readers raise nearly anything on nonsense.
    except Exception:  # noqa: BLE001 (which must not cost the rating)
        logger.warning("FABRIC: how a rated picture was made could not be read", exc_info=True)
        return Details()
