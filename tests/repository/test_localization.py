"""localizations/*.json: every visible text of ours is there, and nothing else."""

from __future__ import annotations

import json
import re
from types import SimpleNamespace

import gradio as gr
import pytest

from lib_fabric.hosts.axes import axes
from lib_fabric.library.library import Library
from lib_fabric.page.tab import FabricTab
from lib_fabric.settings import FabricSettings
from lib_fabric.steering.encoding import ENCODING_TEXT
from tests.helpers.fake_modules import fake_modules, imported_anew, option_modules
from tests.helpers.page_host import FakePageHost, add_result_panel
from tests.helpers.visible_texts import ROOT, component_texts, javascript_texts, python_texts

# Parts that are put into sentences.
PARTS = {"liked", "disliked"}
LANGUAGES = sorted(path.stem for path in (ROOT / "localizations").glob("*.json"))
# What every text of a language has, if it is translated at all.
SCRIPTS = {
    "ja_JP": re.compile(r"[\u3040-\u30ff\u4e00-\u9fff]"),
    "zh_CN": re.compile(r"[\u4e00-\u9fff]"),
}


def load(language):
    text = (ROOT / "localizations" / f"{language}.json").read_text("utf-8")
    return json.loads(text, object_pairs_hook=list)


@pytest.fixture(scope="module")
def page_texts(tmp_path_factory):
    with gr.Blocks() as page:
        tab = FabricTab("txt2img", Library(tmp_path_factory.mktemp("store")), FakePageHost())
        tab.build()
        add_result_panel(tab)
    ours = {
        number: block
        for number, block in page.blocks.items()
        if "fabric" in str(getattr(block, "elem_id", ""))
    }
    found = component_texts(SimpleNamespace(blocks=ours))
    # A label that is the element's id belongs to a field that style.css hides.
    return {text for text in found if "_fabric_" not in text}


@pytest.fixture
def option_texts(monkeypatch, tmp_path):
    fakes = fake_modules(monkeypatch, option_modules(str(tmp_path)))
    with imported_anew("lib_fabric.hosts.options") as options:
        options.add_options()
    found = set()
    for option in fakes["shared"].opts.labels.values():
        choices = (option.component_args or {}).get("choices", [])
        found |= {option.label, *choices, *(f"({info})" for info in option.infos)}
        if not option.label:
            found |= set(re.findall(r"<button[^>]*>([^<]+)<", option.default))
    return found


@pytest.fixture
def visible(page_texts, option_texts):
    fields = FabricSettings.fields()
    found = python_texts() | javascript_texts() | page_texts | option_texts
    found |= {field.label for field in fields} | {field.help for field in fields}
    found |= {axis.label for axis in axes()} | {ENCODING_TEXT} | PARTS
    return {text for text in found if re.search(r"[a-z]{2}", text)} - {"Enabled"}


def test_japanese_german_and_chinese_are_shipped():
    """Named as the packages that translate the WebUI itself: files of one name are merged."""
    assert {"ja_JP", "de_DE", "zh_CN"} <= set(LANGUAGES)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_visible_text_is_translated(language, visible):
    keys = [key for key, _ in load(language)]
    missing, unused = sorted(visible - set(keys)), sorted(set(keys) - visible)
    assert not missing, "\n".join(["without a translation:", *missing])
    assert not unused, "\n".join(["translated, but nowhere to be seen:", *unused])
    assert len(keys) == len(set(keys))


@pytest.mark.parametrize("language", LANGUAGES)
def test_parts_that_change_have_a_place(language):
    for key, text in load(language):
        places = {int(number) for number in re.findall(r"\{(\d)\}", text)}
        assert places <= set(range(1, key.count("{}") + 1)), key
        assert "{}" not in text, key
        if "{}" in key:
            assert places, f"{key}: nothing of what changes is said"


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_translation_is_no_copy(language):
    same_in_both = {"Start", "Export", "Name"}
    for key, text in load(language):
        assert text.strip()
        assert text != key or key.split("] ")[-1] in same_in_both, key
        if language in SCRIPTS:
            assert SCRIPTS[language].search(text), key


def test_the_visible_texts_are_found(visible):
    """One of each kind, so that the search itself cannot fail in silence."""
    assert {
        "Strength",
        "[FABRIC] Strength",
        "Drop pictures here or click to choose",
        "Select a picture first.",
        "At most {} can be liked. Remove one before adding another.",
        "{} is liked already.",
        "The WebUI did not answer. Try again.",
        "Reading rated pictures…",
        "(one key; empty for none)",
        "Settings only",
        "Like the picture for FABRIC; press again to undo.",
    } <= visible
