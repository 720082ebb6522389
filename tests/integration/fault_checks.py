"""The four checks after anything that went wrong: the user was told, the model is as it was, the
next pictures are bit-identical, and what was rated is still there."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from PIL import Image

from tests.demo.client import WebuiClient, WebuiError
from tests.inputs.files import pixels, text_of
from tests.integration.payloads import assert_same, payload
from tests.webui.server import StandIn

STEPS = 3


def fault_request(fabric: dict[str, Any] | None = None, **changes: object) -> dict[str, Any]:
    """Three denoiser calls of one U-Net call each."""
    return payload(fabric, **{"steps": STEPS, "sampler_name": "Euler", **changes})


def fresh_ratings(seed: int) -> dict[str, Any]:
    """Two liked pictures and a disliked one that no cache knows, at work in every step.

    By the paper's method, where every step needs all of them.
    """
    texts = [text_of(Image.fromarray(pixels(1000 + 3 * seed + i))) for i in range(3)]
    return {"liked": texts[:2], "disliked": texts[2:], "end": 1, "method": "paper"}


def kept_files(data_dir: Path) -> dict[str, bytes]:
    """Every picture of the store by its name."""
    return {path.name: path.read_bytes() for path in (data_dir / ".fabric").rglob("*.png")}


class Unharmed:
    """What must be the same before and after."""

    def __init__(self, standin: StandIn, webui: WebuiClient, rated: dict[str, Any]) -> None:
        self._standin = standin
        self._webui = webui
        self._steered = fault_request({**rated, "end": 1})
        self._plain_pictures = webui.txt2img(**fault_request()).pictures
        self._steered_pictures = webui.txt2img(**self._steered).pictures
        self._model = self._look()

    def _look(self) -> dict[str, Any]:
        return self._standin.get("/standin/model-state").json()

    @contextlib.contextmanager
    def after(self) -> Iterator[None]:
        """Checks all but what the user was told, after the block."""
        kept = kept_files(self._standin.data_dir)
        try:
            yield
        finally:
            left = self._standin.get("/standin/models-left").json()
            self._standin.post("/standin/fault", {"at": None})
        plain = self._webui.txt2img(**fault_request()).pictures
        assert self._look() == self._model
        for model in left:
            assert model == self._model, "a model that is no longer in use"
        assert_same(self._plain_pictures, plain, 0)
        assert_same(self._steered_pictures, self._webui.txt2img(**self._steered).pictures, 0)
        assert self._look() == self._model
        now = kept_files(self._standin.data_dir)
        assert {name: now.get(name) for name in kept} == kept


def failure(webui: WebuiClient, request: dict[str, Any]) -> tuple[int, str] | None:
    """Status and sentence of a request that fails; None if it does not."""
    try:
        webui.txt2img(**request)
    except WebuiError as error:
        return error.status, error.body["detail"] or error.body["errors"]
    return None
