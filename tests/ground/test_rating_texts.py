"""Lists of pictures as one line of text."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib_fabric.errors import FabricError
from lib_fabric.rating_texts import format_list, parse_list
from lib_fabric.ratings import Rated

SHORT, WHOLE = "0123456789abcdef", "ab" * 32
IDS = st.text("0123456789abcdef", min_size=16, max_size=16) | st.text(
    "0123456789abcdef", min_size=64, max_size=64
)


def _refusal(text):
    with pytest.raises(FabricError) as refused:
        parse_list(text, "liked")
    return str(refused.value)


def test_ids_and_weights():
    pictures = (Rated(SHORT), Rated(WHOLE, 0.25))
    assert format_list(pictures) == f"{SHORT} {WHOLE}*0.25"
    assert parse_list(f"  {SHORT}\n{WHOLE}*0.25 ", "liked") == pictures


@pytest.mark.parametrize("text", ["", " ", "\n\t"])
def test_an_empty_text_is_an_empty_list(text):
    assert parse_list(text, "liked") == ()


@given(st.lists(st.builds(Rated, IDS, st.floats(0, 2)), max_size=10))
def test_a_list_reads_back_exactly(pictures):
    assert parse_list(format_list(pictures), "liked") == tuple(pictures)


@pytest.mark.parametrize(
    "text", ["abc", "../../etc/passwd", SHORT.upper(), f"{SHORT},{SHORT}", "*2"]
)
def test_what_is_not_an_id_is_refused(text):
    assert _refusal(text) == f"'liked' must be a list of pictures, not {text!r}."


@pytest.mark.parametrize("weight", ["", "x", "-0.1", "2.01", "nan", "inf", "1e400", "1*1"])
def test_a_wrong_weight_is_refused(weight):
    expected = f"the weight of picture {SHORT} must be 0 to 2, not {weight!r}."
    assert _refusal(f"{SHORT}*{weight}") == f"'liked': {expected}"


@given(st.text())
def test_any_text_is_read_or_refused_in_one_short_sentence(text):
    sentence = ""
    try:
        pictures = parse_list(text, "liked")
    except FabricError as error:
        pictures, sentence = (), str(error)
    assert len(sentence) < 200
    assert all(0 <= each.weight <= 2 and math.isfinite(each.weight) for each in pictures)


def test_a_huge_text_is_refused_in_a_short_sentence():
    assert len(_refusal("0" * 10_000_000)) < 200
