"""What the page sends: mended and said, never refused; off, nothing is read."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from lib_fabric.arguments import argument_names, parse_arguments
from lib_fabric.errors import FabricError
from lib_fabric.page_arguments import PAGE_MARK, is_from_page, mend_arguments
from lib_fabric.request import FabricRequest
from lib_fabric.settings import FabricSettings

NAMES = argument_names()
NUMBERS = [field.name for field in FabricSettings.fields() if field.kind in ("int", "float")]


def page_arguments(mark=PAGE_MARK, **values):
    """As the page sends them; what is not given is as on a fresh page, but switched on."""
    fresh = {field.name: field.default for field in FabricSettings.fields()}
    sent = {**fresh, "enabled": True, "liked": "", "disliked": "", **values}
    return (*(sent[name] for name in NAMES), mark)


def mended(kept, limit=64, defaults=None, **values):
    request, said = mend_arguments(page_arguments(**values), kept, limit, defaults or {})
    return request, [str(each) for each in said]


@pytest.fixture
def pictures(store):
    """Three pictures of the store, the oldest first."""
    rng = np.random.default_rng(3)
    made = [Image.fromarray(rng.integers(0, 256, (16, 24, 3), dtype=np.uint8)) for _ in range(3)]
    return [store.add(each) for each in made]


class Untouchable:
    """A store that must not be asked."""

    def __getattr__(self, name):
        raise AssertionError(f"asked for {name}")


@pytest.mark.parametrize("enabled", [False, None, "True", 1, "yes", []])
def test_off_nothing_is_read(enabled):
    class Unreadable:
        __str__ = __float__ = __iter__ = __bool__ = None

    junk = {name: Unreadable() for name in NAMES}
    arguments = page_arguments(**{**junk, "enabled": enabled})
    request, said = mend_arguments(arguments, Untouchable(), 64, {})
    assert request == FabricRequest(FabricSettings())
    assert said == []


def test_sound_values_are_taken_as_they_are(store, pictures):
    first, second, third = pictures
    sent = {"strength": 1.5, "hires": True, "method": "contrast", "merge": 2, "start": 0.1}
    request, said = mended(
        store, liked=f"{first.short_id} {second.id}*0.5", disliked=third.id, **sent
    )
    assert said == []
    liked = [first.id, {"image": second.id, "weight": 0.5}]
    assert request == parse_arguments([{"liked": liked, "disliked": [third.id], **sent}], store)


@pytest.mark.parametrize("name", NUMBERS)
def test_numbers_are_kept_in_their_range(store, name):
    field = next(each for each in FabricSettings.fields() if each.name == name)
    others = {"end": 1.0} if name == "start" else {"start": 0.0} if name == "end" else {}
    for value, nearest in (
        (field.maximum + 2, field.maximum),
        (field.minimum - 2, field.minimum),
        (1e400, field.maximum),
        (-(10**400), field.minimum),
    ):
        request, said = mended(store, **{**others, name: value})
        assert getattr(request.settings, name) == nearest
        (sentence,) = said
        assert sentence.startswith(f"{field.label} may be {field.minimum:g} to {field.maximum:g}")


@pytest.mark.parametrize("value", [None, "", "strong", float("nan"), True, [], {"a": 1}])
def test_what_is_no_number_is_the_default(store, value):
    request, said = mended(store, strength=value)
    assert request.settings.strength == 0.8
    assert said == ["Strength had no value that can be used, so its default is used: 0.8."]
    chosen, _ = mended(store, defaults={"strength": 1.2}, strength=value)
    assert chosen.settings.strength == 1.2
    too_high, _ = mended(store, defaults={"strength": 7}, strength=value)
    assert too_high.settings.strength == 2.0


def test_start_and_end_change_places(store):
    request, said = mended(store, start=0.9, end=0.1)
    assert (request.settings.start, request.settings.end) == (0.1, 0.9)
    assert said == ["Start was after End, so the two have changed places."]


def test_of_more_pictures_than_fit_the_newest_take_part(store, pictures):
    request, said = mended(store, limit=2, liked=" ".join(each.id for each in pictures))
    assert [each.picture.id for each in request.ratings.liked] == [each.id for each in pictures[1:]]
    assert said == ["Each list may hold at most 2 here, so the oldest pictures were left out."]


def test_only_the_newest_take_part_where_that_is_wanted(store, pictures):
    ids = [each.id for each in pictures]
    sent = page_arguments(liked=" ".join(ids[:2]), disliked=ids[2])
    request, said = mend_arguments(sent, store, 64, {}, newest=1)
    found = request.ratings.map(lambda picture: picture.id)
    assert (found.pictures("liked"), found.pictures("disliked")) == ((ids[1],), (ids[2],))
    assert said == []


def test_pictures_of_weight_0_take_no_room(store, pictures):
    first, second, third = pictures
    request, said = mended(store, limit=2, liked=f"{first.id} {second.id}*0 {third.id}")
    assert request.ratings.pictures("liked") == (store.load(first.id), store.load(third.id))
    assert said == []


@pytest.mark.parametrize("harm", ["gone", "damaged"])
def test_a_picture_that_is_lost_is_named_and_left_out(store, pictures, tmp_path, harm):
    first, second, third = pictures
    for path in tmp_path.rglob(f"{second.id}*"):
        path.unlink() if harm == "gone" else path.write_bytes(b"no picture")
    lists = {"liked": f"{first.id} {second.id}", "disliked": third.id}
    request, said = mended(store, **lists)
    found = request.ratings.map(lambda picture: picture.id)
    assert (found.pictures("liked"), found.pictures("disliked")) == ((first.id,), (third.id,))
    (sentence,) = said
    assert second.short_id in sentence
    assert first.short_id not in sentence
    # The API's users are told instead.
    with pytest.raises(FabricError):
        parse_arguments([True, *lists.values()], store)


def test_many_that_are_lost_are_one_sentence(store):
    ids = [f"{number:064x}" for number in range(9)]
    request, (sentence,) = mended(store, liked=" ".join(ids))
    assert not request.ratings
    assert sentence.startswith("Pictures 0000")
    assert "…" in sentence


def test_more_pixels_than_can_be_held_leave_the_oldest_out(store, pictures, monkeypatch):
    monkeypatch.setattr("lib_fabric.page_arguments.MAX_TOTAL_PIXELS", 2 * 16 * 24)
    request, (sentence,) = mended(store, liked=" ".join(each.id for each in pictures))
    assert [each.picture.id for each in request.ratings.liked] == [each.id for each in pictures[1:]]
    assert pictures[0].short_id in sentence


def test_lists_of_nonsense_are_empty(store):
    for nonsense in ("../../x zz <b>*9", "\0", None, 5, "0" * 100_000):
        request, _ = mended(store, liked=nonsense)
        assert not request.ratings


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda each: st.lists(each, max_size=3) | st.dictionaries(st.text(), each, max_size=2),
    max_leaves=4,
)


@given(
    st.lists(ANYTHING, max_size=len(NAMES) + 2), st.dictionaries(st.sampled_from(NAMES), ANYTHING)
)
def test_whatever_comes_is_mended(arguments, defaults):
    class Empty:
        def num_pixels(self, picture_id):
            raise FabricError("gone")

    request, said = mend_arguments([True, *arguments], Empty(), 3, defaults)
    assert FabricSettings.from_mapping(request.settings.to_mapping()) == request.settings
    assert all(str(each) for each in said)


# ---- whose request it is -------------------------------------------------------------------------


def test_the_page_is_known_by_the_host_or_by_its_mark():
    assert is_from_page(page_arguments(), is_api=True)
    assert is_from_page(page_arguments(), is_api=False)
    assert is_from_page(page_arguments(mark=""), is_api=False)
    assert not is_from_page(page_arguments(mark=""), is_api=True)
    assert not is_from_page(page_arguments(mark="no"), is_api=True)


@pytest.mark.parametrize(
    "arguments",
    [(), ({"liked": []},), (True,), ({}, *page_arguments()[1:]), page_arguments(liked=["x"])],
)
@pytest.mark.parametrize("is_api", [True, False])
def test_what_only_code_sends_is_not_the_pages(arguments, is_api):
    assert not is_from_page(arguments, is_api)


def test_the_api_needs_no_mark_and_may_not_make_one_up(store):
    assert not parse_arguments(page_arguments(mark=""), store).is_active
    with pytest.raises(FabricError, match="at most 13 arguments"):
        parse_arguments(page_arguments(mark="x"), store)
    with pytest.raises(FabricError, match="unknown field 'page'"):
        parse_arguments([{"page": True}], store)
