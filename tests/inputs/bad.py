"""Bad inputs: what each request gets told. One table for `parse_arguments` and for the API."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from PIL import Image

from tests.inputs.files import (
    bomb,
    interlaced,
    pixels,
    png,
    text_of,
    to_file,
    to_text,
)

POSITIONS = [
    "enabled", "liked", "disliked", "strength", "min_strength", "start", "end", "negative_scale",
    "hires", "method", "merge", "max_tokens", "refresh",
]  # fmt: skip
_KNOWN = ", ".join(POSITIONS)
_FIELDS = ", ".join([*POSITIONS, "preset", "keep"])


@dataclass(frozen=True)
class BadInput:
    """Arguments of the script and the sentence that they get, with status 422.

    Attributes:
        reaches_us: False where the WebUI's API cuts the arguments off itself.
    """

    arguments: list[Any]
    sentence: str
    reaches_us: bool = True
    name: str = field(default="", compare=False)

    def __str__(self) -> str:
        return self.name or repr(self.arguments)[:50]


def _object(sentence: str, name: str = "", **fields: object) -> BadInput:
    return BadInput([fields], sentence, name=name)


def _liked(entry: object, sentence: str, name: str = "") -> BadInput:
    """`sentence` without the name of the entry that it begins with."""
    return BadInput([{"liked": [entry]}], f"liked[0]{sentence}", name=name)


_ID = "0123456789abcdef" * 4
_NOT_BASE64 = " is neither a picture in base64 (PNG, JPEG or WebP) nor the id of a rated picture."
_NOT_A_PICTURE = " is not a PNG, JPEG or WebP picture."
_DAMAGED = " is damaged and cannot be read."
_NO_ENTRY = " must be a picture in base64 or the id of a rated picture, not "
_TOO_LARGE = " has more than 64 million pixels. Send a smaller one."
_GONE = ": picture '{}' is no longer in the store. Rate it again."


def _nested(depth: int) -> list:
    value: list = []
    for _ in range(depth):
        value = [value]
    return value


SETTINGS = [
    _object("'strength' must be 0 to 2, not 3.", strength=3),
    _object("'strength' must be 0 to 2, not -0.0001.", strength=-0.0001),
    _object("'strength' must be 0 to 2, not '1'.", strength="1"),
    _object("'strength' must be 0 to 2, not None.", strength=None),
    _object("'strength' must be 0 to 2, not True.", strength=True),
    _object("'strength' must be 0 to 2, not a list of 1.", strength=[0.5]),
    _object("'strength' must be 0 to 2, not an object.", strength={"value": 1}),
    _object("'strength' must be 0 to 2, not nan.", strength=math.nan),
    _object("'strength' must be 0 to 2, not inf.", strength=math.inf),
    _object("'strength' must be 0 to 2, not -inf.", strength=-math.inf),
    _object("'strength' must be 0 to 2, not 1e+308.", strength=1e308),
    _object("'strength' must be 0 to 2, not a very large number.", "huge", strength=10**400),
    _object("'strength' must be 0 to 2, not a very large number.", "-huge", strength=-(10**4000)),
    _object("'min_strength' must be 0 to 2, not -0.1.", min_strength=-0.1),
    _object("'min_strength' must be 0 to 2, not 2.000001.", min_strength=2.000001),
    _object("'start' must be 0 to 1, not 1.01.", start=1.01),
    _object("'start' must be 0 to 1, not '0'.", start="0"),
    _object("'end' must be 0 to 1, not a list of 0.", end=[]),
    _object("'end' must be 0 to 1, not 80.", end=80),
    _object("'start' (0.9) must not be after 'end' (0.1).", start=0.9, end=0.1),
    _object("'start' (1) must not be after 'end' (0.8).", start=1),
    _object("'negative_scale' must be 0 to 2, not nan.", negative_scale=math.nan),
    _object("'method' must be 'contrast' or 'paper', not 'Paper'.", method="Paper"),
    _object("'method' must be 'contrast' or 'paper', not a list of 1.", method=["paper"]),
    _object("'negative_scale' must be 0 to 2, not '½'.", negative_scale="½"),
    _object("'hires' must be true or false, not 'yes'.", hires="yes"),
    _object("'hires' must be true or false, not 0.", hires=0),
    _object("'hires' must be true or false, not None.", hires=None),
    _object("'merge' must be a whole number, 1 to 8, not 0.", merge=0),
    _object("'merge' must be a whole number, 1 to 8, not 2.5.", merge=2.5),
    _object("'merge' must be a whole number, 1 to 8, not '2'.", merge="2"),
    _object("'max_tokens' must be a whole number, 0 to 65536, not -1.", max_tokens=-1),
    _object("'max_tokens' must be a whole number, 0 to 65536, not True.", max_tokens=True),
    _object(
        "'max_tokens' must be a whole number, 0 to 65536, not a very large number.",
        "many tokens",
        max_tokens=10**400,
    ),
    _object("'refresh' must be a whole number, 1 to 10, not None.", refresh=None),
    _object("'refresh' must be a whole number, 1 to 10, not 11.", refresh=11),
    _object("'enabled' must be true or false, not 1.", enabled=1),
    _object("'enabled' must be true or false, not 'true'.", enabled="true"),
    _object("'enabled' must be true or false, not None.", enabled=None),
    # A disabled request is checked too: a script with a misspelt field learns it at once.
    _object("'strength' must be 0 to 2, not 99.", enabled=False, strength=99),
]

FIELDS = [
    _object(f"FABRIC: unknown field '{name[:60]}'{'…' * (len(name) > 60)}. Known: {_FIELDS}.",
            **{name: value})
    for name, value in [
        ("likes", []),
        ("Liked", []),
        ("", 1),
        (" strength", 1),
        ("strength ", 1),
        ("negative-scale", 0.5),
        ("image", "x"),
        ("path", "/etc/passwd"),
        ("__class__", {}),
        ("args", []),
        ("ｓtrength", 1),
        ("x" * 5000, 1),
    ]
]  # fmt: skip

LISTS = [
    _object("'liked' must be a list of pictures, not 'abc'.", liked="abc"),
    _object("'liked' must be a list of pictures, not an object.", liked={"image": "x"}),
    _object("'liked' must be a list of pictures, not 5.", liked=5),
    _object("'disliked' must be a list of pictures, not True.", disliked=True),
    _object("'disliked' must be a list of pictures, not nan.", disliked=math.nan),
    _object("'liked' must be a list of pictures, not '../../x'.", liked=f"{_ID} ../../x"),
    _object("'liked' must be a list of pictures, not '*'.", liked="* *"),
    _object("'liked' must be a list of pictures, not '*0.5'.", liked="*0.5"),
    *(
        _object(
            f"'disliked': the weight of picture {_ID[:16]} must be 0 to 2, not '{weight}'.",
            disliked=f"{_ID}*{weight}",
        )
        for weight in ["", "x", "nan", "inf", "-1", "2.1", "0.5*0.5", "9" * 50]
    ),
    _object(
        "'disliked' is too long a text to be a list of picture ids.",
        "too long a text",
        disliked=f"{_ID} " * 5000,
    ),
    _object("'liked' may hold at most 64 pictures, not 65.", "65 in a text", liked=f"{_ID} " * 65),
    _object(
        f"liked[0].image: picture '{_ID[:16]}' is no longer in the store. Rate it again.",
        liked=f"{_ID[:16]}*0.5",
    ),
    _object("'liked' may hold at most 64 pictures, not 65.", "65 liked", liked=["x"] * 65),
    _object("'disliked' may hold at most 64 pictures, not 5000.", "5000", disliked=[None] * 5000),
    BadInput(
        [{"liked": [], "disliked": [7]}],
        "disliked[0] must be a picture in base64 or the id of a rated picture, not 7.",
    ),
    _liked(None, f"{_NO_ENTRY}None."),
    _liked(True, f"{_NO_ENTRY}True."),
    _liked(10**50, f"{_NO_ENTRY}{10**50}."),
    _liked(["x"], f"{_NO_ENTRY}a list of 1."),
    _liked(_nested(300), f"{_NO_ENTRY}a list of 1.", "deep"),
    _liked({}, " has no 'image'."),
    _liked({"weight": 1}, " has no 'image'."),
    _liked({"image": None}, f".image{_NO_ENTRY}None."),
    _liked({"image": {"image": "x"}}, f".image{_NO_ENTRY}an object."),
    _liked({"image": "x", "size": 1}, ": unknown field 'size'. Known: image, weight."),
    _liked({"image": "x", "path": "/x"}, ": unknown field 'path'. Known: image, weight."),
    _liked({"url": "http://x/"}, ": unknown field 'url'. Known: image, weight."),
    *(
        BadInput(
            [{"liked": [{"image": "x", "weight": weight}]}],
            f"'liked[0].weight' must be 0 to 2, not {shown}.",
        )
        for weight, shown in [
            (2.5, "2.5"),
            (-1, "-1"),
            ("1", "'1'"),
            (None, "None"),
            (True, "True"),
            (math.nan, "nan"),
            (math.inf, "inf"),
            ([1], "a list of 1"),
        ]
    ),
]

TEXTS = [
    *(
        _liked(text, _NOT_BASE64)
        for text in [
            "hello",
            "../../etc/passwd",
            "/etc/passwd",
            "C:\\Windows\\win.ini",
            "\\\\server\\share\\picture.png",
            ".fabric/pictures/01/" + _ID + ".png",
            "file:///etc/passwd",
            "http://127.0.0.1:7860/picture.png",
            "https://169.254.169.254/latest/meta-data/",
            "ftp://example.org/picture.png",
            "' OR 1=1; --",
            "${jndi:ldap://example.org/x}",
            "{{7*7}}",
            "<img src=x onerror=alert(1)>",
            "\0",
            "🙂" * 20,
            "\u202egnp.erutcip",
            "=" * 16,
            _ID[:-1],
            f"{_ID[:16]}*0.5",
            "data:image/png," + text_of(Image.fromarray(pixels())),
            "data:text/html;base64," + text_of(Image.fromarray(pixels())),
            "data:image/png;base64;" + text_of(Image.fromarray(pixels())),
            text_of(Image.fromarray(pixels()))[:-3],
        ]
    ),
    *(
        _liked(text, _NOT_A_PICTURE, name)
        for text, name in [
            ("", "nothing"),
            (" \n\t", "spaces"),
            ("A" * 64, "zeros"),
            (_ID.upper(), "an id in capitals"),
            (_ID + "\n", "an id and a line feed"),
            ("data:image/png;base64,", "an empty data URL"),
            ("data:image/svg+xml;base64," + to_text(b"<svg/>"), "an SVG"),
        ]
    ),
    _liked(_ID, _GONE.format(_ID[:16])),
    _liked(_ID[:16], _GONE.format(_ID[:16])),
    _liked({"image": _ID}, f".image{_GONE.format(_ID[:16])}"),
]

_IMAGE = Image.fromarray(pixels())
_PNG, _JPEG, _WEBP = (to_file(_IMAGE, kind) for kind in ("PNG", "JPEG", "WEBP"))

FILES = [
    *(
        _liked(to_text(data), _NOT_A_PICTURE, name)
        for name, data in [
            ("GIF", to_file(_IMAGE, "GIF")),
            ("BMP", to_file(_IMAGE, "BMP")),
            ("TIFF", to_file(_IMAGE, "TIFF")),
            ("ICO", to_file(_IMAGE, "ICO")),
            ("JPEG 2000", b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(80)),
            ("EPS", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n"),
            ("PDF", b"%PDF-1.7\n"),
            ("PSD", b"8BPS" + bytes(80)),
            ("AVIF", b"\0\0\0\x1cftypavif" + bytes(80)),
            ("HTML", b"<html><script>alert(1)</script></html>"),
            ("ZIP", b"PK\x03\x04" + bytes(80)),
            ("pickle", b"\x80\x04cos\nsystem\n(S'true'\ntR."),
            ("PNG's first bytes", _PNG[:8]),
            ("JPEG's first bytes", _JPEG[:2]),
        ]
    ),
    *(
        _liked(to_text(data), _DAMAGED, name)
        for name, data in [
            ("half a PNG", _PNG[: len(_PNG) // 2]),
            ("half a JPEG", _JPEG[: len(_JPEG) // 2]),
            ("half a WebP", _WEBP[: len(_WEBP) // 2]),
            ("PNG with a wrong checksum", _PNG[:45] + b"\xff" + _PNG[46:]),
            ("PNG without pixels", png(64, 48, b"")),
            ("half an interlaced PNG", interlaced(pixels())[:600]),
        ]
    ),
    *(
        _liked(to_text(data), _TOO_LARGE, name)
        for name, data in [
            ("PNG bomb", bomb(60_000, 60_000)),
            ("PNG of 2^31 x 8", bomb(2**31 - 1, 8)),
            ("one pixel row too many", bomb(8192, 8193)),
            ("a true picture of 67 million pixels", to_file(Image.new("1", (8192, 8200)))),
        ]
    ),
    *(
        _liked(
            text_of(Image.new("RGB", size)),
            f" is {size[0]}x{size[1]} pixels; each side must be at least 8.",
        )
        for size in [(1, 1), (7, 100), (4000, 7)]
    ),
    BadInput(
        [{"liked": [to_text(_PNG), {"image": to_text(_PNG)}, to_text(_PNG[:200])]}],
        f"liked[2]{_DAMAGED}",
        name="the third is damaged",
    ),
    BadInput(
        [{"liked": [to_text(_PNG)], "disliked": [{"image": to_text(b"hello")}]}],
        f"disliked[0].image{_NOT_A_PICTURE}",
        name="the disliked one is no picture",
    ),
]

BY_POSITION = [
    BadInput(["yes"], "'enabled' must be true or false, not 'yes'."),
    BadInput([None], "'enabled' must be true or false, not None."),
    BadInput([[{"liked": []}]], "'enabled' must be true or false, not a list of 1."),
    BadInput(['{"liked": []}'], "'enabled' must be true or false, not '{\"liked\": []}'."),
    BadInput([True, "abc"], "'liked' must be a list of pictures, not 'abc'."),
    BadInput([True, [], {}], "'disliked' must be a list of pictures, not an object."),
    BadInput([True, [], [], "x"], "'strength' must be 0 to 2, not 'x'."),
    BadInput([True, [], [], 0.8, 0, 0.5, 0.4], "'start' (0.5) must not be after 'end' (0.4)."),
    BadInput(
        [True, [], [], 0.8, 0, 0, 0.8, 0.5, "False"],
        "'hires' must be true or false, not 'False'.",
    ),
    BadInput(
        [True, [], [], 0.8, 0, 0, 0.8, 0.5, False, "paper", 1, 0, 0],
        "'refresh' must be a whole number, 1 to 10, not 0.",
    ),
    BadInput(
        [True, [], [], 0.8, 0, 0, 0.8, 0.5, False, "paper", 1, 0, 1, "more"],
        f"at most {len(POSITIONS)} arguments ({_KNOWN}), not {len(POSITIONS) + 1}.",
        reaches_us=False,
    ),
]

BAD_INPUTS = [*SETTINGS, *FIELDS, *LISTS, *TEXTS, *FILES, *BY_POSITION]
