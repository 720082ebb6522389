"""Files on their way from a page: gradio carries no message as large as an archive may be.

Knows base64 and how large a preset's file may be; not what is in it.
"""

from __future__ import annotations

import base64
import binascii

from lib_fabric.errors import FabricError
from lib_fabric.library.preset_archive import refuse_too_many_bytes

# Unfinished files of one login; one more, and the one that has waited longest is given up.
MAX_FILES_EACH_OWNER = 4
_CUT = "The file did not arrive whole. Import it again."


class Arrivals:
    """What has arrived of each page's file."""

    def __init__(self) -> None:
        # By owner and page, in the order of the last part.
        self._arrived: dict[tuple[str, str], list[bytes]] = {}

    def add(self, owner: str, page: str, part: int, parts: int, data: str) -> bytes | None:
        """Takes one part in base64; the whole file after the last, None before it.

        Raises:
            FabricError: a part is missing or damaged, or the file is too large.
        """
        key = (owner, page)
        arrived = self._arrived.pop(key, []) if part else []
        if part != len(arrived) or not 0 <= part < parts:
            raise FabricError(_CUT)
        try:
            arrived = [*arrived, base64.b64decode(data, validate=True)]
        except (binascii.Error, ValueError) as error:
            raise FabricError(_CUT) from error
        refuse_too_many_bytes(sum(map(len, arrived)))
        if len(arrived) == parts:
            return b"".join(arrived)
        self._arrived[key] = arrived
        own = [each for each in self._arrived if each[0] == owner]
        for each in own[:-MAX_FILES_EACH_OWNER]:
            del self._arrived[each]
        return None
