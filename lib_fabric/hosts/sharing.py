"""Extensions that let other machines make part of a generation, from the scripts' arguments.

Ids of rated pictures mean nothing there, so that the arguments must hold the pictures themselves.
Imports nothing of the host, but knows what its processing objects and scripts look like.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# By their titles: Distributed (papuSpartan/stable-diffusion-webui-distributed).
_SHARING_SCRIPTS = ("Distribute",)


# Where on the processing object the carried argument is. Its attributes are sent as JSON, too.
_CARRIED_AT = "_fabric_ext_carried_at"


def is_shared_out(p: Any) -> bool:  # noqa: ANN401 (the host's processing object)
    """Whether a script is there that may send this generation's arguments to other machines."""
    return any(script.title() in _SHARING_SCRIPTS for script in p.scripts.alwayson_scripts)


def carry(p: Any, index: int, request: dict[str, object]) -> None:  # noqa: ANN401 (as above)
    """Puts `request`, as the API takes it, in the place of the argument with this index."""
    setattr(p, _CARRIED_AT, index)
    _replace_argument(p, index, request)


def carry_settings(p: Any, changes: Mapping[str, object]) -> None:  # noqa: ANN401 (as above)
    """Changes settings of what is carried, if anything is, for this processing object only."""
    index = getattr(p, _CARRIED_AT, None)
    if index is not None:
        _replace_argument(p, index, {**p.script_args[index], **changes})


def _replace_argument(p: Any, index: int, value: object) -> None:  # noqa: ANN401 (as above)
    # A new list: copies of the processing object (X/Y/Z plot) share the one that they came with.
    arguments = list(p.script_args)
    arguments[index] = value
    p.script_args = arguments
