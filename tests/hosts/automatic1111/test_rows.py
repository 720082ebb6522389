"""Which rows a denoiser call has, in AUTOMATIC1111's order, and which of them a call is given."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib_fabric.hosts.automatic1111.rows import RowCounter, rows_of_step

CASES = {
    "one picture": (1, 2, [1], "0+ 0-"),
    "a batch": (2, 4, [1, 1], "0+ 1+ 0- 1-"),
    "AND in one picture of two": (3, 5, [2, 1], "0+ 0+ 1+ 0- 1-"),
    "unconditional rows skipped": (2, 2, [1, 1], "0+ 1+"),
    "a model that edits pictures": (2, 6, [1, 1], "0+ 1+ 0- 1- 0- 1-"),
    "unconditional alone": (0, 2, [0, 0], "0- 1-"),
    "prompts not known": (4, 6, [], "0+ 0+ 1+ 1+ 0- 1-"),
    "prompts that do not fit": (4, 6, [1, 1], "0+ 0+ 1+ 1+ 0- 1-"),
    "nothing known and no unconditional rows": (2, 2, [], "0+ 1+"),
}


@pytest.mark.parametrize(
    ("num_cond", "num_rows", "prompts_of", "expected"), CASES.values(), ids=CASES
)
def test_rows_of_a_step(num_cond, num_rows, prompts_of, expected):
    rows = rows_of_step(num_cond, num_rows, prompts_of)
    assert (
        " ".join(f"{row.picture}{'+' if row.is_conditional else '-'}" for row in rows) == expected
    )


@given(st.lists(st.integers(1, 4), min_size=1, max_size=8), st.integers(0, 2))
def test_every_row_belongs_to_the_picture_that_its_prompt_is_of(prompts_of, unconditional_each):
    num_cond, num_pictures = sum(prompts_of), len(prompts_of)
    num_rows = num_cond + unconditional_each * num_pictures
    rows = rows_of_step(num_cond, num_rows, prompts_of)
    assert len(rows) == num_rows
    assert all(row.is_conditional for row in rows[:num_cond])
    assert not any(row.is_conditional for row in rows[num_cond:])
    for picture, count in enumerate(prompts_of):
        places = [place for place, row in enumerate(rows[:num_cond]) if row.picture == picture]
        assert places == list(range(sum(prompts_of[:picture]), sum(prompts_of[: picture + 1])))
        assert len(places) == count
        assert sum(row.picture == picture for row in rows[num_cond:]) == unconditional_each


def test_calls_get_the_rows_in_order_and_then_none():
    rows, counter = rows_of_step(2, 4, [1, 1]), RowCounter()
    assert counter.take(2) == ()
    counter.begin(rows)
    assert counter.take(3) == rows[:3]
    # More than were announced.
    assert counter.take(2) == (rows[3], rows[3])
    assert counter.take(1) == ()
    counter.begin(rows)
    counter.begin(())
    assert counter.take(1) == ()


def test_the_calls_of_a_generation_inside_a_step_take_no_rows_of_it():
    rows, counter = rows_of_step(2, 4, [1, 1]), RowCounter()
    counter.begin(rows)
    counter.begin_other()
    assert counter.take(2) == ()
    counter.end_other()
    assert counter.take(4) == rows
    # One that failed on its way never says that it is over.
    counter.begin_other()
    counter.begin(rows)
    assert counter.take(4) == rows
