"""Answers that come late, or not at all: to which press they belong, and what waits meanwhile."""

from __future__ import annotations

import pytest

from tests.browser.fabric_page import hold, release
from tests.helpers.pictures import image

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


# ---- what an answer brings -----------------------------------------------------------------------


@pytest.fixture
def counted(new_page):
    """A page, and how many bytes the WebUI has said to it since it was last asked."""
    page = new_page()
    told = []

    def watch(socket):
        socket.on("framereceived", lambda frame: told.append(len(frame)))

    page.page.on("websocket", watch)

    def num_bytes():
        count = sum(told)
        told.clear()
        return count

    page.open_accordion()
    return page, num_bytes


def noise_files(folder, count):
    """Pictures whose thumbnails are as long as they get."""
    files = []
    for seed in range(count):
        files.append(folder / f"noise {seed}.png")
        image(seed, 128, 128).save(files[-1])
    return files


def test_a_press_brings_no_more_for_many_rated_pictures_than_for_few(counted, tmp_path):
    page, num_bytes = counted
    files = noise_files(tmp_path, 32)
    added = []
    for number, some in enumerate((files[:2], files[2:3], files[3:31], files[31:]), start=1):
        num_bytes()
        page.choose_files("liked", some)
        page.expect_lists(files.index(some[-1]) + 1, 0)
        page.expect_settled()
        if number in (2, 4):
            added.append(num_bytes())
    few, many = added
    thumbnail = page.tiles("liked").first.locator("img").get_attribute("src")
    assert many < few + 200
    assert many < 2 * len(thumbnail) + 20_000
    page.weigh("liked", 5, "0.5")
    expect(page.tiles("liked").nth(5)).to_contain_text("×")
    expect(page.lists.locator(".fabric-weight.fabric-changed")).to_have_count(1)
    page.expect_settled()
    assert num_bytes() < 20_000
    assert all(page.tiles("liked").locator("img").evaluate_all("all => all.map(e => e.src)"))


def test_thumbnails_that_never_came_are_asked_for(made, webui_url):
    made.rate(1, "like")
    made.rate(2, "like")
    made.open_accordion()
    # As after a press whose answer was lost on the way.
    made.lists.locator(".fabric-picture").first.evaluate("tile => tile.remove()")
    made.rate(3, "dislike")
    made.expect_lists(2, 1)
    expect(made.lists.locator("img[src^='data:image/jpeg']")).to_have_count(3)
    # As after a reload in the middle of a press: the fields have the lists, the page no tile.
    made.page.evaluate(
        "() => document.querySelectorAll('#txt2img_fabric_lists figure').forEach(e => e.remove())"
    )
    made.undo()
    made.expect_lists(2, 0)
