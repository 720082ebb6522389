"""What the page sends, and what is kept for it, mended so that it can be generated with.

The forgiving counterpart of arguments.py: nobody may be locked out of Generate by what a widget, a
file of the WebUI or a preset says. Whatever is mended is said. Knows requests, settings and
pictures; not gradio. Everything that arrives here is untrusted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from lib_fabric.arguments import KeptPictures, argument_names
from lib_fabric.errors import FabricError, Message
from lib_fabric.pictures import MAX_TOTAL_PIXELS, SHORT_ID_DIGITS, Picture
from lib_fabric.rating_texts import read_lists
from lib_fabric.ratings import LIST_NAMES, Ratings
from lib_fabric.request import FabricRequest
from lib_fabric.settings import FabricSettings, SettingField, Value, shorten

# What the page's hidden field says, which the API leaves empty.
PAGE_MARK = "page"
_MOST_NAMED = 5
_TOO_MANY = "Each list may hold at most {} here, so the oldest pictures were left out."
_TOO_LARGE = "The pictures have more than {} million pixels together, so some were left out: {}"
_LOST_ONE = "Picture {} was left out: its file is gone or damaged. Remove it from the list."
_LOST = "Pictures {} were left out: their files are gone or damaged. Remove them from the lists."
_TURNED = "Start was after End, so the two have changed places."
_NEAREST = "{} may be {} to {}, so {} is used instead of {}."
_DEFAULT = "{} had no value that can be used, so its default is used: {}."


def is_from_page(arguments: Sequence[object], is_api: bool) -> bool:
    """Whether the page wrote these arguments, be it that another extension sends them by the API.

    Args:
        is_api: whether the host says that they came by its API.
    """
    names = argument_names()
    by_name = dict(zip(names, arguments, strict=False))
    has_lists = all(isinstance(by_name.get(name), str) for name in LIST_NAMES)
    if not has_lists or isinstance(by_name["enabled"], dict):
        return False
    return not is_api or list(arguments[len(names) :]) == [PAGE_MARK]


def mend_arguments(
    arguments: Sequence[object],
    kept: KeptPictures,
    max_pictures: int,
    defaults: Mapping[str, object],
    newest: int = 0,
    changes: Mapping[str, object] = MappingProxyType({}),
    is_erased: Callable[[str], bool] = lambda picture_id: False,
) -> tuple[FabricRequest, list[Message]]:
    """The request that the page's arguments come to, and what is to be said of it.

    Args:
        arguments: in the order of `argument_names`; nothing of them is read while feedback is off.
        kept: where the ids of pictures are looked up.
        max_pictures: the most that each of the two lists may hold.
        defaults: values by name that stand for those that cannot be used.
        newest: how many of each list take part, the newest of them; 0 for all.
        changes: settings in the place of those among the arguments.
        is_erased: which pictures lists may still name though their user has deleted them with all
            else; they are left out, and nothing is said.

    Raises:
        FabricError: `changes` do not go with the rest.
    """
    values = dict(zip(argument_names(), arguments, strict=False))
    if values.pop("enabled", None) is not True:
        return FabricRequest(FabricSettings()), []
    lists = read_lists(*(values.pop(name, None) for name in LIST_NAMES))
    lists = lists.only(lambda rated: not is_erased(rated.picture))
    weighed = lists.only(lambda rated: rated.weight > 0)
    named, too_many = fit_lists(weighed, max_pictures)
    if newest:
        named, _ = fit_lists(named, newest)
    ratings, left_out = _load(named, kept)
    settings, mended = mend_settings(values, defaults)
    checked = replace(FabricSettings.from_mapping({**settings, "enabled": True}), **changes)
    request = FabricRequest(checked, ratings, len(lists) - len(weighed))
    return request, [*too_many, *left_out, *mended]


def fit_lists(ratings: Ratings[str], limit: int) -> tuple[Ratings[str], list[Message]]:
    """The newest `limit` of each list, and what is said if that is not all."""
    fitting = Ratings(*(ratings.of(name)[-limit:] for name in LIST_NAMES))
    return fitting, [] if fitting == ratings else [Message(_TOO_MANY, str(limit))]


def mend_settings(
    values: Mapping[str, object], defaults: Mapping[str, object]
) -> tuple[dict[str, Value], list[Message]]:
    """`values` by the setting's name, each one that is allowed, and what is said of the others.

    Args:
        values: untrusted; names that are no setting's are left out.
        defaults: as untrusted; the setting's own is taken where there is none.
    """
    settings: dict[str, Value] = {}
    said: list[Message] = []
    for field in FabricSettings.fields():
        if field.name in values:
            settings[field.name], message = _mend(field, values[field.name], defaults)
            said += [message] if message else []
    start, end = (settings.get(name) for name in ("start", "end"))
    if start is not None and end is not None and start > end:
        settings |= {"start": end, "end": start}
        said.append(Message(_TURNED))
    return settings, said


def changed_settings(
    values: Mapping[str, object], start_values: Mapping[str, object]
) -> dict[str, Value]:
    """What of `values`, mended, is not what the widgets show at first: the rest follows that."""
    settings, _ = mend_settings(values, start_values)
    first = {field.name: start_value(field, start_values) for field in FabricSettings.fields()}
    return {name: value for name, value in settings.items() if value != first[name]}


def start_value(field: SettingField, defaults: Mapping[str, object]) -> Value:
    """What stands for a value of `field` that cannot be used."""
    value = field.nearest(defaults.get(field.name))
    return field.default if value is None else value


def _mend(
    field: SettingField, value: object, defaults: Mapping[str, object]
) -> tuple[Value, Message | None]:
    allowed = field.read(value)
    if allowed is not None:
        return allowed, None
    nearest = field.nearest(value)
    label = Message(field.label)
    if nearest is None:
        default = start_value(field, defaults)
        return default, Message(_DEFAULT, label, _shown(default))
    bounds = (_shown(field.minimum), _shown(field.maximum))
    return nearest, Message(_NEAREST, label, *bounds, _shown(nearest), shorten(value, 20))


def _shown(value: Any) -> str:  # noqa: ANN401 (of a setting's type)
    return str(value) if isinstance(value, (bool, str)) else f"{value:g}"


def _load(ratings: Ratings[str], kept: KeptPictures) -> tuple[Ratings[Picture], list[Message]]:
    """The pictures that can be opened, the newest first to be, up to `MAX_TOTAL_PIXELS`."""
    pictures: dict[str, Picture] = {}
    lost: list[str] = []
    too_large: list[str] = []
    num_pixels = 0
    for picture_id in reversed([each.picture for each in ratings]):
        try:
            num_pixels_after = num_pixels + kept.num_pixels(picture_id)
            if num_pixels_after > MAX_TOTAL_PIXELS:
                too_large.append(picture_id)
                continue
            pictures[picture_id] = kept.load(picture_id)
            num_pixels = num_pixels_after
        except FabricError:
            lost.append(picture_id)
    said = [Message(_LOST_ONE if len(lost) == 1 else _LOST, _named(lost))] if lost else []
    if too_large:
        said.append(Message(_TOO_LARGE, str(MAX_TOTAL_PIXELS // 2**20), _named(too_large)))
    found = ratings.only(lambda rated: rated.picture in pictures)
    return found.map(pictures.__getitem__), said


def _named(picture_ids: list[str]) -> str:
    short = [each[:SHORT_ID_DIGITS] for each in picture_ids[:_MOST_NAMED]]
    return ", ".join([*short, "…"] if len(picture_ids) > _MOST_NAMED else short)
