"""What a generation asks of us, read as its sender deserves, and what is said of it.

Knows what the host's processing objects look like; the page is forgiven what the API is not.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from lib_fabric.arguments import parse_arguments
from lib_fabric.hosts import infotexts, options
from lib_fabric.hosts.axes import cell_settings
from lib_fabric.hosts.common.numbers import picture_numbers
from lib_fabric.infotext import NOTHING, SETTINGS_AND_PICTURES
from lib_fabric.library.owners import OwnedPictures
from lib_fabric.library.preset import Preset
from lib_fabric.page_arguments import is_from_page, mend_arguments, mend_settings
from lib_fabric.ratings import Ratings
from lib_fabric.request import FabricRequest
from lib_fabric.settings import FOLLOWED_KEY
from lib_fabric.steering.weighing import followed_picture

_log = logging.getLogger(__name__)
WEIGHTLESS_TEXT = "FABRIC had no effect: the weight of every rated picture is 0."


def read_request(
    p: Any,  # noqa: ANN401 (the host's processing object)
    arguments: Sequence[object],
    kept: OwnedPictures,
    load_preset: Callable[[str], Preset],
    defaults: Mapping[str, object],
) -> FabricRequest:
    """The request in a script's arguments; what was mended of the page's is said.

    Args:
        kept: where pictures' ids are looked up, and kept.
        load_preset: gives a preset by its name, or raises FabricError.
        defaults: values that stand for those of the page that cannot be used, by name.

    Raises:
        FabricError: the API's arguments cannot be used, or the axes of a plot not with the rest.
    """
    limit = options.max_pictures()
    # Before 1.10 the host does not say: then the page's mark alone tells.
    if is_from_page(arguments, getattr(p, "is_api", True)):
        newest = options.newest_pictures()
        request, mended = mend_arguments(
            arguments, kept, limit, defaults, newest, cell_settings(p), kept.is_erased
        )
        for message in mended:
            say(p, str(message))
    else:

        def load(name: str) -> tuple[Mapping[str, object], Ratings[str]]:
            preset = load_preset(name)
            settings, _ = mend_settings(preset.settings, {})
            settings.pop("enabled", None)
            return settings, preset.ratings

        request = parse_arguments(arguments, kept, limit, cell_settings(p), kept.is_erased, load)
    if request.settings.enabled and request.num_weightless and not request.ratings:
        say(p, WEIGHTLESS_TEXT)
    return request


def say_followed(
    p: Any,  # noqa: ANN401 (as above)
    request: FabricRequest,
    has_part: infotexts.HasPart,
) -> None:
    """Lets infotext say of each picture which of several liked ones it goes towards."""
    if options.infotext_wanted() != SETTINGS_AND_PICTURES:
        return
    numbers = picture_numbers(p, p.all_seeds, p.all_subseeds)
    followed = [followed_picture(request, number) for number in numbers]
    texts = [each.short_id for each in followed if each is not None]
    if texts:
        infotexts.set_entry_of_each(p, FOLLOWED_KEY, texts, has_part)


def say(p: Any, text: str) -> None:  # noqa: ANN401 (as above)
    """Tells whoever asked for this generation: beside the picture, in the log, in infotext."""
    if text not in (p.comments or ()):
        _log.warning(text)
        p.comment(text)
    if options.infotext_wanted() != NOTHING:
        infotexts.add_note(p, text)
