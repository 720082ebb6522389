"""Extensions that let other machines make part of a generation, from the scripts' arguments.

Ids of rated pictures mean nothing there, so that the arguments must hold the pictures themselves.
Knows `modules.shared`, and what the host's processing objects and Distributed's jobs look like.
"""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NoReturn

from modules import shared

from lib_fabric.hosts.sampling import Around
from lib_fabric.pictures import Picture
from lib_fabric.request import FabricRequest

UNSTEERED_TEXT = (
    "FABRIC is not installed on {}: the pictures that were made there do not follow your ratings."
)
MISSING_TEXT = (
    "The machine {} sent no pictures. If FABRIC is no longer installed there, install it again, "
    "or switch FABRIC off."
)
# By their titles: Distributed (papuSpartan/stable-diffusion-webui-distributed).
_SHARING_SCRIPTS = ("Distribute",)
_OUR_NAME = "fabric"
# Where on the processing object the carried argument is. Its attributes are sent as JSON, too.
_CARRIED_AT = "_fabric_ext_carried_at"


class Carried(dict):
    """A request in the place of the first argument, as the API takes it.

    It names pictures by their ids. Whoever copies it deeply, as is done for each machine that gets
    it, or encodes it as JSON gets the pictures themselves, which are not read before.
    """

    def __init__(
        self,
        request: FabricRequest,
        arguments: Callable[[], Mapping[str, object]],
        changes: Mapping[str, object] | None = None,
    ) -> None:
        """
        Args:
            arguments: the request with its pictures; called at most once for all that are copied.
            changes: settings that are other ones.
        """
        named = request.ratings.map(lambda picture: picture.id)
        self._changes = {**(changes or {})}
        super().__init__(request.settings.to_mapping() | self._changes)
        for name, rated in (("liked", named.liked), ("disliked", named.disliked)):
            self[name] = [{"image": each.picture, "weight": each.weight} for each in rated]
        self._request = request
        self._arguments = arguments

    def with_settings(self, changes: Mapping[str, object]) -> Carried:
        """The same with other settings."""
        return Carried(self._request, self._arguments, self._changes | changes)

    def changed_request(self) -> FabricRequest:
        """What it asks for.

        Raises:
            FabricError: changed settings do not go together.
        """
        return replace(self._request, settings=replace(self._request.settings, **self._changes))

    def items(self) -> Any:  # noqa: ANN401 (a view)
        return self._sent().items()

    def __deepcopy__(self, memo: dict[int, object]) -> dict[str, object]:
        return self._sent()

    def _sent(self) -> dict[str, object]:
        return {**self._arguments(), **self._changes}


def is_shared_out(p: Any) -> bool:  # noqa: ANN401 (the host's processing object)
    """Whether a script is there that may send this generation's arguments to other machines."""
    script = _sharing_script(p)
    switch = "enabled_i2i" if getattr(p, "init_images", None) else "enabled"
    return script is not None and getattr(getattr(script, "world", None), switch, True)


def refuse(p: Any, error: Exception, around: Around) -> None:  # noqa: ANN401 (as above)
    """Lets this generation end with `error`, raised inside `around()`, before anything is sent.

    Where other machines make all of it, the host calls nothing else that could.
    """

    def raise_error(*_args: object) -> NoReturn:
        with around():
            raise error

    runner = copy.copy(p.scripts)
    runner.before_process = raise_error
    p.scripts = runner


def send_only(p: Any, script: Any, is_sent: bool) -> None:  # noqa: ANN401 (the host's)
    """Sends of this extension's scripts that one, or none where it does nothing here.

    Other machines may not have them, and no request says the same twice.
    """
    folder = _folder_of(script)
    runner = copy.copy(p.scripts)
    runner.scripts = [
        each
        for each in runner.scripts
        if (is_sent and each is script) or _folder_of(each) != folder
    ]
    p.scripts = runner


def _folder_of(script: Any) -> Path:  # noqa: ANN401 (as above)
    return Path(script.filename).parent


def carry(p: Any, index: int, request: FabricRequest, to_file: Callable[[Picture], bytes]) -> None:  # noqa: ANN401 (as above)
    """Puts `request`, as the API takes it, in the place of the argument with this index.

    Args:
        to_file: a picture as a PNG file; called when it is sent.
    """
    setattr(p, _CARRIED_AT, index)
    arguments = functools.cache(functools.partial(request.to_arguments, to_file))
    _replace_argument(p, index, Carried(request, arguments))


def carry_settings(p: Any, changes: Mapping[str, object]) -> None:  # noqa: ANN401 (as above)
    """Changes settings of what is carried, if anything is, for this processing object only."""
    index = getattr(p, _CARRIED_AT, None)
    if index is not None:
        _replace_argument(p, index, p.script_args[index].with_settings(changes))


def carried_request(arguments: Sequence[Any]) -> FabricRequest | None:
    """The request that is carried among a script's arguments, if one is.

    Raises:
        FabricError: changed settings do not go together.
    """
    carried = _carried(arguments)
    return None if carried is None else carried.changed_request()


def is_steered(p: Any, index: int) -> bool:  # noqa: ANN401 (as above)
    """Whether FABRIC had a part in a picture, by its place in the batch.

    What other machines have made comes behind what was made here.
    """
    shares = list(_shares(p))
    end = p.batch_size - sum(each.num_made for each in shares)
    for share in shares:
        start, end = end, end + share.num_made
        if start <= index < end:
            return share.has_fabric
    return True


def remarks(p: Any, arguments: Sequence[Any]) -> Iterator[str]:  # noqa: ANN401 (as above)
    """What is to be said of the pictures that other machines have made, or have not.

    Nothing where `arguments` carry no request that they should have followed.
    """
    for share in _shares(p) if _carried(arguments) else ():
        if not share.num_made and not shared.state.interrupted:
            yield MISSING_TEXT.format(share.label)
        elif not share.has_fabric:
            yield UNSTEERED_TEXT.format(share.label)


@dataclass(frozen=True)
class _Share:
    """What one other machine has made of a generation."""

    label: str
    has_fabric: bool
    num_made: int


def _shares(p: Any) -> Iterator[_Share]:  # noqa: ANN401 (as above)
    """In the order of their pictures; only of those that were asked for some."""
    world = getattr(_sharing_script(p), "world", None)
    if getattr(world, "p", None) is not p:
        return
    tab = "img2img" if getattr(p, "init_images", None) else "txt2img"
    for job in world.jobs:
        if not job.worker.master and job.thread is not None:
            has_fabric = _OUR_NAME in job.worker.supported_scripts.get(tab, ())
            yield _Share(job.worker.label, has_fabric, len(job.gallery_map))


def _carried(arguments: Sequence[Any]) -> Carried | None:
    first = arguments[0] if arguments else None
    return first if isinstance(first, Carried) else None


def _sharing_script(p: Any) -> Any:  # noqa: ANN401 (as above)
    scripts = getattr(p.scripts, "alwayson_scripts", ())
    return next((each for each in scripts if each.title() in _SHARING_SCRIPTS), None)


def _replace_argument(p: Any, index: int, value: object) -> None:  # noqa: ANN401 (as above)
    # A new list: copies of the processing object (X/Y/Z plot) share the one that they came with.
    arguments = list(p.script_args)
    arguments[index] = value
    p.script_args = arguments
