"""The way of a press through gradio: by name in both directions, in the words of its host."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

import gradio as gr
import pytest

from lib_fabric.page.relay import Relay
from tests.helpers.page_edits import edited
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
        "txt2img_fabric_edits": '[[1, "", 0], [1, "", 0]]',
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
    # Two fields, the mark, the press, and three with its answer.
    assert len(codes) == 7
    assert all(code.startswith("/* as of this host */ ") for code in codes)


def test_a_failed_press_has_an_end_but_no_answer(wired):
    page, _ = wired
    press = dependency(page, "fabricUi.take")[0]
    for kind, only_answered in (
        ("fabricUi.arrive", True),
        ("fabricUi.finish", True),
        ("fabricUi.ended", False),
    ):
        event = dependency(page, kind)[1]
        assert event["trigger_after"] == press
        assert event["trigger_only_on_success"] == only_answered


def in_the_hidden_field(before, after):
    """A list as the page's script makes it of the answer: sent as `before`, answered as `after`."""
    with gr.Blocks() as page:
        relay = Relay("txt2img", FakePageHost())
        lists = relay.build(("liked", "disliked"))
        relay.wire("edit", lambda *_: {"liked": after}, lists, {})
    index, _ = dependency(page, "fabricUi.take")
    press = page.process_api(index, ["act", before, "same"], state={})
    with ThreadPoolExecutor() as threads:
        _, edits = threads.submit(asyncio.run, press).result()["data"]
    liked, disliked = edited([before, "same"], edits)
    assert disliked == "same"
    return liked, len(edits)


IDS = [digit * 64 for digit in "abcdef"]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ([], IDS[:1]),
        (IDS[:3], IDS),
        (IDS, IDS[:2] + IDS[3:]),
        (IDS, [*IDS[:2], f"{IDS[2]}*0.5", *IDS[3:]]),
        ([*IDS[:2], f"{IDS[2]}*0.5"], [*IDS[:2], f"{IDS[2]}*0.55"]),
        ([IDS[0], IDS[0]], IDS[:1]),
        (IDS, []),
        (IDS, IDS),
        (["\U0001f600", *IDS], IDS),
    ],
)
def test_lists_go_back_as_what_is_to_be_changed_in_them(before, after):
    assert in_the_hidden_field(" ".join(before), " ".join(after))[0] == " ".join(after)


def test_a_long_list_goes_back_as_shortly_as_a_short_one():
    many = " ".join(f"{number:064x}" for number in range(1000, 1200))
    (_, few_bytes), (_, many_bytes) = (
        in_the_hidden_field(known, f"{known} {IDS[0]}") for known in (IDS[1], many)
    )
    assert many_bytes - few_bytes < 10
