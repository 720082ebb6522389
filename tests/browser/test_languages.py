"""The page in another language: what the host translates, and what it leaves to us."""

from __future__ import annotations

import json

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
        for language in ("ja_JP", "de_DE")
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


@pytest.mark.parametrize("language", ["ja_JP", "de_DE"])
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
    # A name inside, in HTML that is replaced at every press.
    add_liked = texts["Add {} pictures"].replace("{1}", texts["liked"])
    expect(page.drop_zone("liked")).to_have_attribute("title", add_liked)
    page.choose_files("liked", picture_files[:1])
    page.expect_lists(1, 0)
    expect(page.drop_zone("liked")).to_have_attribute("title", add_liked)
    # A message of the server, with a file's name inside.
    page.choose_files("liked", picture_files[:1])
    note = texts["{} is {} already."].replace("{1}", "red.png").replace("{2}", texts["liked"])
    page.expect_note(note)
    page.clear("liked")
    page.expect_lists(0, 0)
