"""The way of a press through gradio: by name in both directions, in the words of its host."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

import gradio as gr
import pytest

from lib_fabric.page.relay import Relay
from tests.helpers.page_host import FakePageHost

GIVEN = {"first": "1", "second": "2"}


@pytest.fixture
def wired():
    """A page with one wired channel, and what its handler was given."""
    given = []

    def answer(_request, values: Mapping[str, object]):
        given.append(dict(values))
        return {"reply": "done", "out": "new"}

    with gr.Blocks() as page:
        relay = Relay("txt2img", FakePageHost(entry_path=("image", "path")))
        lists = relay.build(("liked", "disliked"))
        inputs = {name: gr.Textbox(value, elem_id=name) for name, value in GIVEN.items()}
        outputs = {name: gr.Textbox(elem_id=name) for name in ("out", "other")}
        relay.wire("rate", answer, lists | inputs, outputs)
    return page, given


def dependency(page, kind):
    """The index of the event with this JavaScript, and the event."""
    return next(
        (index, each) for index, each in enumerate(page.dependencies) if kind in str(each["js"])
    )


def test_values_go_in_and_come_out_by_name(wired):
    page, given = wired
    index, event = dependency(page, "fabricUi.take")
    press = page.process_api(index, ["act", "a", "b", "1", "2"], state={})
    # Of its own, since another test's browser may have left one running in this thread.
    with ThreadPoolExecutor() as threads:
        told = threads.submit(asyncio.run, press).result()["data"]
    assert given == [{"action": "act", "liked": "a", "disliked": "b", **GIVEN}]
    names = [page.blocks[each].elem_id for each in event["outputs"]]
    assert dict(zip(names, told, strict=True)) == {
        "txt2img_fabric_reply": "done",
        "out": "new",
        # Left out, so left as it is.
        "other": {"__type__": "update"},
    }


def test_the_browser_is_told_the_names_and_where_an_entry_has_its_path(wired):
    page, _ = wired
    code = dependency(page, "fabricUi.take")[1]["js"]
    assert re.search(
        r"take\('txt2img', 'rate', "
        r'{"names": \["action", "liked", "disliked", "first", "second"\], '
        r'"entryPath": \["image", "path"\]}, values\.slice\(0, 5\)\)',
        code,
    )


def test_handlers_are_named_as_the_host_names_them():
    class Later(FakePageHost):
        def javascript(self, code):
            return {"_js": f"/* as of this host */ {code}"}

    with gr.Blocks() as page:
        relay = Relay("txt2img", Later())
        lists = relay.build(("liked", "disliked"))
        relay.wire("edit", lambda *_: {}, lists, {})
    codes = [each["js"] for each in page.dependencies]
    assert len(codes) == 5
    assert all(code.startswith("/* as of this host */ ") for code in codes)


def test_a_failed_press_has_an_end_but_no_answer(wired):
    page, _ = wired
    press = dependency(page, "fabricUi.take")[0]
    for kind, only_answered in (("fabricUi.finish", True), ("fabricUi.ended", False)):
        event = dependency(page, kind)[1]
        assert event["trigger_after"] == press
        assert event["trigger_only_on_success"] == only_answered
