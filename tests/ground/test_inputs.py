"""The tables of inputs against `parse_arguments`: every sentence, and every picture's id."""

import pytest

from lib_fabric.arguments import parse_arguments
from lib_fabric.errors import FabricError
from lib_fabric.library.store import PictureStore
from tests.inputs.bad import BAD_INPUTS, POSITIONS
from tests.inputs.good import bring_pictures, good_inputs

GOOD_INPUTS = good_inputs()


@pytest.fixture(scope="module")
def filled_store(tmp_path_factory):
    """A store with the pictures that the table of good inputs names by id."""
    store = PictureStore(tmp_path_factory.mktemp("inputs") / "pictures")
    parse_arguments(bring_pictures(), store)
    return store


def test_the_tables_are_as_long_as_promised():
    assert len(BAD_INPUTS) >= 60
    assert len(GOOD_INPUTS) >= 20
    assert len({given.sentence for given in BAD_INPUTS}) >= 50, "the same over and over"


@pytest.mark.parametrize("given", BAD_INPUTS, ids=str)
def test_bad_input_is_refused_with_one_sentence_and_leaves_nothing(store, given):
    with pytest.raises(FabricError) as refused:
        parse_arguments(given.arguments, store)
    assert str(refused.value) == given.sentence
    assert refused.value.detail == given.sentence
    assert refused.value.status_code == 422
    assert list(store.folder.rglob("*")) == []


@pytest.mark.parametrize("given", GOOD_INPUTS, ids=str)
def test_unusual_input_is_read(filled_store, given):
    request = parse_arguments(given.arguments, filled_store)
    infotext = request.to_infotext()
    if given.liked is not None:
        assert infotext.get("FABRIC liked", "") == given.liked
    assert infotext.get("FABRIC disliked", "") == given.disliked
    assert request.is_active == bool(infotext.get("FABRIC liked"))


def test_the_tables_know_every_argument():
    from lib_fabric.arguments import argument_names

    assert argument_names() == POSITIONS
