"""A short seeded run of the fuzzers; `make fuzz` runs them for long."""

import re

import pytest
from hypothesis import HealthCheck, given, settings

from lib_fabric.arguments import parse_arguments
from lib_fabric.errors import FabricError
from lib_fabric.library.store import PictureStore
from lib_fabric.settings import FabricSettings
from tests.fuzz import login_operations, page_operations
from tests.fuzz.machine import play
from tests.fuzz.requests import arguments, names_a_field


@pytest.mark.parametrize("game", [page_operations.GAME, login_operations.GAME])
def test_random_operations_break_no_invariant(game):
    done = play(game, num_operations=300, seed=1)
    assert set(done) == set(game.operations), "this seed leaves something out: take another"


@settings(max_examples=400, suppress_health_check=list(HealthCheck))
@given(arguments())
def test_a_request_is_read_or_refused_in_a_sentence_that_names_a_field(tmp_path_factory, given):
    store = PictureStore(tmp_path_factory.getbasetemp() / "fuzz")
    try:
        request = parse_arguments(given, store)
    except FabricError as error:
        told = error
    else:
        assert isinstance(request.settings, FabricSettings)
        assert all(0 < each.weight <= 2 for each in request.ratings)
        return
    assert told.status_code == 422
    assert names_a_field(str(told))
    assert re.fullmatch(r".{1,600}\.", str(told)), "one line that ends in a full stop"


def test_valid_requests_are_among_them(tmp_path):
    """Else the test above could pass on refusals alone."""
    store = PictureStore(tmp_path)
    seen = {"active": 0, "inactive": 0, "refused": 0}

    @settings(max_examples=200, suppress_health_check=list(HealthCheck))
    @given(arguments())
    def count(given):
        try:
            is_active = parse_arguments(given, store).is_active
        except FabricError:
            seen["refused"] += 1
        else:
            seen["active" if is_active else "inactive"] += 1

    count()
    assert min(seen.values()) > 15, seen
