"""Several pages and API clients at once: every one gets what it would have got alone, bit for bit.

Pages are those of gradio's own protocol, with sessions and logins, and press what a person presses.
"""

from __future__ import annotations

import itertools
import random
import re
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest
from PIL import Image

from tests.demo.client import WebuiClient, WebuiError
from tests.inputs.files import pixels, short_id, text_of
from tests.integration.gradio_page import GradioPage
from tests.integration.payloads import payload
from tests.webui.server import StandIn

pytestmark = pytest.mark.integration

NUM_CLIENTS = 4
VARIANTS = [
    {},
    {"width": 96},
    {"batch_size": 2},
    {"sampler_name": "DDIM"},
    {"enable_hr": True, "hr_scale": 1.5, "denoising_strength": 0.7},
]


def _pictures(client):
    """Three that nobody else has."""
    return [pixels(40_000 + 10 * client + i) for i in range(3)]


def _names(client):
    """What infotext calls them."""
    return [short_id(rgb) for rgb in _pictures(client)]


def _requests(client):
    """One client's requests: its own pictures and settings, some plain, some refused."""
    rng = random.Random(client)
    pictures = [text_of(Image.fromarray(rgb)) for rgb in _pictures(client)]
    for index, changes in enumerate(VARIANTS):
        fabric = {
            "liked": pictures[: rng.randint(1, 2)],
            "disliked": pictures[2:] * rng.randint(0, 1),
            "strength": rng.choice([0.5, 1, 1.5]),
            "end": rng.choice([0.6, 1]),
            "hires": rng.random() < 0.5,
        }
        yield payload(fabric, steps=4, seed=1000 * client + index, **changes)
    yield payload(steps=4, seed=client)
    yield payload({"liked": [*pictures, f"no picture of {client}"]}, seed=client)


def _answer(webui, request):
    """Everything that a client sees."""
    try:
        made = webui.txt2img(**request)
    except WebuiError as error:
        return error.status, error.body["detail"]
    return [picture.tobytes() for picture in made.pictures], made.infotexts


def test_clients_at_once_get_what_each_gets_alone(webui):
    url = webui.url
    jobs = [(client, request) for client in range(NUM_CLIENTS) for request in _requests(client)]
    alone = [_answer(webui, request) for _, request in jobs]
    order = list(range(len(jobs)))
    random.Random(0).shuffle(order)

    def run(index):
        return index, _answer(WebuiClient(url), jobs[index][1])

    with ThreadPoolExecutor(NUM_CLIENTS) as pool:
        together = dict(pool.map(run, order))
    assert [together[index] for index in range(len(jobs))] == alone
    for index, (client, _) in enumerate(jobs):
        told = repr(together[index][1])
        for other in set(range(NUM_CLIENTS)) - {client}:
            assert not any(name in told for name in _names(other))
    assert all(any(name in repr(together[i][1]) for name in _names(0)) for i in range(2))


# ---- pages ---------------------------------------------------------------------------------------

ROOT = Path(__file__).resolve().parents[2]
PASSWORD = "secret"
# Who has a page open; "eve" two, in two browsers.
PEOPLE = ("ada", "bob", "cleo", "eve", "eve")
SHARED = "eve"
NUM_API_CLIENTS = 3
UNKNOWN_ID = "0123456789abcdef"
OWN_VALUES = [
    *("liked", "disliked", "counts", "note", "accordion-checkbox", "strength", "end"),
    *("negative_scale", "method", "min_strength"),
]
PANELS = ["history", "presets"]
_CHANGING = re.compile(
    r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d(:\d\d)?"
    r"|<div class='performance'>.*|(after|rated_at)\\*\": [\d.]+"
)
_ID = re.compile(r'data-id="([0-9a-f]{64})"')


@pytest.fixture(scope="module")
def crowded():
    """A stand-in where everybody has a login, and a second one to be there alone."""
    logins = {f"{name}{alone}:{PASSWORD}" for name in PEOPLE for alone in ("", "-alone")}
    with StandIn(extension=ROOT, options=["--gradio-auth", ",".join(sorted(logins))]) as server:
        yield server


class _Visit:
    """All that one person does on one page; `seen` is everything that the page then shows."""

    def __init__(self, url, number, alone=""):
        self.name = PEOPLE[number]
        self.page = GradioPage(url, (self.name + alone, PASSWORD))
        self.height = 64 + 8 * number
        self._number = number
        # What the two of one login share is looked at in the end.
        self._shown = OWN_VALUES + PANELS * (self.name != SHARED)
        self.seen = []
        self.rated = []
        self.generations = 0

    def run(self):
        self._look_around()
        self._generate(steps=2, batch_size=2)
        for index, verdict in ((1, "liked"), (2, "disliked")):
            self.rated.append(self._press("rate", index=index, to=verdict)["rated"])
        self._press("weigh", picture_id=self.rated[0], weight=0.25 * (1 + self._number))
        strength = 0.25 * (2 + self._number)
        self._generate(batch_size=1, fabric_strength=strength, fabric_end=1 - 0.1 * self._number)
        own = text_of(Image.fromarray(pixels(60_000 + self._number)))
        self.rated.append(self._press("add", data=own, to="liked", name="own.png")["rated"])
        self._press("add", data=own[:400], to="liked", name=f"cut by {self._number}.png")
        preset = f"Mine {self._number}" if self.name == SHARED else "Mine"
        self._press("save", name=preset)
        self._generate(fabric_liked=UNKNOWN_ID + f"*0.{self._number}5")
        # The browser comes back, with what it had.
        self.page = self.page.reopened()
        self._press("open")
        self._press("clear", to="liked")
        self._press("load", name=preset)
        self._generate(steps=3)
        self._press("open", tab="img2img")
        self._press("add", tab="img2img", data=own, to="disliked", name="own.png")
        self._press("history")
        return self

    def _look_around(self):
        self.page.set(txt2img_height=self.height, txt2img_width=64, txt2img_prompt="a circle")
        self.seen.append({name: self.page.values[name] for name in self._names("txt2img")})

    def _generate(self, **settings):
        self.page.set(txt2img_height=self.height, txt2img_width=64, txt2img_prompt="a circle")
        self.generations += 1
        made = self.page.generate(seed=1000 * self._number + self.generations, **settings)
        values = self.page.values
        told = values["html_info_txt2img"], values["html_log_txt2img"]
        self.seen.append((made, *(_CHANGING.sub("", each) for each in told)))

    def _press(self, do, tab="txt2img", **given):
        told = self.page.fabric(do, tab, shows_history=True, **given)
        told["change"] = _CHANGING.sub("", told["change"])
        values = self.page.values
        shown = {
            name: values[name] for each in ("txt2img", "img2img") for name in self._names(each)
        }
        self.seen.append((told, {name: _CHANGING.sub("", str(shown[name])) for name in shown}))
        return told

    def _names(self, tab):
        return [f"{tab}_fabric_{name}" for name in self._shown]


def _api_requests(client):
    """Each with its own pictures, settings and height; the last is refused."""
    height = 64 + 8 * (len(PEOPLE) + client)
    own = [text_of(Image.fromarray(rgb)) for rgb in _pictures(100 + client)]
    fabric = {"liked": own[:2], "disliked": own[2:], "strength": 0.5 + 0.5 * client, "end": 1}
    for index in range(4):
        yield payload(fabric, height=height, steps=3, seed=100 * client + index)
    yield payload({"liked": [f"no picture of {client}"]}, height=height)


def _ask_api(url, client):
    webui = WebuiClient(url)
    return [_answer(webui, request) for request in _api_requests(client)]


def _all_at_once(jobs):
    """Runs every job in a thread of its own, none before all are ready."""
    ready = Barrier(len(jobs))

    def run(job):
        ready.wait(600)
        return job()

    with ThreadPoolExecutor(len(jobs)) as pool:
        return [each.result() for each in [pool.submit(run, job) for job in jobs]]


def test_pages_and_api_clients_at_once_get_what_each_gets_alone(crowded):
    url = crowded.url
    alone = [_Visit(url, number, "-alone").run() for number in range(len(PEOPLE))]
    alone_api = [_ask_api(url, client) for client in range(NUM_API_CLIENTS)]
    visits = [_Visit(url, number) for number in range(len(PEOPLE))]
    crowded.post("/standin/unet-calls")
    clients = [lambda client=client: _ask_api(url, client) for client in range(NUM_API_CLIENTS)]
    told_api = _all_at_once([*(visit.run for visit in visits), *clients])[len(visits) :]
    assert told_api == alone_api
    for visit, same in zip(visits, alone, strict=True):
        for step, (seen, expected) in enumerate(zip(visit.seen, same.seen, strict=True)):
            assert seen == expected, f"{visit.name}, step {step}"
        assert len({*visit.rated}) == 3, "or this proves nothing"
        assert UNKNOWN_ID in repr(visit.seen)
    _assert_one_at_a_time(crowded, visits)
    _assert_histories(visits)


def _assert_one_at_a_time(server, visits):
    """Whoever asked can be told by the height: no generation began inside another one."""
    calls = server.get("/standin/unet-calls").json()
    heights = [key for key, _ in itertools.groupby(8 * each["x"][2] for each in calls)]
    most = {visit.height: visit.generations for visit in visits}
    most |= {64 + 8 * (len(PEOPLE) + client): 4 for client in range(NUM_API_CLIENTS)}
    began = Counter(heights)
    assert began.keys() == most.keys()
    assert all(began[height] <= most[height] for height in most), began
    assert len(heights) > len(most), "nobody ever came between: this proves nothing"


def _assert_histories(visits):
    """One history for each login and tab: of two pages that share one, what both have rated."""
    for visit in visits:
        own = [each for each in visits if each.name == visit.name]
        visit.page.fabric("history", shows_history=True)
        shown = _ID.findall(visit.page.values["txt2img_fabric_history"])
        assert sorted(shown) == sorted(picture for each in own for picture in each.rated)
