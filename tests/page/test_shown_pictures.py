"""The result gallery as the browser sent it."""

from __future__ import annotations

import pytest

from lib_fabric.page.shown_pictures import ShownPictures


@pytest.mark.parametrize(
    "info",
    [None, 5, "", "x", "[]", '{"index_of_first_image": "1"}', '{"index_of_first_image": -3}',
     '{"index_of_first_image": true}', '{"index_of_first_image": null}', "[" * 100_000],
)  # fmt: skip
def test_unreadable_generation_info_means_no_grid(info):
    assert ShownPictures.from_client([{"name": "red"}], info).num_grids == 0
