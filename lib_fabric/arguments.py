"""The script's arguments as the API brings them, checked and turned into a request.

Those of the page are mended instead (page_arguments.py). Knows requests, settings and pictures; is
handed where pictures' ids are looked up. Everything that arrives here is untrusted.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Protocol

from lib_fabric.errors import FabricError
from lib_fabric.pictures import (
    ID_PATTERN,
    MAX_TOTAL_PIXELS,
    OpenedPicture,
    Picture,
    open_base64,
)
from lib_fabric.rating_texts import parse_list
from lib_fabric.ratings import LIST_NAMES, WEIGHT, Rated, Ratings
from lib_fabric.request import FabricRequest
from lib_fabric.settings import DEFAULT_MAX_PICTURES, FabricSettings, SettingField, shorten

_ENTRY_FIELDS = ("image", "weight")
# Of the JSON object, beside those that have a position as well.
_NAMED_FIELDS = ("preset", "keep")
_KEEP = SettingField("keep", "Keep", "Whether pictures that are sent along are kept.", True)
LoadPreset = Callable[[str], tuple[Mapping[str, object], Ratings[str]]]


class KeptPictures(Protocol):
    """Where pictures are looked up by their ids, and kept."""

    def num_pixels(self, picture_id: str) -> int:
        """How large the picture of this id or short id is; raises FabricError if there is none."""

    def load(self, picture_id: str) -> Picture:
        """That picture; raises FabricError if there is none."""

    def add(self, picture: Picture) -> Picture:
        """Keeps a picture; raises FabricError if it cannot be written."""


def argument_names() -> list[str]:
    """The names of the script's positional arguments, in order; the page's mark comes after."""
    enabled, *others = (setting.name for setting in FabricSettings.fields())
    return [enabled, *LIST_NAMES, *others]


def _no_preset(name: str) -> tuple[Mapping[str, object], Ratings[str]]:
    raise FabricError("There is no preset {}.", shorten(name))


def parse_arguments(
    arguments: Sequence[object],
    kept: KeptPictures,
    max_pictures: int = DEFAULT_MAX_PICTURES,
    changes: Mapping[str, object] = MappingProxyType({}),
    is_erased: Callable[[str], bool] = lambda picture_id: False,
    load_preset: LoadPreset = _no_preset,
) -> FabricRequest:
    """Builds a request from the script's arguments.

    Args:
        arguments: either the positional values that /sdapi/v1/script-info lists, or, as the API's
            users send it, one JSON object first (the host fills the rest with defaults).
        kept: where picture ids are looked up and pictures that were sent along go.
        max_pictures: the most that each of the two lists may hold.
        changes: settings in the place of those among the arguments.
        is_erased: which pictures, by their whole ids, a page's lists may still name though its user
            has deleted them with all else; they are left out.
        load_preset: settings and ratings by ids of a preset; raises FabricError if there is none.

    Raises:
        FabricError: anything unusable; the sentence names the field and what it may be. A request
            that is not enabled is never refused for its pictures.
    """
    values = _named_values(arguments, load_preset)
    is_kept = _KEEP.check(values.pop("keep", True))
    lists = {name: values.pop(name, None) for name in LIST_NAMES}
    settings = replace(FabricSettings.from_mapping(values), **changes)
    if not settings.enabled:
        return FabricRequest(settings)
    sources = _Sources(kept, is_erased)
    named = Ratings(
        *(_parse_pictures(lists[name], name, sources, max_pictures) for name in LIST_NAMES)
    )
    # All are known to be few and small enough before the first is decoded.
    ratings = named.map(sources.read)
    # Last: a request that is refused leaves nothing behind.
    if is_kept:
        sources.keep()
    return FabricRequest.of(settings, ratings)


def _named_values(arguments: Sequence[object], load_preset: LoadPreset) -> dict[str, object]:
    names = argument_names()
    if arguments and isinstance(arguments[0], dict):
        # Naming pictures is enough to switch it on: nobody sends them to have them ignored.
        values = {"enabled": True, **arguments[0]}
        _refuse_unknown(values, [*names, *_NAMED_FIELDS], "FABRIC")
        return {**_read_preset(values.pop("preset", None), load_preset), **values}
    # Behind them is the page's mark, which nobody else has to send.
    if any(arguments[len(names) :]):
        raise FabricError(
            "at most {} arguments ({}), not {}.", len(names), ", ".join(names), len(arguments)
        )
    return dict(zip(names, arguments, strict=False))


def _read_preset(name: object, load_preset: LoadPreset) -> dict[str, object]:
    """What a preset says, as the fields of a request; nothing for None."""
    if name is None:
        return {}
    if not isinstance(name, str):
        raise FabricError("'preset' must be the name of a preset, not {}.", shorten(name))
    settings, ratings = load_preset(name)
    lists = {
        each: [{"image": rated.picture, "weight": rated.weight} for rated in ratings.of(each)]
        for each in LIST_NAMES
    }
    return {**settings, **lists}


def _refuse_unknown(values: Mapping[str, object], known: Sequence[str], where: str) -> None:
    for name in values:
        if name not in known:
            listed = ", ".join(known)
            raise FabricError("{}: unknown field {}. Known: {}.", where, shorten(name), listed)


def _parse_pictures(
    value: object, name: str, sources: _Sources, max_pictures: int
) -> tuple[Rated[str], ...]:
    """The pictures of one list, each as the text that it is or that names it."""
    if value is None:
        return ()
    if isinstance(value, str):
        # As the page and infotext write it: ids only. A page that has been open since before all
        # was deleted still names what it had.
        value = [
            {"image": each.picture, "weight": each.weight}
            for each in parse_list(value, name)
            if not sources.is_erased(each.picture)
        ]
    if not isinstance(value, (list, tuple)):
        raise FabricError("'{}' must be a list of pictures, not {}.", name, shorten(value))
    if len(value) > max_pictures:
        most = f"{max_pictures} picture" + "s" * (max_pictures != 1)
        raise FabricError("'{}' may hold at most {}, not {}.", name, most, len(value))
    return tuple(
        _parse_entry(entry, f"{name}[{index}]", sources) for index, entry in enumerate(value)
    )


def _parse_entry(entry: object, name: str, sources: _Sources) -> Rated[str]:
    if not isinstance(entry, dict):
        return Rated(sources.open(entry, name))
    _refuse_unknown(entry, _ENTRY_FIELDS, f"{name}")
    if "image" not in entry:
        raise FabricError("{} has no 'image'.", name)
    setting = replace(WEIGHT, name=f"{name}.weight")
    weight = setting.check(entry.get("weight", WEIGHT.default))
    return Rated(sources.open(entry["image"], f"{name}.image"), float(weight))


class _Sources:
    """Where the pictures of one request come from: sent along, or kept already.

    Each is opened and decoded once, however often it is named.
    """

    def __init__(self, kept: KeptPictures, is_erased: Callable[[str], bool]) -> None:
        self._kept = kept
        self.is_erased = is_erased
        # By the text that a picture is or that names it: what messages call it; its file, until
        # that is decoded; and whether it was sent along.
        self._names: dict[str, str] = {}
        self._opened: dict[str, OpenedPicture] = {}
        self._pictures: dict[str, Picture] = {}
        self._sent: list[str] = []
        self._num_pixels = 0

    def open(self, value: object, name: str) -> str:
        """Looks at the picture that `value` is or names, up to `MAX_TOTAL_PIXELS` of them all.

        Raises:
            FabricError: neither, or too much; the sentence begins with `name`.
        """
        if not isinstance(value, str):
            raise FabricError(
                "{} must be a picture in base64 or the id of a rated picture, not {}.",
                name,
                shorten(value),
            )
        if value in self._names:
            return value
        if ID_PATTERN.fullmatch(value):
            with _named(name):
                self._num_pixels += self._kept.num_pixels(value)
        else:
            self._opened[value] = open_base64(value, name)
            self._num_pixels += self._opened[value].num_pixels
            self._sent.append(value)
        if self._num_pixels > MAX_TOTAL_PIXELS:
            raise FabricError(
                "{}: the pictures have more than {} million pixels together. Send fewer or "
                "smaller ones.",
                name,
                MAX_TOTAL_PIXELS // 2**20,
            )
        self._names[value] = name
        return value

    def read(self, value: str) -> Picture:
        """Decodes the picture that `open` has seen.

        Raises:
            FabricError: it is damaged; the sentence begins with the picture's name.
        """
        if value in self._opened:
            self._pictures[value] = self._opened.pop(value).decode()
        elif value not in self._pictures:
            with _named(self._names[value]):
                self._pictures[value] = self._kept.load(value)
        return self._pictures[value]

    def keep(self) -> None:
        """Keeps what was sent along.

        Raises:
            FabricError: it cannot be written; the sentence begins with the picture's name.
        """
        for value in self._sent:
            with _named(self._names[value]):
                self._kept.add(self._pictures[value])


@contextlib.contextmanager
def _named(name: str) -> Iterator[None]:
    """Puts the name of an entry before the store's sentences."""
    try:
        yield
    except FabricError as error:
        raise FabricError("{}: {}", name, error, status_code=error.status_code) from error
