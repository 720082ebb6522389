"""The stand-in behaves like the host where the extension can tell: order, rows, errors."""

import base64
import io
import json
import threading
import time

import numpy as np
import pytest
from PIL import Image

from tests.webui.server import LAUNCH, StandIn

pytestmark = pytest.mark.integration

CONTRACT = json.loads((LAUNCH.parent / "contract.json").read_text(encoding="utf8"))
REQUEST = {"prompt": "a circle", "width": 64, "height": 96, "steps": 3, "seed": 7}
REQUEST["sampler_name"] = "Euler a"
LONG = "blue " * 80
BATCH = ["before_process_batch", "after_extra_networks_activate", "process_batch"]
PICTURE = ["postprocess_image", "postprocess_maskoverlay", "postprocess_image_after_composite"]


@pytest.fixture(scope="module")
def host():
    """The stand-in with untrained weights and the probe."""
    with StandIn(extension=LAUNCH.parent / "probe", random_model=True) as server:
        yield server


@pytest.fixture
def probe(host):
    """Runs a request and returns (answer, names of what was called, the calls themselves)."""

    def run(route="txt2img", raise_in="", **fields):
        host.get("/probe/events")
        host.post("/standin/unet-calls")
        scripts = {"Probe": {"args": [raise_in]}}
        answer = host.post(f"/sdapi/v1/{route}", {**REQUEST, "alwayson_scripts": scripts, **fields})
        events = host.get("/probe/events").json()
        return answer, [event[0] for event in events], events

    return run


def pictures(answer):
    assert answer.status_code == 200, answer.text
    return [
        np.array(Image.open(io.BytesIO(base64.b64decode(text)))).astype(int)
        for text in answer.json()["images"]
    ]


def unet_rows(host):
    """Per U-Net call: rows and text tokens."""
    return [(call["x"][0], call["context"][1]) for call in host.get("/standin/unet-calls").json()]


def without_denoising(names):
    """The calls, without those of each denoiser call."""
    return [name for name in names if not name.startswith("cfg_")]


def test_hooks_are_called_in_the_hosts_order(probe):
    _, names, events = probe(batch_size=2, n_iter=2)
    per_batch = [
        *BATCH,
        "process_before_every_sampling",
        *["post_sample", "postprocess_batch", "postprocess_batch_list", *PICTURE, *PICTURE],
    ]
    expected = ["setup", "before_process", "process", *per_batch, *per_batch, "postprocess"]
    assert without_denoising(names) == expected
    assert ["process_before_every_sampling", "c", "noise", "uc", "x"] in events
    assert ["process_batch", "batch_number", "prompts", "seeds", "subseeds"] in events


def test_hires_fix_calls_its_hooks_between_the_passes(probe):
    _, names, events = probe(enable_hr=True, hr_scale=1.5, denoising_strength=0.7)
    first = names.index("process_before_every_sampling")
    second = names.index("before_hr")
    between = without_denoising(names[first + 1 : second])
    assert between == ["after_extra_networks_activate"]
    assert names[second + 1] == "process_before_every_sampling"
    assert events[second][1] == "hires"


def test_every_denoiser_call_has_its_three_callbacks(probe):
    _, names, _ = probe()
    denoising = [name for name in names if name.startswith("cfg_")]
    assert denoising == ["cfg_denoiser", "cfg_denoised", "cfg_after_cfg"] * REQUEST["steps"]


def test_timestep_samplers_give_the_timestep_as_sigma(probe):
    _, _, events = probe(sampler_name="DDIM")
    denoisers = [event for event in events if event[0] == "cfg_denoiser"]
    assert {event[2] for event in denoisers} == {"CFGDenoiserTimesteps"}
    assert denoisers[0][3] == 999  # of 1, 334, 667, 999: stops of 333


@pytest.mark.parametrize(
    ("fields", "rows"),
    [
        ({"batch_size": 2}, [(4, 77)]),
        ({"batch_size": 2, "prompt": "a AND b:0.5 AND c"}, [(8, 77)]),
        ({"prompt": LONG}, [(1, 154), (1, 77)]),
        ({"negative_prompt": LONG, "batch_size": 3}, [(3, 77), (3, 154)]),
        ({"prompt": f"a AND b AND {LONG}", "batch_size": 2}, [(4, 154), (2, 154), (2, 77)]),
    ],
)
def test_rows_of_the_unet_calls(host, probe, fields, rows):
    probe(**fields)
    assert unet_rows(host) == rows * REQUEST["steps"]


@pytest.mark.parametrize(
    ("fields", "rows"),
    [
        ({"batch_size": 2}, [(2, 77)] * 2),
        ({"batch_size": 2, "prompt": "a AND b AND c"}, [(2, 77)] * 4),
        ({"prompt": LONG, "batch_size": 2}, [(2, 154), (2, 77)]),
    ],
)
def test_rows_when_the_two_parts_are_run_separately(host, probe, fields, rows):
    probe(override_settings={"batch_cond_uncond": False}, **fields)
    assert unet_rows(host) == rows * REQUEST["steps"]


def test_skipped_uncond_rows(host, probe):
    answer, _, _ = probe(s_min_uncond=100.0)
    assert [rows for rows, _ in unet_rows(host)] == [2, 1, 2]  # odd steps only
    assert "NGMS: 100.0" in answer.json()["info"]
    probe(override_settings={"skip_early_cond": 0.4})
    assert [rows for rows, _ in unet_rows(host)] == [1, 1, 2]


SAMPLERS = ["Euler a", "Euler", "Heun", "DPM2", "DPM++ 2M", "DPM++ SDE", "LMS", "DDIM", "PLMS"]


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_a_picture_of_a_batch_equals_the_picture_made_alone(probe, sampler):
    batch = pictures(probe(sampler_name=sampler, batch_size=2)[0])
    alone = pictures(probe(sampler_name=sampler, seed=REQUEST["seed"] + 1)[0])
    assert batch[1].shape == (96, 64, 3)
    assert np.abs(batch[1] - alone[0]).max() <= 1


def test_sizes_that_no_level_halves_evenly(host, probe):
    answer, _, _ = probe(width=72, height=88)
    assert pictures(answer)[0].shape == (88, 72, 3)
    assert host.get("/standin/unet-calls").json()[0]["x"] == [2, 4, 11, 9]


def test_batch_count_equals_two_requests(probe):
    count = pictures(probe(n_iter=2)[0])
    second = pictures(probe(seed=REQUEST["seed"] + 1)[0])
    assert np.array_equal(count[1], second[0])


def test_exceptions_in_hooks_are_swallowed(host, probe):
    good = pictures(probe()[0])
    for hook in ("process", "process_batch", "postprocess_image"):
        answer, _, _ = probe(raise_in=hook)
        assert np.array_equal(pictures(answer)[0], good[0])
        assert f"ValueError: probe in {hook}" in host.log()


def test_a_fault_in_the_unet_is_an_answer_500_and_gone_afterwards(host, probe):
    before = pictures(probe()[0])
    state = host.get("/standin/model-state").json()
    host.post("/standin/fault", {"at": "unet:2"})
    answer, names, _ = probe()
    assert answer.status_code == 500
    assert answer.json() == {
        "error": "RuntimeError",
        "detail": "",
        "body": "",
        "errors": "stand-in fault inside the U-Net",
    }
    assert "postprocess" not in names
    assert np.array_equal(pictures(probe()[0])[0], before[0])
    assert host.get("/standin/model-state").json() == state


def test_refusals_of_the_api(host):
    def ask(**fields):
        answer = host.post("/sdapi/v1/txt2img", {**REQUEST, **fields})
        return answer.status_code, answer.json()["detail"]

    assert ask(alwayson_scripts={"nope": {}}) == (422, "Script 'nope' not found")
    assert ask(script_name="nope") == (422, "Script 'nope' not found")
    answer = host.post("/sdapi/v1/img2img", {**REQUEST, "init_images": ["zzz"]})
    assert answer.status_code == 500
    assert answer.json()["detail"] == "Invalid encoded image"


def test_an_interrupt_gives_what_there_is(host, probe):
    done = {}

    def run():
        done["answer"], done["names"], _ = probe(steps=150, n_iter=2)

    host.post("/standin/unet-calls")
    thread = threading.Thread(target=run)
    thread.start()
    while not host.get("/standin/unet-calls").json():
        time.sleep(0.02)
    host.post("/sdapi/v1/interrupt")
    thread.join()
    assert len(pictures(done["answer"])) == 1
    assert "postprocess" in done["names"]


def test_img2img_takes_pictures_and_masks(probe):
    source = probe()[0].json()["images"][0]
    answer, names, _ = probe("img2img", init_images=[source], denoising_strength=0.5)
    assert pictures(answer)[0].shape == (96, 64, 3)
    assert names.count("cfg_denoiser") == 2  # int(0.5 * 3) + 1
    half = Image.new("L", (64, 96), 0)
    half.paste(255, (0, 0, 64, 48))
    buffer = io.BytesIO()
    half.save(buffer, "PNG")
    mask = base64.b64encode(buffer.getvalue()).decode()
    fields = {"init_images": [source], "mask": mask, "mask_blur": 0}
    masked = pictures(probe("img2img", **fields)[0])[0]
    original = np.array(Image.open(io.BytesIO(base64.b64decode(source)))).astype(int)
    assert np.abs(masked[60:] - original[60:]).max() <= 1
    assert np.abs(masked[:40] - original[:40]).max() > 20


def test_another_checkpoint_reuses_the_modules_and_hires_may_change_it(host, probe):
    first = host.get("/standin/model-state").json()["weights"]
    answer, _, _ = probe(enable_hr=True, hr_checkpoint_name="random-weights-2", hr_scale=1.5)
    assert "Hires checkpoint: random-weights-2" in json.loads(answer.json()["info"])["infotexts"][0]
    # the next job goes back to the one that is set
    probe()
    assert host.get("/standin/model-state").json()["weights"] == first


def test_the_attention_setting_replaces_forward_on_the_class(host, probe):
    base = pictures(probe()[0])[0]
    try:
        for name, forward in (
            ("None", "attention_CrossAttention_forward"),
            ("sdp - scaled dot product", "scaled_dot_product_attention_forward"),
            ("sub-quadratic", "sub_quad_attention_forward"),
            ("InvokeAI", "split_cross_attention_forward_invokeAI"),
        ):
            host.post("/sdapi/v1/options", {"cross_attention_optimization": name})
            assert host.get("/standin/model-state").json()["attention_forward"] == [forward]
            assert np.abs(pictures(probe()[0])[0] - base).max() <= 2
    finally:
        host.post("/sdapi/v1/options", {"cross_attention_optimization": "Automatic"})


def test_the_page_has_the_hosts_element_ids(host):
    components = host.get("/config").json()["components"]
    ids = {component["props"].get("elem_id") for component in components}
    expected = {
        i.replace("{tab}", t) for i in CONTRACT["element_ids"] for t in ("txt2img", "img2img")
    }
    assert expected - ids == set()


def test_reload_ui_loads_scripts_again(host, probe):
    host.get("/probe/events")
    host.reload_ui()
    # the events of the old module are gone with it: its globals are new
    names = [event[0] for event in host.get("/probe/events").json()]
    assert names.count("ui") == 6  # the page and, for the API, twice more, in two tabs
    assert pictures(probe()[0])


def test_basedir_is_the_extensions_only_while_it_is_loaded(host):
    host.reload_ui()
    ui_calls = [event for event in host.get("/probe/events").json() if event[0] == "ui"]
    assert {same for _, _, same in ui_calls} == {False}
