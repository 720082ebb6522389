"""Two logins and the API at one WebUI: an id opens a picture for whoever has brought it."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from tests.demo.client import WebuiClient, WebuiError
from tests.inputs.files import pixels, text_of
from tests.integration.gradio_page import GradioPage
from tests.integration.payloads import payload
from tests.webui.server import StandIn

pytestmark = pytest.mark.integration

ROOT = Path(__file__).resolve().parents[2]
PASSWORD = "secret"
SMALL = {"width": 64, "height": 64, "steps": 3, "seed": 5, "prompt": "a circle"}


@pytest.fixture(scope="module")
def server():
    logins = ",".join(f"{name}:{PASSWORD}" for name in ("alice", "bob"))
    with StandIn(extension=ROOT, options=["--gradio-auth", logins]) as server:
        yield server


@pytest.fixture(scope="module")
def alice(server):
    return GradioPage(server.url, ("alice", PASSWORD))


@pytest.fixture(scope="module")
def bob(server):
    return GradioPage(server.url, ("bob", PASSWORD))


@pytest.fixture(scope="module")
def secret(alice):
    """The id of a picture that Alice alone has."""
    told = alice.fabric("add", data=_text(1), to="liked", name="mine.png")
    return told["rated"]


def _text(number):
    return text_of(Image.fromarray(pixels(80_000 + number)))


def _ask(server, picture):
    """The API's answer to a request with this picture: what its infotext names, or a refusal."""
    try:
        made = WebuiClient(server.url).txt2img(**payload({"liked": [picture]}, steps=3))
    except WebuiError as error:
        return error.body["detail"]
    return made.infotexts[0].partition("FABRIC liked: ")[2][:16]


def test_the_owners_page_generates_with_it(alice, secret):
    plain = alice.generate(**SMALL, **{"fabric_accordion-checkbox": False})
    on = {"fabric_accordion-checkbox": True, "fabric_liked": secret[:16], "fabric_end": 1}
    steered = alice.generate(**SMALL, **on)
    assert len(steered) == len(plain) == 1
    assert steered != plain


@pytest.mark.parametrize("asked", [slice(16), slice(64)], ids=["short", "whole"])
def test_anothers_page_does_not(bob, secret, asked):
    plain = bob.generate(**SMALL, **{"fabric_accordion-checkbox": False})
    on = {"fabric_accordion-checkbox": True, "fabric_liked": secret[asked]}
    assert bob.generate(**SMALL, **on) == plain
    assert f"Picture {secret[:16]} was left out" in bob.values["html_log_txt2img"]


def test_the_api_opens_only_what_it_has_brought(server, secret):
    for asked in (secret, secret[:16]):
        assert _ask(server, asked) == (
            f"liked[0]: picture '{secret[:16]}' is no longer in the store. Rate it again."
        )
    brought = _ask(server, _text(2))
    assert len(brought) == 16
    assert _ask(server, brought) == brought


def test_a_page_does_not_open_what_the_api_has_brought(server, bob):
    brought = _ask(server, _text(3))
    told = bob.fabric("sync", liked=brought, disliked="")
    assert told["liked"] == []


def test_who_brings_anothers_picture_has_it(server, bob, secret):
    assert _ask(server, _text(1)) == secret[:16]
    assert _ask(server, secret) == secret[:16]
    assert bob.fabric("sync", liked=secret, disliked="")["liked"] == []
    bob.fabric("add", data=_text(1), to="liked", name="also mine.png")
    assert bob.fabric("sync", liked=secret[:16], disliked="")["liked"] == [secret]
