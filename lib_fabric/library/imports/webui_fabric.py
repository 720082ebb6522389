"""Presets of sd-webui-fabric: out of a .zip of its folder, or from where it lies in the WebUI.

Knows that folder: `presets/<name>.json` holds {"liked_paths": [file name], "disliked_paths": ...},
`images/` the files. Everything in it is untrusted, and a name that it holds is never made part of a
path: it is looked up among the files that are there. Knows nothing of the page.
"""

from __future__ import annotations

import hashlib
import io
import json
import logging
import os
import re
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from lib_fabric.errors import FabricError
from lib_fabric.library.preset import MAX_NAME_CHARS, Preset, check_name
from lib_fabric.library.preset_archive import (
    MAX_JSON_BYTES,
    KeptPictures,
    check_entry,
    opened,
    refuse_too_many_bytes,
    refuse_too_many_pixels,
)
from lib_fabric.pictures import MAX_FILE_BYTES, OpenedPicture, open_picture
from lib_fabric.ratings import Rated, Ratings
from lib_fabric.settings import HIGHEST_MAX_PICTURES

FOLDER = ("log", "fabric")
_MOST_PRESETS = 200
_FIELDS = ("liked_paths", "disliked_paths")
_PRESET = re.compile(r"(?:.*/)?presets/([^/]+)\.json", re.DOTALL)
_PICTURE = re.compile(r"(?:.*/)?images/([^/]+)", re.DOTALL)
_log = logging.getLogger(__name__)

# Reads a file, but no more than one byte beyond what it may have.
Read = Callable[[int], bytes]


@dataclass
class Files:
    """What is there to be read: presets by their names, pictures by their files' names."""

    presets: dict[str, Read] = field(default_factory=dict)
    pictures: dict[str, Read] = field(default_factory=dict)


@dataclass(frozen=True)
class Imported:
    """Presets whose pictures are kept, and how many files could not be read."""

    presets: tuple[Preset, ...]
    num_left_out: int = 0


class FoundPresets:
    """What lies in the WebUI's own folders, offered once.

    Args:
        roots: the WebUI's folders, in which `log/fabric` may be; nothing else is read.
        notes: the folder in which to note whom it was offered to.
    """

    def __init__(self, roots: Sequence[Path], notes: Path) -> None:
        self._roots = roots
        self._notes = notes

    def num_offered(self, owner: str) -> int:
        """How many presets are there that `owner` has not been offered yet."""
        if self._note(owner).exists():
            return 0
        return len(self._files().presets)

    def read(self, kept: KeptPictures) -> Imported:
        """Reads them all and keeps their pictures.

        Raises:
            FabricError: there are none that can be read.
        """
        return _read_all(self._files(), kept, _Counter(is_bounded=False))

    def settle(self, owner: str) -> None:
        """Offers them to `owner` no more."""
        try:
            self._notes.mkdir(parents=True, exist_ok=True)
            self._note(owner).touch()
        except OSError as error:
            _log.warning("FABRIC: presets will be offered again: %s", error)

    def _note(self, owner: str) -> Path:
        # A login is no name of a file.
        return self._notes / hashlib.sha256(owner.encode("utf-8", "replace")).hexdigest()[:16]

    def _files(self) -> Files:
        found = Files()
        for root in self._roots:
            presets = _listed(root, *FOLDER, "presets")
            if presets:
                names = {Path(name).stem: read for name, read in presets if name.endswith(".json")}
                found.presets = dict(sorted(names.items())[:_MOST_PRESETS])
                found.pictures = dict(_listed(root, *FOLDER, "images"))
                break
        return found


def is_zip_of_folder(data: bytes) -> bool:
    """Whether these bytes are a .zip of that extension's folder.

    Raises:
        FabricError: they are no sound .zip at all.
    """
    with opened(data) as archive:
        return any(_PRESET.fullmatch(_plain(each.filename)) for each in archive.infolist())


def from_zip(data: bytes, kept: KeptPictures) -> Imported:
    """Reads every preset in a .zip of the folder and keeps their pictures.

    Raises:
        FabricError: it is damaged or too large, or holds no preset that can be read.
    """
    with opened(data) as archive:
        files = Files()
        for entry in archive.infolist():
            name = _plain(entry.filename)
            # Beside the files of the folder, which other programs add.
            if name.startswith("__MACOSX/"):
                continue
            preset, picture = _PRESET.fullmatch(name), _PICTURE.fullmatch(name)
            if preset or picture:
                check_entry(entry)
            read = partial(_read_entry, archive, entry)
            if preset:
                files.presets.setdefault(preset[1], read)
            elif picture:
                files.pictures.setdefault(picture[1], read)
        return _read_all(files, kept, _Counter())


@dataclass
class _Counter:
    """What has come out of an archive so far; a folder of the WebUI's own may hold any amount."""

    is_bounded: bool = True
    num_bytes: int = 0
    num_pixels: int = 0

    def add(self, num_bytes: int = 0, num_pixels: int = 0) -> None:
        self.num_bytes += num_bytes
        self.num_pixels += num_pixels
        if self.is_bounded:
            refuse_too_many_bytes(self.num_bytes)
            refuse_too_many_pixels([self.num_pixels])


def _plain(name: str) -> str:
    return name.replace("\\", "/")


def _read_entry(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, max_bytes: int) -> bytes:
    with archive.open(entry) as file:
        return file.read(max_bytes + 1)


def _listed(root: Path, *below: str) -> list[tuple[str, Read]]:
    """The plain files of one folder; none where a link leads there, perhaps somewhere else."""
    folder = root.resolve()
    try:
        for name in below:
            folder = folder / name
            if folder.is_symlink():
                return []
        with os.scandir(folder) as entries:
            files = [each for each in entries if each.is_file(follow_symlinks=False)]
    except OSError:
        return []
    return [(each.name, partial(_read_file, each.path)) for each in files]


def _read_file(path: str, max_bytes: int) -> bytes:
    with Path(path).open("rb") as file:
        return file.read(max_bytes + 1)


def _read_all(files: Files, kept: KeptPictures, counter: _Counter) -> Imported:
    pictures = _Pictures(files.pictures, kept, counter)
    presets, num_damaged = [], 0
    for name, read in files.presets.items():
        try:
            data = read(MAX_JSON_BYTES)
            counter.add(num_bytes=len(data))
            lists = _parse(data)
        except (OSError, ValueError, RecursionError):
            num_damaged += 1
            continue
        liked, disliked = (tuple(pictures.rated(each)) for each in lists)
        ratings = Ratings(liked, disliked).unique()
        if ratings:
            presets.append(Preset(_name(name), {}, ratings))
    if not presets:
        raise FabricError("No preset of sd-webui-fabric could be read with its pictures.")
    return Imported(tuple(presets), num_damaged + len(pictures.missing))


class _Pictures:
    """Keeps pictures by their files' names, each once."""

    def __init__(self, files: Mapping[str, Read], kept: KeptPictures, counter: _Counter) -> None:
        self._files = files
        self._kept = kept
        self._counter = counter
        self._ids: dict[str, str] = {}
        self.missing: set[str] = set()

    def rated(self, names: Sequence[str]) -> Iterator[Rated[str]]:
        """The pictures of a list that can be read, the newest of them if they are too many."""
        for name in names[-HIGHEST_MAX_PICTURES:]:
            if name not in self._ids and name not in self.missing:
                self._keep(name)
            if name in self._ids:
                yield Rated(self._ids[name])

    def _keep(self, name: str) -> None:
        found = self._opened(name)
        if found is None:
            return
        self._counter.add(num_pixels=found.num_pixels)
        try:
            picture = found.decode()
        except FabricError as error:
            self._leave_out(name, error)
        else:
            (self._ids[name],) = self._kept.add_all([picture])

    def _opened(self, name: str) -> OpenedPicture | None:
        try:
            data = self._files[name](MAX_FILE_BYTES)
        except (KeyError, OSError) as error:
            self._leave_out(name, error)
            return None
        self._counter.add(num_bytes=len(data))
        try:
            # One that is too large is cut here, and so damaged.
            return open_picture(io.BytesIO(data[:MAX_FILE_BYTES]))
        except FabricError as error:
            self._leave_out(name, error)
            return None

    def _leave_out(self, name: str, error: Exception) -> None:
        _log.warning("FABRIC: a picture of sd-webui-fabric was left out: %r", error)
        self.missing.add(name)


def _parse(data: bytes) -> list[list[str]]:
    """Both lists of names; ValueError for anything else."""
    if len(data) > MAX_JSON_BYTES:
        raise ValueError("too large")
    content = json.loads(data.decode("utf-8"))
    lists = [content.get(name) if isinstance(content, dict) else None for name in _FIELDS]
    if not all(isinstance(each, list) for each in lists):
        raise ValueError("no lists of names")
    return [[name for name in each if isinstance(name, str)] for each in lists]


def _name(stem: str) -> str:
    try:
        return check_name(stem[:MAX_NAME_CHARS])
    except FabricError:
        return "sd-webui-fabric"
