"""Pictures from a WebUI's /sdapi. Knows HTTP and Pillow; nothing of FABRIC."""

from __future__ import annotations

import base64
import io
import json
from dataclasses import dataclass
from typing import Any

import httpx
from PIL import Image


@dataclass(frozen=True)
class Generated:
    """One request's pictures, without the grid, and the infotext of each."""

    pictures: list[Image.Image]
    infotexts: list[str]


class WebuiError(Exception):
    """The WebUI answered with an error; `status` and its `body` as the API gave them."""

    def __init__(self, status: int, body: dict[str, Any]) -> None:
        super().__init__(f"{status}: {body.get('error')}: {body.get('detail') or body}")
        self.status = status
        self.body = body


class WebuiClient:
    """The API of a WebUI at an address such as http://127.0.0.1:7860."""

    def __init__(self, url: str, timeout_s: float = 600) -> None:
        self.url = url.rstrip("/")
        self._http = httpx.Client(base_url=self.url, timeout=timeout_s)

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Raises WebuiError for any status but 200."""
        return self._checked(self._http.post(path, json=body))

    def post_bytes(self, path: str, body: bytes) -> dict[str, Any]:
        """A body that may be no JSON at all. Raises WebuiError for any status but 200."""
        headers = {"Content-Type": "application/json"}
        return self._checked(self._http.post(path, content=body, headers=headers))

    def get(self, path: str) -> Any:
        """Raises WebuiError for any status but 200."""
        return self._checked(self._http.get(path))

    def txt2img(self, **payload: object) -> Generated:
        """Raises WebuiError for any status but 200."""
        return _generated(self.post("/sdapi/v1/txt2img", payload))

    def img2img(self, **payload: object) -> Generated:
        """Raises WebuiError for any status but 200."""
        return _generated(self.post("/sdapi/v1/img2img", payload))

    @staticmethod
    def _checked(response: httpx.Response) -> Any:
        if response.status_code != 200:
            try:
                body = response.json()
            except json.JSONDecodeError:
                body = {"error": "no JSON", "detail": response.text[:200]}
            raise WebuiError(response.status_code, body)
        return response.json()


def to_base64(picture: Image.Image) -> str:
    """A picture as the API takes it: a PNG in base64."""
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode()


def _generated(answer: dict[str, Any]) -> Generated:
    info = json.loads(answer["info"])
    first = info.get("index_of_first_image", 0)
    pictures = [_decode(text) for text in answer["images"][first:]]
    return Generated(pictures, info["infotexts"][first:])


def _decode(text: str) -> Image.Image:
    image = Image.open(io.BytesIO(base64.b64decode(text)))
    image.load()
    return image
