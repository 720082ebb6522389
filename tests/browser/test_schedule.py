"""Start and End stay in order, whichever of the two is moved."""

from __future__ import annotations

import pytest

pytestmark = [pytest.mark.browser, pytest.mark.slow]

expect = pytest.importorskip("playwright.sync_api").expect


@pytest.fixture
def schedule(new_page):
    """The page, with its schedule open."""
    page = new_page()
    page.open_accordion()
    page.own("schedule").locator(".label-wrap").first.click()
    return page


def number(page, name):
    return page.own(name).locator("input[type=number]")


def type_into(page, name, value):
    """As a person does: digit by digit, then on to the next field."""
    field = number(page, name)
    field.click()
    field.press("Control+a")
    field.press_sequentially(value)
    field.press("Tab")


def test_the_slider_that_is_moved_takes_the_other_one_along(schedule):
    type_into(schedule, "start", "0.9")
    expect(number(schedule, "end")).to_have_value("0.9")
    type_into(schedule, "end", "0.4")
    expect(number(schedule, "start")).to_have_value("0.4")


def test_a_value_in_order_moves_nothing_while_it_is_typed(schedule):
    type_into(schedule, "start", "0.2")
    # Its first digit alone would be before the start.
    type_into(schedule, "end", "0.5")
    expect(number(schedule, "end")).to_have_value("0.5")
    expect(number(schedule, "start")).to_have_value("0.2")
