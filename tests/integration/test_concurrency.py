"""Several clients at once: every one gets what it would have got alone, bit for bit."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor

import pytest
from PIL import Image

from tests.demo.client import WebuiClient, WebuiError
from tests.inputs.files import pixels, short_id, text_of
from tests.integration.payloads import payload

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
    url = str(webui._http.base_url)
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
