"""What the history and the presets panel show after a press.

Knows the library and the panels' HTML; not gradio, not the host.
"""

from __future__ import annotations

from collections.abc import Callable

from lib_fabric.library.library import Library
from lib_fabric.page.actions import Action
from lib_fabric.page.html.history import PAGE_SIZE, HistoryView, history_html
from lib_fabric.page.html.parts import Thumbnail, page_offset
from lib_fabric.page.html.presets import PAGE_SIZE as PRESETS_PAGE_SIZE
from lib_fabric.page.html.presets import PresetsView, presets_html
from lib_fabric.page.outcome import PageState


class Panels:
    """The panels of every page.

    Args:
        library: where history and presets are kept.
        thumbnails: gives the source of an owner's thumbnails.
    """

    def __init__(self, library: Library, thumbnails: Callable[[str], Thumbnail]) -> None:
        self._library = library
        self._thumbnails = thumbnails

    def history(self, page: PageState, action: Action) -> str:
        """One page of the history: what matches the action's `search`, from its `offset` on.

        Raises:
            FabricError: the history cannot be read.
        """
        history, search = self._library.history, action.search
        offset = max(0, action.offset)
        while True:
            entries = history.page(
                page.owner, page.tab, search=search, offset=offset, limit=PAGE_SIZE
            )
            # After it was read: what has lost its file leaves the history meanwhile.
            total = history.count(page.owner, page.tab, search)
            last_page = page_offset(total, total, PAGE_SIZE)
            if offset <= last_page:
                break
            offset = last_page
        view = HistoryView(entries, total, offset, search)
        return history_html(view, self._thumbnails(page.owner))

    def presets(self, page: PageState, action: Action, name: str = "") -> str:
        """One page of the presets: the one that `name` is on, or else from the action's offset on.

        Raises:
            FabricError: the presets cannot be read.
        """
        presets = self._library.presets
        offset = presets.count(page.owner, before=name) if name else action.presets_offset
        total = presets.count(page.owner)
        offset = page_offset(offset, total, PRESETS_PAGE_SIZE)
        found = presets.page(page.owner, offset, PRESETS_PAGE_SIZE)
        num_offered = self._library.found_presets.num_offered(page.owner)
        view = PresetsView(found, total, offset, num_offered)
        return presets_html(view, self._thumbnails(page.owner))
