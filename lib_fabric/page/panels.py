"""What the history and the presets panel show after a press.

Knows the library and the panels' HTML; not gradio, not the host.
"""

from __future__ import annotations

from collections.abc import Callable

from lib_fabric.library.library import Library
from lib_fabric.page.actions import Action
from lib_fabric.page.html.history import PAGE_SIZE, HistoryView, history_html
from lib_fabric.page.html.parts import Thumbnail
from lib_fabric.page.html.presets import presets_html
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
            last_page = max(0, (total - 1) // PAGE_SIZE * PAGE_SIZE)
            if offset <= last_page:
                break
            offset = last_page
        view = HistoryView(entries, total, offset, search)
        return history_html(view, self._thumbnails(page.owner))

    def presets(self, page: PageState) -> str:
        """The list of presets.

        Raises:
            FabricError: the presets cannot be read.
        """
        return presets_html(self._library.presets.all(page.owner), self._thumbnails(page.owner))
