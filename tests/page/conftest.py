"""Fixtures of the page's tests."""

import pytest

from tests.helpers.page_host import Pressing


@pytest.fixture
def press(library):
    """A page that presses; see `Pressing`."""
    return Pressing(library)
