"""A mixed load through the API of the stand-in for a long time, and its memory meanwhile.

Memory is looked at while nobody asks for anything and no reference states are kept: these come and
go by tens of MB whenever a fault switches the model, which would hide a leak, or look like one.
"""

from __future__ import annotations

import contextlib
import random
import threading
import time
from collections import Counter, defaultdict
from statistics import mean

from PIL import Image

from tests.demo.client import WebuiClient, WebuiError
from tests.helpers.commands import ROOT, say
from tests.inputs.bad import BAD_INPUTS
from tests.inputs.files import pixels, text_of
from tests.inputs.good import bring_pictures, good_inputs
from tests.integration.payloads import payload
from tests.webui.server import StandIn

REST_SECONDS = 30
NUM_PICTURES = 40
# Small, so that it is full long before the end.
KEPT_STATES_MB = 64
WARM_SHARE = 0.25
MAX_GROWTH = 0.03
SIZES = [64, 72, 96]
FAULTS = [
    f"{place}:{n}"
    for place, most in {"encoder": 3, "denoiser": 4, "unet": 20, "attention": 60, "text": 3}.items()
    for n in range(1, most)
]
EXPECTED_ERRORS = ("stand-in fault", "out of memory")


class Soak:
    """Clients that ask for this and that until the time is up."""

    def __init__(self, standin: StandIn, seconds: float, seed: int) -> None:
        self._standin = standin
        self._end = time.monotonic() + seconds
        self._seed = seed
        # Closed while memory is looked at.
        self._is_open = threading.Event()
        self._is_open.set()
        self._pictures = [
            text_of(Image.fromarray(pixels(80_000 + i, 64, 80))) for i in range(NUM_PICTURES)
        ]
        self._good = [each for each in good_inputs() if "million" not in each.name]
        self._bad = [each for each in BAD_INPUTS if each.reaches_us]
        self.statuses: Counter[str] = Counter()
        self.unexpected: list[str] = []
        # Samples of what the stand-in says of its memory, by its names.
        self.memory: dict[str, list[float]] = defaultdict(list)

    def run(self, num_clients: int) -> None:
        """Until the time is up."""
        busy = [threading.Lock() for _ in range(num_clients)]
        threads = [
            threading.Thread(target=self._ask, args=(random.Random(self._seed + i), lock))
            for i, lock in enumerate(busy)
        ]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            self._look(busy)
            time.sleep(REST_SECONDS)

    def _look(self, busy: list[threading.Lock]) -> None:
        """Lets everybody's request end, lets the kept states go and samples the memory."""
        webui = WebuiClient(self._standin.url)
        self._is_open.clear()
        with contextlib.ExitStack() as stack:
            for each in busy:
                stack.enter_context(each)
            webui.post("/standin/fault", {"at": None})
            webui.post("/sdapi/v1/options", {"fabric_keep_states": "Off"})
            webui.txt2img(**payload({"liked": self._pictures[:2]}, steps=2))
            webui.post("/sdapi/v1/options", {"fabric_keep_states": "RAM"})
            for name, value in webui.get("/standin/memory").items():
                self.memory[name].append(value)
        self._is_open.set()

    def _ask(self, rng: random.Random, busy: threading.Lock) -> None:
        webui = WebuiClient(self._standin.url)
        while time.monotonic() < self._end:
            self._is_open.wait()
            with busy:
                self._ask_once(webui, rng)

    def _ask_once(self, webui: WebuiClient, rng: random.Random) -> None:
        if rng.random() < 0.05:
            kind = rng.choice(["error", "oom", "interrupt", "skip", "switch"])
            webui.post("/standin/fault", {"at": rng.choice(FAULTS), "kind": kind})
        name, request = self._request(rng)
        try:
            webui.txt2img(**request)
            status = 200
        except WebuiError as error:
            status = error.status
            self._judge(name, error)
        self.statuses[f"{name} {status}"] += 1

    def _judge(self, name: str, error: WebuiError) -> None:
        is_refusal = error.status == 422 and error.body.get("error") == "FabricError"
        told = f"{error.body.get('detail')} {error.body.get('errors')}"
        is_fault = error.status == 500 and any(text in told for text in EXPECTED_ERRORS)
        if not is_fault and not (is_refusal and name == "bad"):
            self.unexpected.append(f"{name}: {error}")

    def _request(self, rng: random.Random) -> tuple[str, dict]:
        name = rng.choices(["steered", "plain", "bad", "good"], [6, 2, 2, 1])[0]
        changes = {
            "steps": rng.randint(1, 6),
            "seed": rng.randint(0, 999),
            "width": rng.choice(SIZES),
            "height": rng.choice(SIZES),
            "batch_size": rng.choice([1, 1, 2]),
            "sampler_name": rng.choice(["Euler a", "DDIM", "DPM++ 2M"]),
        }
        if rng.random() < 0.1:
            changes |= {"enable_hr": True, "hr_scale": 1.5, "denoising_strength": 0.7}
        if name == "plain":
            return name, payload(**changes)
        if name == "steered":
            fabric = {
                "liked": rng.choices(self._pictures, k=rng.randint(0, 3)),
                "disliked": rng.choices(self._pictures, k=rng.randint(0, 2)),
                "hires": rng.random() < 0.5,
            }
            return name, payload(fabric, **changes)
        given = rng.choice(self._bad if name == "bad" else self._good)
        request = payload(**{**changes, "steps": 1})
        request["alwayson_scripts"] = {"FABRIC": {"args": given.arguments}}
        return name, request


def soak(minutes: float, num_clients: int, seed: int) -> int:
    """Prints what came of it; returns 0 if nothing unexpected happened and memory stayed flat."""
    with StandIn(extension=ROOT) as standin:
        webui = WebuiClient(standin.url)
        webui.post("/sdapi/v1/options", {"fabric_keep_states_mb": KEPT_STATES_MB})
        request = payload(steps=1)
        request["alwayson_scripts"] = {"FABRIC": {"args": bring_pictures()}}
        webui.txt2img(**request)
        plain = webui.txt2img(**payload()).pictures[0].tobytes()
        model = webui.get("/standin/model-state")
        load = Soak(standin, minutes * 60, seed)
        load.run(num_clients)
        webui.post("/standin/fault", {"at": None})
        is_same = webui.txt2img(**payload()).pictures[0].tobytes() == plain
        is_clean = webui.get("/standin/model-state") == model
    return _report(load, is_same, is_clean)


def _report(load: Soak, is_same: bool, is_clean: bool) -> int:
    for status, count in sorted(load.statuses.items()):
        say(f"{count:6} {status}")
    growths = {name: _growth(name, values) for name, values in load.memory.items()}
    say(
        f"plain picture the same: {is_same}; model clean: {is_clean}; "
        f"unexpected answers: {len(load.unexpected)}"
    )
    for told in load.unexpected[:10]:
        say(told)
    is_flat = all(growth <= MAX_GROWTH for growth in growths.values())
    return int(bool(load.unexpected) or not is_flat or not is_same or not is_clean)


def _growth(name: str, values: list[float]) -> float:
    """How much more there is at the end than after the warm-up, as a share; prints the curve."""
    warm_from = int(len(values) * WARM_SHARE)
    part = max(1, (len(values) - warm_from) // 4)
    warm, end = mean(values[warm_from : warm_from + part]), mean(values[-part:])
    growth = end / warm - 1
    every = max(1, len(values) // 20)
    say(f"{name}: {' '.join(f'{value:.0f}' for value in values[::every])}")
    told = f"after the warm-up {warm:.0f}, end {end:.0f} ({growth:+.1%})"
    say(f"{name}: start {values[0]:.0f}, {told}")
    return growth
