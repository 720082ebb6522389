"""Answers that come late, or not at all: to which press they belong, and what waits meanwhile."""

from __future__ import annotations

import pytest

from tests.browser.fabric_page import hold, release

pytestmark = [pytest.mark.browser, pytest.mark.slow]

expect = pytest.importorskip("playwright.sync_api").expect


@pytest.fixture
def made(standin_page):
    """A page with a grid and four pictures."""
    standin_page.generate(4)
    return standin_page


def give_up(page):
    """What the page does by itself once it has waited too long."""
    page.page.evaluate("() => fabricUi.finish('txt2img', '')")
    expect(page.own("toast")).to_contain_text("did not answer")
    page.own("toast").evaluate("note => note.remove()")


def late_answer(page):
    """The held answer to the first press, to be let go later."""
    page.page.wait_for_function("() => window.release")
    page.page.evaluate("() => { window.late = window.release; delete window.release; }")


def test_a_late_answer_is_not_taken_for_that_to_the_next_press(made, picture_files):
    hold(made, "finish")
    made.select(1)
    made.press("like")
    late_answer(made)
    give_up(made)
    made.expect_settled()
    hold(made, "take")
    made.open_accordion()
    made.choose_files("disliked", picture_files[:1])
    made.page.wait_for_function("() => window.release")
    made.page.evaluate("() => window.late()")
    release(made)
    # What was given up has been rated all the same.
    made.expect_lists(1, 1)
    made.expect_settled()
    expect(made.own("toast")).to_have_count(0)


@pytest.mark.parametrize("number", [0, 1, 10**6])
def test_an_answer_of_another_number_is_ignored(made, number):
    made.rate(1, "like")
    hold(made, "finish")
    made.select(2)
    made.press("dislike")
    made.page.wait_for_function("() => window.release")
    made.page.evaluate(
        """number => fabricUi.finish('txt2img', JSON.stringify({
            number, liked: [], disliked: [], texts: ['', ''], limit: 64, rated: null, change: '',
            history_changed: false, note: null, confirm: null, file: null,
        }))""",
        number,
    )
    release(made)
    made.expect_lists(1, 1)
    made.expect_mark(1, "liked")
    made.expect_mark(2, "disliked")
    expect(made.own("toast")).to_have_count(0)


@pytest.fixture
def delayed(standin_page, webui_url):
    """A page with a grid and four pictures; what the WebUI says to it comes when it is let go."""
    waiting, is_held = [], []

    def connect(socket):
        server = socket.connect_to_server()
        server.on_message(
            lambda message: waiting.append((socket, message)) if is_held else socket.send(message)
        )

    def let_go():
        is_held.clear()
        for socket, message in waiting:
            socket.send(message)

    standin_page.page.route_web_socket(lambda url: "/queue/join" in url, connect)
    standin_page.open(webui_url)
    standin_page.generate(4)
    yield standin_page, lambda: is_held.append(True), let_go
    let_go()


def test_what_gradio_drops_while_it_is_busy_is_pressed_again(delayed):
    """It takes no press of a kind that is still under way."""
    page, hold_back, let_go = delayed
    hold_back()
    page.select(1)
    page.press("like")
    give_up(page)
    page.select(2)
    page.press("dislike")
    let_go()
    page.expect_mark(2, "disliked")
    page.expect_lists(1, 1)
    expect(page.own("toast")).to_have_count(0)
