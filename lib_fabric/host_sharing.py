"""Extensions that let other machines make part of a generation, from the scripts' arguments.

Ids of rated pictures mean nothing there, so that the arguments must hold the pictures themselves.
Imports nothing of the host, but knows what its processing objects and scripts look like.
"""

from __future__ import annotations

from typing import Any

# By their titles: Distributed (papuSpartan/stable-diffusion-webui-distributed).
_SHARING_SCRIPTS = ("Distribute",)


def is_shared_out(p: Any) -> bool:  # noqa: ANN401 (the host's processing object)
    """Whether a script is there that may send this generation's arguments to other machines."""
    return any(script.title() in _SHARING_SCRIPTS for script in p.scripts.alwayson_scripts)


def replace_first_argument(p: Any, script: Any, value: object) -> None:  # noqa: ANN401 (as above)
    """Gives one script another first argument, in this processing object only.

    Copies (X/Y/Z plot) share the list of arguments, so that a new one is made.
    """
    arguments = list(p.script_args)
    arguments[script.args_from] = value
    p.script_args = arguments
