"""What the page's script makes of an answer's edits; see lib_fabric/page/relay.py."""

from __future__ import annotations

import json
from collections.abc import Sequence

from lib_fabric.rating_texts import parse_list


def edited(texts: Sequence[str], edits: str) -> list[str]:
    """The lists `texts` that were sent, as the answer's JSON `edits` has them."""
    return [
        before[:start] + inserted + before[len(before) - end :]
        for before, (start, inserted, end) in zip(texts, json.loads(edits), strict=True)
    ]


def ids_in(text: str) -> list[str]:
    """The ids of the pictures in a list."""
    return [each.picture for each in parse_list(text, "list")]
