"""page_host.py against the host's components as they are made, and gradio as it is."""

from __future__ import annotations

import importlib
import json
import sys
from types import ModuleType, SimpleNamespace

import gradio as gr
import pytest
from PIL import Image

from lib_fabric.library.history_entry import Details
from tests.helpers.page_host import FakePageHost


class InputAccordion:
    """What the host's looks like: it sets the classes of the accordion inside itself."""

    def __init__(self, value, label, elem_id):
        self.accordion = gr.Accordion(
            label, elem_id=elem_id, elem_classes=["input-accordion"], open=value
        )


@pytest.fixture
def page_host(host, monkeypatch):
    fake = ModuleType("modules.ui_components")
    fake.InputAccordion = InputAccordion
    fake.ToolButton = lambda *args, **kwargs: gr.Button(*args, **kwargs)
    monkeypatch.setitem(sys.modules, "modules.ui_components", fake)
    monkeypatch.setattr(sys.modules["modules"], "ui_components", fake, raising=False)
    for name in ("page_host", "pictures", "options"):
        monkeypatch.delitem(sys.modules, f"lib_fabric.hosts.{name}", raising=False)
    made = importlib.import_module("lib_fabric.hosts.page_host")
    yield made.WebuiPageHost()
    sys.modules.pop("lib_fabric.hosts.page_host", None)


@pytest.fixture
def toasts(monkeypatch):
    """What gradio was asked to show."""
    shown = []
    monkeypatch.setattr(gr, "Warning", lambda text: shown.append(("warning", text)))
    monkeypatch.setattr(gr, "Info", lambda text: shown.append(("info", text)))
    return shown


def test_it_offers_all_that_the_page_asks_of_a_host(page_host):
    asked = {name for name in vars(FakePageHost) if not name.startswith("_")}
    assert {name for name in asked if not hasattr(page_host, name)} == set()


def test_the_accordion_has_our_class_beside_the_hosts(page_host):
    with gr.Blocks():
        made = page_host.accordion("FABRIC", "an_id", "fabric-accordion", False)
        button = page_host.tool_button("👍", "another", "fabric-like")
    assert made.accordion.elem_classes == ["input-accordion", "fabric-accordion"]
    assert "fabric-like" in button.elem_classes


def test_reload_ui_makes_the_hosts_classes_anew(page_host, monkeypatch):
    monkeypatch.setattr(
        sys.modules["modules.ui_components"], "ToolButton", lambda *_args, **_kwargs: "new"
    )
    assert page_host.tool_button("👍", "an_id", "a-class") == "new"


@pytest.mark.parametrize("is_warning", [True, False])
def test_toasts_are_shown_where_gradio_can(page_host, monkeypatch, toasts, is_warning):
    monkeypatch.setattr(
        gr.context.thread_data, "blocks", SimpleNamespace(enable_queue=True), raising=False
    )
    page_host.toast("Saved.", is_warning)
    assert toasts == [("warning" if is_warning else "info", "Saved.")]


@pytest.mark.parametrize("blocks", [None, SimpleNamespace(enable_queue=False)])
def test_no_toast_where_gradio_would_only_warn_on_the_console(
    page_host, monkeypatch, toasts, blocks
):
    monkeypatch.setattr(gr.context.thread_data, "blocks", blocks, raising=False)
    page_host.toast("Saved.", True)
    assert toasts == []


@pytest.mark.parametrize(
    ("request_", "name"),
    [(None, ""), (SimpleNamespace(username=None), ""), (SimpleNamespace(username="ann"), "ann")],
)
def test_the_login_is_gradios(page_host, request_, name):
    assert page_host.login(request_) == name


@pytest.mark.parametrize("seed", ["1.5", "0x10", "", "nan", None, "9" * 30, 7])
def test_an_odd_seed_costs_nothing_else(page_host, seed):
    image = Image.new("RGB", (8, 8))
    image.info["parameters"] = json.dumps({"Prompt": "a circle", "Seed": seed, "Model": "tiny"})
    assert page_host.picture_details(image) == Details("a circle", None, "tiny")
