"""The page in another language: what the host translates, and what it leaves to us."""

from __future__ import annotations

import json
import re
from datetime import datetime, timedelta

import pytest

pytestmark = [pytest.mark.browser, pytest.mark.slow]

expect = pytest.importorskip("playwright.sync_api").expect


@pytest.fixture(scope="module")
def translated(browser, tmp_path_factory):
    """Opens a page of a stand-in whose settings ask for a language."""
    from tests.browser.fabric_page import FabricPage
    from tests.conftest import ROOT
    from tests.webui.server import StandIn

    folder = tmp_path_factory.mktemp("translated")
    texts = {
        language: json.loads((ROOT / "localizations" / f"{language}.json").read_text("utf-8"))
        for language in ("ja_JP", "de_DE", "zh_CN")
    }
    (folder / "config.json").write_text(json.dumps({"localization": "ja_JP"}))
    viewport = {"width": 1400, "height": 1600}
    with (
        StandIn(extension=ROOT, data_dir=folder, random_model=True) as standin,
        browser.new_context(viewport=viewport) as context,
    ):

        def open_page(language):
            if standin.get("/sdapi/v1/options").json()["localization"] != language:
                standin.post("/sdapi/v1/options", {"localization": language})
                standin.reload_ui()
            page = FabricPage(context.new_page())
            page.open(standin.url)
            return page, texts[language]

        yield open_page


@pytest.mark.parametrize("language", ["ja_JP", "de_DE", "zh_CN"])
def test_texts_tooltips_and_messages_are_translated(translated, language, picture_files):
    page, texts = translated(language)
    page.open_accordion()
    expect(page.own("strength").locator("label span").first).to_have_text(texts["Strength"])
    expect(page.own("strength")).to_have_attribute(
        "title", next(text for key, text in texts.items() if key.startswith("How much liked"))
    )
    # With an emoji, which the host leaves alone.
    empty = next(text for key, text in texts.items() if key.startswith("Nothing rated yet"))
    expect(page.lists).to_contain_text(empty)
    # In HTML that is replaced at every press.
    add_liked = texts["Add liked pictures"]
    expect(page.drop_zone("liked")).to_have_attribute("title", add_liked)
    page.choose_files("liked", picture_files[:1])
    page.expect_lists(1, 0)
    expect(page.drop_zone("liked")).to_have_attribute("title", add_liked)
    # Put together from parts: a count, and a note with a file's name inside.
    count = page.own("counts").locator(".fabric-count")
    expect(count).to_have_attribute("title", texts["Liked pictures: {}"].replace("{1}", "1"))
    page.choose_files("liked", picture_files[:1])
    note = texts["{} is liked already."].replace("{1}", "red.png")
    page.expect_note(note)
    expect(page.page.locator(".toast-wrap")).to_contain_text(note)
    page.clear("liked")
    page.expect_lists(0, 0)


def test_errors_that_the_host_prints_are_translated(translated):
    page, texts = translated("de_DE")
    page.page.locator("#html_log_txt2img").first.evaluate("""log => {
        log.innerHTML = "<div class='error'>FabricError: picture 0123456789abcdef is no longer in "
            + "the store. Rate it again.</div>";
    }""")
    sentence = texts["picture {} is no longer in the store. Rate it again."]
    expect(page.page.locator("#html_log_txt2img .error")).to_have_text(
        "FabricError: " + sentence.replace("{1}", "0123456789abcdef")
    )


def test_what_a_user_wrote_is_not_translated(translated, picture_files):
    """A file may be named as one of our texts, with the marks of a parameter."""
    page, texts = translated("de_DE")
    named = picture_files[0].with_name("Save {1}.png")
    picture_files[0].rename(named)
    page.open_accordion()
    for _ in range(2):
        page.choose_files("liked", [named])
    page.expect_note(texts["{} is liked already."].replace("{1}", named.name))
    page.clear("liked")
    page.expect_lists(0, 0)


def test_times_are_those_of_the_browser(browser, webui_url, picture_files):
    """Without a language as well: the server tells them in UTC."""
    from tests.browser.fabric_page import FabricPage

    with browser.new_context(timezone_id="Asia/Kathmandu", locale="en-GB") as context:
        page = FabricPage(context.new_page())
        page.open(webui_url)
        page.open_accordion()
        page.choose_files("liked", picture_files[:1])
        page.expect_lists(1, 0)
        tile = page.open_panel("history").locator(".fabric-picture").first
        expect(tile).to_be_visible()
        told = tile.evaluate("tile => JSON.parse(tile.dataset.fabricTexts).title[2].time")
        local = datetime.fromisoformat(told.replace("Z", "+00:00")) + timedelta(hours=5, minutes=45)
        shown = f"{local.day} {local:%b %Y, %H:%M}".replace("Sep ", "Sept ")
        expect(tile).to_have_attribute("title", re.compile(f"^👍 {shown}"))
