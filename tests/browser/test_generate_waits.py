"""Generate right after another press: what it waits for, and what it does not wait for."""

from __future__ import annotations

import pytest

pytestmark = [pytest.mark.browser, pytest.mark.slow]

expect = pytest.importorskip("playwright.sync_api").expect

HOLD_ANSWER = """() => {
    const finish = fabricUi.finish;
    fabricUi.finish = (...values) => {
        fabricUi.finish = finish;
        return new Promise(resolve => {
            window.release = () => resolve(finish(...values));
        });
    };
}"""
COUNT_PRESSES = """() => {
    window.presses = 0;
    document.getElementById('txt2img_generate').addEventListener('click', () => window.presses++);
}"""


@pytest.fixture
def made(standin_page):
    """A page with one picture; its next press is not answered until `release`."""
    standin_page.generate(1)
    standin_page.page.evaluate(HOLD_ANSWER)
    return standin_page


def wait_until_held_up(page):
    page.page.wait_for_function("() => window.release")


def release(page):
    page.page.evaluate("() => window.release()")


def generate_button(page):
    return page.page.locator("#txt2img_generate")


@pytest.mark.parametrize("prompt", ["prompt", "neg_prompt"])
def test_shift_enter_in_a_prompt_waits_as_the_button_does(made, prompt):
    made.press("like")
    wait_until_held_up(made)
    before = made.picture_file()
    field = made.page.locator(f"#txt2img_{prompt} textarea")
    field.fill("a circle")
    field.press("Shift+Enter")
    expect(generate_button(made)).to_contain_class("fabric-held")
    assert made.picture_file() == before
    release(made)
    expect(made.infotext).to_contain_text("FABRIC liked:", timeout=60_000)
    expect(field).to_have_value("a circle")
    expect(generate_button(made)).not_to_contain_class("fabric-held")


def test_shift_enter_generates_at_once_where_nothing_is_under_way(made):
    field = made.page.locator("#txt2img_prompt textarea")
    field.fill("a circle")
    field.press("Shift+Enter")
    expect(made.infotext).to_contain_text("a circle", timeout=60_000)


def test_what_changes_no_list_holds_nothing_up(made):
    made.open_accordion()
    made.open_panel("history")
    wait_until_held_up(made)
    made.press_generate(1)
    release(made)
    made.expect_settled()


def test_without_an_answer_generate_is_not_pressed(made):
    made.page.evaluate(COUNT_PRESSES)
    made.press("like")
    wait_until_held_up(made)
    generate_button(made).click()
    expect(generate_button(made)).to_contain_class("fabric-held")
    made.page.evaluate("() => fabricUi.finish('txt2img', '')")
    expect(generate_button(made)).not_to_contain_class("fabric-held")
    expect(made.own("toast")).to_contain_text("did not answer")
    assert made.page.evaluate("presses") == 0


def test_a_press_that_cannot_be_sent_ends(made, picture_files):
    made.page.evaluate("""() => Object.defineProperty(File.prototype, 'size', {
        get() { throw new Error('gone'); }
    })""")
    made.open_accordion()
    made.choose_files("liked", picture_files[:1])
    expect(made.own("toast")).to_contain_text("did not answer")
    made.press_generate(1)
