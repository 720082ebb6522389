"""Who may see what: the store is served to nobody, and the extension adds no way in."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.payloads import payload
from tests.webui.server import StandIn

pytestmark = pytest.mark.integration

ROOT = Path(__file__).resolve().parents[2]
SECRET = ("user", "secret:word")


@pytest.fixture(scope="module")
def guarded():
    """A stand-in whose page and API want a password, with pictures in its store."""
    both = ":".join(SECRET)
    options = ["--gradio-auth", both, "--api-auth", both]
    with StandIn(extension=ROOT, options=options, auth=SECRET) as server:
        yield server


def _store_and_output(server, rated):
    """A file of the store and, so that the tests prove something, one that is served."""
    made = server.post("/sdapi/v1/txt2img", payload(rated, steps=1, save_images=True))
    assert made.status_code == 200
    kept = sorted((server.data_dir / ".fabric").rglob("*.png"))[0]
    return kept, sorted((server.data_dir / "outputs").rglob("*.png"))[0]


def _ways(server, path):
    """Addresses under which a file might be served."""
    relative = path.relative_to(server.data_dir).as_posix()
    folder = server.data_dir.as_posix()
    return [
        f"/file={path}",
        f"/file/{path}",
        f"/file={relative}",
        f"/file=./{relative}",
        f"/file=outputs/../{relative}",
        f"/file={folder}/outputs/../{relative}",
        f"/file={folder}//{relative}",
        f"/file={folder}/./{relative}",
        f"/file=%2e{relative[1:]}",
        f"/file={folder}/%2e{relative[1:]}",
        f"/file={folder}/%252e{relative[1:]}",
        f"/file={folder}/{relative.replace('/', '%2f')}",
        f"/file={folder}/{relative.replace('/', '%5c')}",
        f"/file={folder}/{relative}?x=1",
        f"/file={folder}/{relative}%00.png",
        f"/file=file://{path}",
        f"/proxy=file://{path}",
        f"/static/../{relative}",
        f"/{relative}",
    ]


def _assert_served_to_nobody(server, get, kept):
    secret = kept.read_bytes()
    for way in _ways(server, kept):
        answer = get(way)
        assert answer.status_code >= 400, way
        assert secret not in answer.content, way


def test_the_store_is_not_served(standin, rated):
    kept, output = _store_and_output(standin, rated)
    assert standin.get(f"/file={output}").content == output.read_bytes(), "or this proves nothing"
    assert standin.get(f"/file={output.relative_to(standin.data_dir)}").status_code == 200
    _assert_served_to_nobody(standin, standin.get, kept)


def test_the_store_is_not_served_to_who_is_logged_in_nor_to_others(guarded, rated):
    kept, output = _store_and_output(guarded, rated)
    guarded.client.auth = None
    try:
        assert guarded.get(f"/file={output}").status_code == 401
        _assert_served_to_nobody(guarded, guarded.get, kept)
        user, password = SECRET
        login = guarded.client.post("/login", data={"username": user, "password": password})
        assert login.status_code == 200
        assert guarded.get(f"/file={output}").content == output.read_bytes()
        _assert_served_to_nobody(guarded, guarded.get, kept)
    finally:
        guarded.client.cookies.clear()
        guarded.client.auth = SECRET


def test_the_api_wants_its_password_for_feedback_too(guarded, rated):
    request = payload(rated, steps=1)
    guarded.client.auth = None
    try:
        assert guarded.post("/sdapi/v1/txt2img", request).status_code == 401
        # The page's own events, ours among them.
        assert guarded.client.post("/run/predict", json={"data": []}).status_code == 401
        assert guarded.get("/config").status_code == 401
    finally:
        guarded.client.auth = SECRET
    assert guarded.post("/sdapi/v1/txt2img", request).status_code == 200


def test_the_extension_adds_no_route_and_no_named_event(standin):
    """Own routes would lie beside --api-auth and --gradio-auth."""

    def named(server):
        dependencies = server.get("/config").json()["dependencies"]
        return sorted(str(each["api_name"]) for each in dependencies if each["api_name"])

    with StandIn(extension=None) as without:
        routes = without.get("/standin/routes").json()
        assert len(routes) > 20
        assert standin.get("/standin/routes").json() == routes
        assert named(standin) == named(without)
