"""Files on their way from a page: gradio carries no message as large as an archive may be.

Knows base64; not what is in a file, nor how large one may be.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable

from lib_fabric.errors import FabricError
from lib_fabric.page.actions import Action
from lib_fabric.page.outcome import PageState

# Unfinished files of one login; one more, and the one that has waited longest is given up.
MAX_FILES_EACH_OWNER = 4
_CUT = "The file did not arrive whole. Choose it again."


class Arrivals:
    """What has arrived of the file of each page's tab.

    Args:
        refuse_too_many_bytes: raises FabricError for the size of a file that is too large.
    """

    def __init__(self, refuse_too_many_bytes: Callable[[int], None]) -> None:
        self._refuse_too_many_bytes = refuse_too_many_bytes
        # By owner, page and tab, in the order of the last part.
        self._arrived: dict[tuple[str, str, str], list[bytes]] = {}

    def add(self, action: Action, page: PageState) -> bytes | None:
        """Takes one part in base64; the whole file after the last, None before it.

        Raises:
            FabricError: a part is missing or damaged, or the file is too large.
        """
        part, parts = action.part, action.parts
        key = (page.owner, action.page, page.tab)
        arrived = self._arrived.pop(key, []) if part else []
        if part != len(arrived) or not 0 <= part < parts:
            raise FabricError(_CUT)
        try:
            arrived = [*arrived, base64.b64decode(action.data, validate=True)]
        except (binascii.Error, ValueError) as error:
            raise FabricError(_CUT) from error
        self._refuse_too_many_bytes(sum(map(len, arrived)))
        if len(arrived) == parts:
            return b"".join(arrived)
        self._arrived[key] = arrived
        own = [each for each in self._arrived if each[0] == page.owner]
        for each in own[:-MAX_FILES_EACH_OWNER]:
            del self._arrived[each]
        return None
