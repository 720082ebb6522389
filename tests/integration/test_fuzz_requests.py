"""A short run of random requests through the API; `make fuzz ARGS=requests` runs it for long."""

from __future__ import annotations

import pytest

from tests.fuzz.sending import send_many

pytestmark = pytest.mark.integration


def test_no_random_request_breaks_the_webui(standin, webui):
    before = standin.get("/standin/model-state").json()
    send_many(webui, examples=80, seed=5)
    assert standin.get("/standin/model-state").json() == before
