"""The parts of the benchmark that need a WebUI: they measure it, leave it alone, say why not."""

from __future__ import annotations

import argparse

import pytest
import torch

from tests.bench import disabled, webui
from tests.bench.disabled import ROOT, SWITCH
from tests.bench.measure import Effort
from tests.webui.server import StandIn, free_port

pytestmark = pytest.mark.integration

ONCE = Effort(repeats=1, seconds=0)


def run(part, url, **settings):
    wanted = {"references": [1], "batches": [1], "size": 64, "steps": 2, "sampler": "Euler"}
    wanted |= {"method": "paper", "webui": url} | settings
    return part.run(argparse.Namespace(**wanted), torch.device("cpu"), torch.float32, ONCE)


def files(folder):
    return sorted(path for path in folder.rglob("*.png") if ".fabric" not in path.parts)


def test_a_webui_is_measured_and_left_as_it_was(standin, capsys):
    options, outputs = standin.get("/sdapi/v1/options").json(), files(standin.data_dir)
    (row,) = run(webui, standin.url)
    assert {name: len(times) for name, times in row["seconds"].items()} == {
        "plain": 1, "cold": 1, "warm": 1,
    }  # fmt: skip
    assert "states kept: RAM" in capsys.readouterr().out
    assert standin.get("/sdapi/v1/options").json() == options
    assert files(standin.data_dir) == outputs


def test_cold_computes_references_and_warm_takes_the_kept_ones(standin, monkeypatch):
    rows = {}
    run_request = webui.Requests.generate

    def generate(requests, batch_size, feedback):
        standin.post("/standin/unet-calls")
        run_request(requests, batch_size, feedback)
        rows.setdefault(feedback is None, []).append(
            sum(call["x"][0] for call in standin.get("/standin/unet-calls").json())
        )

    monkeypatch.setattr(webui.Requests, "generate", generate)
    run(webui, standin.url, references=[3], steps=3)
    (plain, *_), (cold, warm) = rows[True], rows[False]
    assert plain < warm < cold


def test_nobody_there():
    url = f"http://127.0.0.1:{free_port()}"
    with pytest.raises(webui.WebuiError, match=f"No answer from {url}"):
        run(webui, url)


def test_no_address():
    with pytest.raises(webui.WebuiError, match="Name the WebUI: --webui"):
        run(webui, None)


def test_a_webui_without_fabric():
    with StandIn(random_model=True) as host:
        with pytest.raises(webui.WebuiError, match="not installed in the WebUI at"):
            run(webui, host.url)
        with pytest.raises(webui.WebuiError, match="among its extensions"):
            run(disabled, host.url)


def test_what_the_webui_refuses_is_told(standin):
    with pytest.raises(webui.WebuiError, match="refused a request: 422"):
        run(webui, standin.url, method="magic")


@pytest.fixture(scope="module")
def switchable():
    """A stand-in from which FABRIC can be taken out."""
    with StandIn(extension=[ROOT, SWITCH]) as host:
        yield host


def test_the_switch_takes_fabric_out_and_puts_it_back(switchable, rated):
    def is_steered():
        scripts = {"FABRIC": {"args": [{"liked": rated["liked"], "strength": 1.5}]}}
        request = {"steps": 1, "width": 64, "height": 64, "alwayson_scripts": scripts}
        return "FABRIC strength" in switchable.post("/sdapi/v1/txt2img", request).text

    def install(is_installed):
        body = {"is_installed": is_installed}
        return switchable.post("/fabric-bench/installed", body).json()["entries"]

    # A script for each tab, and two callbacks.
    assert install(False) == 4
    assert not is_steered()
    assert install(True) == 0
    assert is_steered()


def test_the_disabled_extension_is_measured(switchable, capsys):
    (found,) = run(disabled, switchable.url)
    assert found["costs"]["callbacks"] == 2
    assert 0 < found["costs"]["denoiser_call_us"] < found["costs"]["request_us"]
    assert {name: len(times) for name, times in found["seconds"].items()} == {
        "off": 1, "taken out": 1,
    }  # fmt: skip
    assert "the pictures are the same" in capsys.readouterr().out
