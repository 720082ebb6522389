"""A preset as one .zip, with its pictures, for another machine; and back, from untrusted bytes.

Knows presets and pictures; is handed where they are kept. No name in an archive is ever used as a
path: an entry is `preset.json` or `pictures/<id>.png`, or the archive is refused.

preset.json: {"format": "fabric-preset", "version": 1, "name": text, "settings": {name: value},
"liked": [{"id": id, "weight": number}], "disliked": the same}.
"""

from __future__ import annotations

import contextlib
import io
import json
import re
import struct
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Protocol

from lib_fabric.errors import FabricError
from lib_fabric.library.preset import Preset, check_name, check_settings
from lib_fabric.pictures import (
    MAX_FILE_BYTES,
    MAX_TOTAL_PIXELS,
    SHORT_ID_DIGITS,
    OpenedPicture,
    Picture,
    open_picture,
    to_png,
)
from lib_fabric.ratings import LIST_NAMES, Rated, Ratings, checked
from lib_fabric.settings import HIGHEST_MAX_PICTURES, shorten

FORMAT = "fabric-preset"
VERSION = 1
# Far above what presets need, far below what hurts the WebUI; what is exported keeps to it, too.
MAX_ARCHIVE_BYTES = 128 * 2**20
MAX_JSON_BYTES = 2**18
_MAX_ENTRIES = 1 + len(LIST_NAMES) * HIGHEST_MAX_PICTURES
# In the table of contents: a name, and what other programs may add to it.
_MAX_ENTRY_BYTES = 512
_JSON_NAME = "preset.json"
_PICTURE_NAME = re.compile(r"pictures/([0-9a-f]{64})\.png")
_FIELDS = ("format", "version", "name", "settings", *LIST_NAMES)
_ENTRY_FIELDS = ("id", "weight")
# Others (LZMA above all) may ask for gigabytes of memory to unpack a few bytes.
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
# What an archive ends with: mark, numbers of disks, of entries twice, bytes and place of the table
# of contents, length of a comment. In front of it, in large archives, where another one lies.
_END = struct.Struct("<4s4H2LH")
_END_MARK = b"PK\x05\x06"
_LOCATOR_MARK = b"PK\x06\x07"
_LOCATOR_BYTES = 20
# The oldest time that a zip can hold: the same preset is the same file.
_NO_TIME = (1980, 1, 1, 0, 0, 0)


class KeptPictures(Protocol):
    """Where pictures are looked up by their ids, and kept; each raises FabricError."""

    def num_pixels(self, picture_id: str) -> int:
        """How large a picture is."""

    def load(self, picture_id: str) -> Picture:
        """A picture."""

    def add_all(self, pictures: Iterable[Picture]) -> list[str]:
        """Keeps pictures, all or none, one at a time; returns their ids."""


def to_zip(preset: Preset, kept: KeptPictures) -> bytes:
    """Packs a preset and its pictures, so that `from_zip` takes it.

    Raises:
        FabricError: a picture is no longer kept, or all together are too much.
    """
    ids = sorted(_ids(preset))
    refuse_too_many_pixels(map(kept.num_pixels, ids))
    content = {
        "format": FORMAT,
        "version": VERSION,
        "name": preset.name,
        "settings": dict(preset.settings),
    }
    for name in LIST_NAMES:
        entries = preset.ratings.of(name)
        content[name] = [{"id": each.picture, "weight": each.weight} for each in entries]
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        text = json.dumps(content, ensure_ascii=False, indent=2)
        archive.writestr(zipfile.ZipInfo(_JSON_NAME, _NO_TIME), text)
        for picture_id in ids:
            png = to_png(kept.load(picture_id).image)
            # PNG is packed already.
            archive.writestr(zipfile.ZipInfo(_picture_name(picture_id), _NO_TIME), png)
            refuse_too_many_bytes(buffer.tell())
    refuse_too_many_bytes(buffer.tell())
    return buffer.getvalue()


def from_zip(data: bytes, kept: KeptPictures) -> Preset:
    """Unpacks a preset and keeps its pictures, all of them or none.

    Save the preset at once: only then are its pictures safe from the store's limit.

    Raises:
        FabricError: not such an archive, or anything in it that should not be, by its name.
    """
    with opened(data) as archive:
        return _Archive(archive).unpack(kept)


@contextlib.contextmanager
def opened(data: bytes) -> Iterator[zipfile.ZipFile]:
    """An archive; raises FabricError, also while it is read, if it is too large or damaged."""
    refuse_too_many_bytes(len(data))
    _check_end(data)
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            yield archive
    # Python's zipfile raises all of these on damaged or hostile archives.
    except (
        zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError,
        NotImplementedError, RuntimeError, OverflowError,
    ) as error:  # fmt: skip
        raise _unreadable() from error


class _Archive:
    """An opened archive whose entries have been looked over, but not believed."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        self._entries: dict[str, zipfile.ZipInfo] = {}
        self._num_bytes = 0
        for entry in archive.infolist():
            name = entry.filename
            if name != _JSON_NAME and not _PICTURE_NAME.fullmatch(name):
                raise FabricError("This file holds {}, which no preset does.", shorten(name))
            if name in self._entries:
                raise FabricError("This file holds {} twice.", shorten(name, 100))
            check_entry(entry)
            self._entries[name] = entry

    def unpack(self, kept: KeptPictures) -> Preset:
        preset = _parse(self._read(_JSON_NAME, MAX_JSON_BYTES))
        wanted = _ids(preset)
        for name in self._entries:
            if name != _JSON_NAME and name[len("pictures/") : -len(".png")] not in wanted:
                raise FabricError("This file holds {}, which it does not use.", shorten(name, 100))
        # Before any is decoded: a few bytes may each unfold to the most that one may have.
        refuse_too_many_pixels(self._open(each).num_pixels for each in wanted)
        self._num_bytes = 0
        kept.add_all(map(self._picture, wanted))
        return preset

    def _open(self, picture_id: str) -> OpenedPicture:
        data = self._read(_picture_name(picture_id), MAX_FILE_BYTES)
        return open_picture(io.BytesIO(data), _short(picture_id))

    def _picture(self, picture_id: str) -> Picture:
        picture = self._open(picture_id).decode()
        if picture.id != picture_id:
            raise FabricError(
                "{} of this preset is another picture than its name says.", _short(picture_id)
            )
        return picture

    def _read(self, name: str, max_bytes: int) -> bytes:
        """An entry's bytes; counts what really comes out, not what the archive claims."""
        if name not in self._entries:
            raise FabricError("{} is missing in this file.", shorten(name, 100))
        with self._archive.open(self._entries[name]) as file:
            data = file.read(max_bytes + 1)
        self._num_bytes += len(data)
        if len(data) > max_bytes:
            raise FabricError(
                "{} in this file is larger than {} MB.",
                shorten(name, 100),
                f"{max_bytes / 2**20:g}",
            )
        refuse_too_many_bytes(self._num_bytes)
        return data


def _check_end(data: bytes) -> None:
    """Refuses an archive by its last bytes, before zipfile reads a table of contents as long as it.

    Written without a comment, and small enough to do without the second format for large ones:
    then zipfile believes these bytes, and them alone.
    """
    is_large = data[-_END.size - _LOCATOR_BYTES :].startswith(_LOCATOR_MARK)
    if len(data) < _END.size or is_large:
        raise _unreadable()
    mark, _, _, _, num_entries, num_bytes, _, num_comment = _END.unpack(data[-_END.size :])
    if mark != _END_MARK or num_comment:
        raise _unreadable()
    if num_entries > _MAX_ENTRIES:
        raise FabricError("This file holds {} entries, too many for a preset.", num_entries)
    if num_bytes > _MAX_ENTRIES * _MAX_ENTRY_BYTES:
        raise _unreadable()


def check_entry(entry: zipfile.ZipInfo) -> None:
    """Raises FabricError where an entry is encrypted, or packed in a way that may cost too much."""
    if entry.flag_bits & 0x1:
        raise FabricError("This file is encrypted. Export the preset again.")
    if entry.compress_type not in _METHODS:
        raise FabricError("This file is packed in a way that presets are not.")


def refuse_too_many_bytes(count: int) -> None:
    """Raises FabricError where a preset's file may not be as large."""
    if count > MAX_ARCHIVE_BYTES:
        raise FabricError(
            "A preset's file may have at most {} MB. Save one with fewer pictures.",
            MAX_ARCHIVE_BYTES // 2**20,
        )


def refuse_too_many_pixels(counts: Iterable[int]) -> None:
    """Raises FabricError where pictures may not have as many pixels together."""
    if sum(counts) > MAX_TOTAL_PIXELS:
        raise FabricError(
            "The pictures of this preset have more than {} million pixels together. "
            "Save one with fewer or smaller ones.",
            MAX_TOTAL_PIXELS // 2**20,
        )


def _parse(data: bytes) -> Preset:
    try:
        content = json.loads(
            data.decode("utf-8"), object_pairs_hook=_object, parse_constant=_refuse_constant
        )
    except (ValueError, RecursionError) as error:
        raise FabricError("{} is not valid JSON.", _JSON_NAME) from error
    _check_fields(content, _FIELDS, _JSON_NAME)
    if content["format"] != FORMAT:
        raise FabricError("This file is not a preset of FABRIC.")
    if content["version"] != VERSION or isinstance(content["version"], bool):
        raise FabricError(
            "'version' must be {}, not {}. Update FABRIC.", VERSION, shorten(content["version"])
        )
    if not isinstance(content["settings"], dict):
        raise FabricError("'settings' must be an object, not {}.", shorten(content["settings"]))
    name, settings = check_name(content["name"]), check_settings(content["settings"])
    ratings = Ratings(*(_parse_list(content[each], each) for each in LIST_NAMES))
    return Preset(name, settings, checked(ratings))


def _parse_list(value: object, name: str) -> tuple[Rated[str], ...]:
    if not isinstance(value, list):
        raise FabricError("'{}' must be a list of pictures, not {}.", name, shorten(value))
    for index, entry in enumerate(value):
        _check_fields(entry, _ENTRY_FIELDS, f"{name}[{index}]")
    return tuple(Rated(entry["id"], entry["weight"]) for entry in value)


def _check_fields(value: object, known: tuple[str, ...], where: str) -> None:
    if not isinstance(value, dict):
        raise FabricError("{} must be an object, not {}.", where, shorten(value))
    for name in value:
        if name not in known:
            raise FabricError(
                "{}: unknown field {}. Known: {}.", where, shorten(name), ", ".join(known)
            )
    for name in known:
        if name not in value:
            raise FabricError("{} has no '{}'.", where, name)


def _object(pairs: list[tuple[str, object]]) -> Mapping[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a field twice")
    return found


def _refuse_constant(name: str) -> None:
    raise ValueError(name)


def _ids(preset: Preset) -> set[str]:
    return {each.picture for each in preset.ratings}


def _short(picture_id: str) -> str:
    return f"picture {picture_id[:SHORT_ID_DIGITS]}"


def _picture_name(picture_id: str) -> str:
    return f"pictures/{picture_id}.png"


def _unreadable() -> FabricError:
    return FabricError("This file is not a preset, or it is damaged.")
