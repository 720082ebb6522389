"""The demo as a process: what its page opens with, and that it leaves nothing behind."""

import json
import os
import signal
import socket
import subprocess
import sys

import httpx
import pytest

from tests.helpers.commands import ROOT
from tests.webui.server import free_port

pytestmark = [pytest.mark.integration, pytest.mark.slow]


def _demo(tmp_path, *options):
    """Its process, with a folder of its own for temporary files."""
    return subprocess.Popen(
        [sys.executable, "-m", "tests.demo", *map(str, options)],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # Else a signal of this test's own terminal would reach it.
        start_new_session=True,
    )


def _read_until(process, text):
    lines = []
    for line in process.stdout:
        lines.append(line)
        if text in line:
            return lines
    raise AssertionError("".join(lines) + process.stderr.read())


def _components(url):
    config = json.loads(httpx.get(f"{url}/config", timeout=60).text)
    return {each["props"].get("elem_id"): each["props"] for each in config["components"]}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda each: each.name)
def test_the_page_is_filled_in_and_ends_without_leaving_anything(tmp_path, number):
    port = free_port()
    with _demo(tmp_path, "--games", 0, "--port", port) as process:
        lines = _read_until(process, "The page is up")
        assert lines[-1].split()[-1] == f"http://127.0.0.1:{port}"
        found = _components(f"http://127.0.0.1:{port}")
        assert found["txt2img_prompt"]["value"] == "a circle"
        assert found["txt2img_batch_size"]["value"] == 4
        assert (found["txt2img_width"]["value"], found["txt2img_height"]["value"]) == (64, 64)
        for word in ("circle", "square", "triangle", "purple", "64x64"):
            assert word in found["demo_note"]["value"]
        assert list(tmp_path.iterdir())
        process.send_signal(number)
        assert process.wait(30) == 0
        assert "Stopped" in process.stdout.read()
        assert process.stderr.read() == ""
    assert list(tmp_path.iterdir()) == []
    with socket.socket() as probe, pytest.raises(ConnectionRefusedError):
        probe.connect(("127.0.0.1", port))


def test_rounds_are_played_while_the_page_is_up(tmp_path):
    sheet, table = tmp_path / "sheet.png", tmp_path / "table.json"
    options = ("--once", "--games", 1, "--sheet", sheet, "--json", table)
    with _demo(tmp_path, *options) as process:
        _read_until(process, "The page is up")
        _read_until(process, "round 0: ")
        assert not sheet.exists()
        assert process.wait(120) == 0
    played = json.loads(table.read_text())["rounds"]
    assert set(played) == {"contrast", "paper"}
    assert all([each["round"] for each in rounds] == [0, 1, 2, 3] for rounds in played.values())
    assert sorted(each.name for each in tmp_path.iterdir()) == ["sheet.png", "table.json"]


def test_a_port_that_is_taken_is_one_sentence_and_not_somebody_elses_server(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with _demo(tmp_path, "--port", port) as process:
            out, errors = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "The page is up" not in out
    (line,) = errors.splitlines()
    assert str(port) in line


@pytest.mark.parametrize("options", [("--games", -1), ("--port", 70000)], ids=str)
def test_a_number_that_cannot_be_is_refused(tmp_path, options):
    with _demo(tmp_path, *options) as process:
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 2
    assert options[0] in errors.splitlines()[-1]
