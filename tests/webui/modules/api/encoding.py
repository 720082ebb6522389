"""Pictures in requests and answers."""

from __future__ import annotations

import base64
import ipaddress
import socket
from io import BytesIO
from urllib.parse import urlparse

import requests
from fastapi.exceptions import HTTPException
from modules import images
from modules.shared import opts
from PIL import Image, PngImagePlugin


def verify_url(url: str) -> bool:
    """Whether the host name of a URL resolves to public addresses only."""
    try:
        addresses = socket.gethostbyname_ex(urlparse(url).netloc)[2]
        return all(ipaddress.ip_address(a).is_global for a in addresses)
    except (OSError, ValueError):
        return False


def decode_base64_to_image(encoding: str) -> Image.Image:
    """base64, a data URL, or a public http(s) URL. Bad data are a 500."""
    if encoding.startswith(("http://", "https://")):
        return _download(encoding)
    if encoding.startswith("data:image/"):
        encoding = encoding.split(";")[1].split(",")[1]
    try:
        return images.read(BytesIO(base64.b64decode(encoding)))
    except Exception as e:
        raise HTTPException(status_code=500, detail="Invalid encoded image") from e


def _download(url: str) -> Image.Image:
    if not opts.api_enable_requests:
        raise HTTPException(status_code=500, detail="Requests not allowed")
    if opts.api_forbid_local_requests and not verify_url(url):
        raise HTTPException(status_code=500, detail="Request to local resource not allowed")
    headers = {"user-agent": opts.api_useragent} if opts.api_useragent else {}
    response = requests.get(url, timeout=30, headers=headers)
    try:
        return images.read(BytesIO(response.content))
    except Exception as e:
        raise HTTPException(status_code=500, detail="Invalid image url") from e


def encode_pil_to_base64(image: Image.Image | str) -> bytes | str:
    """A PNG (or what the setting says) with the picture's texts."""
    if isinstance(image, str):
        return image
    kind = opts.samples_format.lower()
    buffer = BytesIO()
    if kind == "png":
        texts = PngImagePlugin.PngInfo()
        for key, value in image.info.items():
            if isinstance(key, str) and isinstance(value, str):
                texts.add_text(key, value)
        image.save(buffer, format="PNG", pnginfo=texts)
    elif kind in ("jpg", "jpeg", "webp"):
        name = "WEBP" if kind == "webp" else "JPEG"
        image.convert("RGB").save(buffer, format=name, quality=opts.jpeg_quality)
    else:
        raise HTTPException(status_code=500, detail="Invalid image format")
    return base64.b64encode(buffer.getvalue())
