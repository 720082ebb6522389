"""Presses in the list of presets.

Knows presets and their archives; not gradio, not the gallery.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from lib_fabric.errors import FabricError, Message
from lib_fabric.library import preset_archive
from lib_fabric.library.imports import webui_fabric
from lib_fabric.library.library import Library
from lib_fabric.library.preset import MAX_NAME_CHARS, Preset
from lib_fabric.library.presets import NameTakenError
from lib_fabric.page.actions import Action, readable_name
from lib_fabric.page.messages import Note, note_of
from lib_fabric.page.outcome import Download, Outcome, PageState
from lib_fabric.page.presses.arrivals import Arrivals
from lib_fabric.page_arguments import fit_lists, mend_settings

_MAX_COPIES = 1000
_SAID = 5


class PresetPresses:
    """Carries them out; each raises FabricError for what cannot be done."""

    def __init__(self, library: Library, max_pictures: Callable[[], int]) -> None:
        self._library = library
        self._presets = library.presets
        self._max_pictures = max_pictures
        self._arrivals = Arrivals(preset_archive.refuse_too_many_bytes)

    def look(self, _action: Action, page: PageState) -> Outcome:
        """The list was opened."""
        return Outcome(page.ratings, presets_changed=True)

    def save(self, action: Action, page: PageState) -> Outcome:
        """The page's pictures and settings under a name."""
        if not page.ratings:
            raise FabricError("Rate a picture first: a preset holds rated pictures.")
        settings, _ = mend_settings(page.settings, page.start_values)
        preset = Preset(action.name, settings, page.ratings)
        try:
            saved = self._presets.save(page.owner, action.name, preset, action.overwrite)
        except NameTakenError:
            # As it is spelled there.
            taken = self._presets.namesake(page.owner, action.name) or action.name
            return Outcome(page.ratings, question=Message("Replace the preset {}?", taken))
        return _told(page, saved.name, Message("Saved as {}.", saved.name))

    def load(self, action: Action, page: PageState) -> Outcome:
        """A preset in place of the page's pictures and settings, meant for the next picture."""
        preset = self._presets.load(page.owner, action.name)
        ratings, left_out = fit_lists(preset.ratings, self._max_pictures())
        settings, mended = mend_settings(preset.settings, {})
        settings.pop("enabled", None)
        return Outcome(
            ratings,
            note=note_of(*left_out, *mended),
            switch_on=bool(ratings) and not page.is_enabled,
            settings=settings,
        )

    def rename(self, action: Action, page: PageState) -> Outcome:
        """Another name for a preset."""
        renamed = self._presets.rename(page.owner, action.name, action.new_name)
        return Outcome(page.ratings, presets_changed=True, preset_name=renamed.name)

    def delete(self, action: Action, page: PageState) -> Outcome:
        """A preset that goes; its pictures stay."""
        self._presets.delete(page.owner, action.name)
        return Outcome(page.ratings, presets_changed=True)

    def export(self, action: Action, page: PageState) -> Outcome:
        """A preset as a file for the user."""
        preset = self._presets.load(page.owner, action.name)
        # Of another version of FABRIC, it would not be imported as it is.
        sound = replace(preset, settings=mend_settings(preset.settings, {})[0])
        data = preset_archive.to_zip(sound, self._library.pictures_of(page.owner))
        return Outcome(page.ratings, download=Download(f"{preset.name}.fabric.zip", data))

    def bring(self, action: Action, page: PageState) -> Outcome:
        """One part of a file of the user's; a preset whose name is taken gets a number."""
        try:
            return self._bring(action, page)
        except FabricError as error:
            # Several may be on their way: a person must know which of them it was.
            name = readable_name(action.name, "The file")
            return Outcome(page.ratings, note=Note(Message("{}: {}", name, Message.of(error))))

    def _bring(self, action: Action, page: PageState) -> Outcome:
        data = self._arrivals.add(action, page)
        if data is None:
            return Outcome(page.ratings)
        pictures = self._library.pictures_of(page.owner)
        if webui_fabric.is_zip_of_folder(data):
            return self._keep(webui_fabric.from_zip(data, pictures), page)
        return self._keep(webui_fabric.Imported((preset_archive.from_zip(data, pictures),)), page)

    def adopt(self, _action: Action, page: PageState) -> Outcome:
        """What another extension has left in the WebUI's folders."""
        found = self._library.found_presets
        outcome = self._keep(found.read(self._library.pictures_of(page.owner)), page)
        found.settle(page.owner)
        return outcome

    def decline(self, _action: Action, page: PageState) -> Outcome:
        """The same, not wanted."""
        self._library.found_presets.settle(page.owner)
        return Outcome(page.ratings, presets_changed=True)

    def _keep(self, imported: webui_fabric.Imported, page: PageState) -> Outcome:
        names = [
            self._presets.save(page.owner, self._free_name(page.owner, each.name), each).name
            for each in imported.presets
        ]
        said = [*names[:_SAID], *(["…"] if len(names) > _SAID else [])]
        message = Message("Imported as {}.", ", ".join(said))
        if imported.num_left_out:
            count = str(imported.num_left_out)
            left_out = Message("Files left out, since they cannot be read: {}.", count)
            message = Message("{} {}", message, left_out)
        return _told(page, names[0], message)

    def _free_name(self, owner: str, name: str) -> str:
        """`name`, or with a number behind it where that is taken."""
        for number in range(2, _MAX_COPIES):
            if self._presets.namesake(owner, name) is None:
                break
            end = f" ({number})"
            name = name.removesuffix(f" ({number - 1})")[: MAX_NAME_CHARS - len(end)] + end
        return name


def _told(page: PageState, name: str, message: Message) -> Outcome:
    note = Note(message, is_warning=False)
    return Outcome(page.ratings, note=note, presets_changed=True, preset_name=name)
