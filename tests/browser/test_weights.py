"""The weight of a picture in a list: the field shows what counts, whatever was typed."""

from __future__ import annotations

import re

import pytest

pytestmark = [pytest.mark.browser, pytest.mark.slow]

expect = pytest.importorskip("playwright.sync_api").expect


@pytest.fixture
def weighed(standin_page, picture_files):
    """A page with one liked picture of weight 2, its field, and the request of each press."""
    standin_page.open_accordion()
    standin_page.choose_files("liked", picture_files[:1])
    standin_page.expect_lists(1, 0)
    standin_page.weigh("liked", 0, "2")
    expect(standin_page.lists.locator(".fabric-weight.fabric-changed")).to_have_count(1)
    standin_page.expect_settled()
    return standin_page, standin_page.lists.locator(".fabric-weight input")


def expect_weight(page, field, text):
    """The field shows it, and the hidden list has it."""
    page.expect_settled()
    expect(field).to_have_value(text)
    ending = "" if text == "1" else rf"\*{re.escape(text)}"
    expect(page.own("liked").locator("textarea")).to_have_value(
        re.compile(rf"^[0-9a-f]{{64}}{ending}$")
    )


def type_over(page, field, text):
    """As a person types: key by key, in place of what is there."""
    field.focus()
    field.press("Control+a")
    field.press("Delete")
    page.page.keyboard.type(text)


@pytest.mark.parametrize(
    ("typed", "end"),
    [("", "Enter"), ("abc", "Tab"), ("-", "Tab"), ("1e999", "Enter"), ("", "Escape")],
)
def test_what_is_no_number_leaves_the_weight(weighed, typed, end):
    page, field = weighed
    type_over(page, field, typed)
    field.press(end)
    expect_weight(page, field, "2")
    field.blur()
    expect_weight(page, field, "2")


@pytest.mark.parametrize(
    ("typed", "end", "shown"), [("7", "Enter", "2"), ("-3", "Tab", "0"), ("1.5", "Tab", "1.5")]
)
def test_a_number_counts_as_it_is_shown(weighed, typed, end, shown):
    page, field = weighed
    type_over(page, field, typed)
    field.press(end)
    expect_weight(page, field, shown)


@pytest.mark.parametrize("typed", ["7", "0.5"])
def test_escape_takes_back_what_was_typed(weighed, typed):
    page, field = weighed
    type_over(page, field, typed)
    field.press("Escape")
    expect(field).to_have_value("2")
    field.blur()
    expect_weight(page, field, "2")


def test_escape_goes_back_to_what_was_entered_just_now(weighed):
    """The answer to it is still under way."""
    page, field = weighed
    page.weigh("liked", 0, "1.25")
    type_over(page, field, "0.5")
    field.press("Escape")
    expect(field).to_have_value("1.25")
    expect_weight(page, field, "1.25")
