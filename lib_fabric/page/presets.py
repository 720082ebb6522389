"""Carries out what is pressed in the list of presets.

Knows actions, ratings, presets and their archives; not gradio, not the host.
"""

from __future__ import annotations

import base64
import binascii
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, replace

from lib_fabric.errors import FabricError
from lib_fabric.library import preset_archive
from lib_fabric.library.library import Library
from lib_fabric.library.presets import MAX_NAME_CHARS, Preset
from lib_fabric.page.actions import Action
from lib_fabric.page.outcome import Download
from lib_fabric.ratings import Ratings

# What a page may send: far above what presets need, far below what hurts the WebUI.
MAX_IMPORT_BYTES = 128 * 2**20
_MAX_IMPORTS = 4
_MAX_COPIES = 1000
_CUT = "The file did not arrive whole. Import it again."


@dataclass(frozen=True)
class PresetAnswer:
    """What a press in the list of presets came to.

    Attributes:
        text: what to tell the user; empty for nothing.
        ratings: the page's ratings from now on; None leaves them.
        settings: what the widgets are to show, by the setting's name; None leaves them.
        download: a file for the user.
    """

    text: str = ""
    ratings: Ratings | None = None
    settings: Mapping[str, object] | None = None
    download: Download | None = None


class PresetAnswerer:
    """Answers presses in the list of presets, for all pages."""

    def __init__(self, library: Library) -> None:
        self._library = library
        self._presets = library.presets
        self._imports = _Imports()

    def answer(
        self, action: Action, owner: str, ratings: Ratings, settings: Mapping[str, object]
    ) -> PresetAnswer:
        """Carries out `action`, for a page that shows `ratings` and `settings`.

        Raises:
            FabricError: what cannot be done, in one sentence.
        """
        if action.do == "save":
            return self._save(action, owner, ratings, settings)
        if action.do == "load":
            return self._load(action, owner)
        if action.do == "rename":
            self._presets.rename(owner, action.name, action.new_name)
        elif action.do == "delete":
            self._presets.delete(owner, action.name)
        elif action.do == "export":
            return self._export(action, owner)
        elif action.do == "import":
            return self._import(action, owner)
        return PresetAnswer()

    def _save(
        self, action: Action, owner: str, ratings: Ratings, settings: Mapping[str, object]
    ) -> PresetAnswer:
        if not ratings:
            raise FabricError("Rate a picture first: a preset holds rated pictures.")
        preset = Preset(action.name, settings, ratings)
        saved = self._presets.save(owner, action.name, preset, action.overwrite)
        return PresetAnswer(f"Saved as {saved.name}.")

    def _load(self, action: Action, owner: str) -> PresetAnswer:
        preset = self._presets.load(owner, action.name)
        settings = {name: value for name, value in preset.settings.items() if name != "enabled"}
        return PresetAnswer(ratings=preset.ratings, settings=settings)

    def _export(self, action: Action, owner: str) -> PresetAnswer:
        preset = self._presets.load(owner, action.name)
        data = preset_archive.to_zip(preset, self._library.store)
        # Nobody is to keep as a backup what no WebUI takes back.
        if len(data) > MAX_IMPORT_BYTES:
            raise FabricError(
                f"A preset of more than {MAX_IMPORT_BYTES >> 20} MB cannot be exported. "
                "Save one with fewer pictures."
            )
        return PresetAnswer(download=Download(f"{preset.name}.fabric.zip", data))

    def _import(self, action: Action, owner: str) -> PresetAnswer:
        data = self._imports.add((owner, action.page), action.part, action.parts, action.data)
        if data is None:
            return PresetAnswer()
        preset = preset_archive.from_zip(data, self._library.store)
        taken = {name.casefold() for name in self._presets.names(owner)}
        preset = replace(preset, name=_free_name(preset.name, taken))
        self._presets.save(owner, preset.name, preset)
        return PresetAnswer(f"Imported as {preset.name}.")


class _Imports:
    """Files on their way: gradio carries no message as large as an archive may be."""

    def __init__(self) -> None:
        self._arrived: OrderedDict[tuple[str, str], list[bytes]] = OrderedDict()

    def add(self, key: tuple[str, str], part: int, parts: int, data: str) -> bytes | None:
        """Takes one part in base64; the whole file after the last, None before it."""
        arrived = self._arrived.pop(key, []) if part else []
        if part != len(arrived) or not 0 <= part < parts:
            raise FabricError(_CUT)
        try:
            arrived = [*arrived, base64.b64decode(data, validate=True)]
        except (binascii.Error, ValueError) as error:
            raise FabricError(_CUT) from error
        if sum(map(len, arrived)) > MAX_IMPORT_BYTES:
            raise FabricError(f"A preset may have at most {MAX_IMPORT_BYTES >> 20} MB.")
        if len(arrived) == parts:
            return b"".join(arrived)
        self._arrived[key] = arrived
        while len(self._arrived) > _MAX_IMPORTS:
            self._arrived.popitem(last=False)
        return None


def _free_name(name: str, taken: set[str]) -> str:
    """`name`, or with a number behind it where that is taken."""
    for number in range(2, _MAX_COPIES):
        if name.casefold() not in taken:
            return name
        end = f" ({number})"
        name = name.removesuffix(f" ({number - 1})")[: MAX_NAME_CHARS - len(end)] + end
    return name
