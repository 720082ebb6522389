"""Exact scorers: what a picture of one shape on a ground shows, read from its pixels."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from .scenes import PALETTE, SHAPES

_NAMES = tuple(PALETTE)
_RGB = np.array([PALETTE[name] for name in _NAMES], dtype=np.float32)
_READ_SIDE = 128  # larger pictures are scaled down before they are read
_SMALLEST_OBJECT = 0.015  # share of the picture below which a blob is noise
# Half the distance between the two closest palette colours: farther is "another colour".
_NEAR = 60.0


@dataclass(frozen=True)
class ReadScene:
    """What was read from a picture. `shape` and `object_colour` are None if there is no object.

    `confidence` in 0..1 is the weakest of four shares: border pixels that are of the ground
    colour, object pixels in one piece, object pixels of the object's colour, and overlap of
    the object with the ideal shape.
    """

    shape: str | None
    object_colour: str | None
    ground_colour: str
    confidence: float


@dataclass(frozen=True)
class _Measured:
    """Raw measurements behind a ReadScene; `overlap` maps each shape to its IoU."""

    ground_rgb: np.ndarray
    ground_share: float
    object_rgb: np.ndarray | None
    object_share: float
    whole_share: float
    overlap: dict[str, float]


def read_scene(picture: Image.Image) -> ReadScene:
    """Read shape and colours from a picture's pixels."""
    measured = _measure(picture)
    ground = _nearest(measured.ground_rgb)
    if measured.object_rgb is None:
        return ReadScene(None, None, ground, 0.0)
    shape = max(measured.overlap, key=measured.overlap.__getitem__)
    confidence = min(
        measured.ground_share,
        measured.object_share,
        measured.whole_share,
        measured.overlap[shape],
    )
    return ReadScene(shape, _nearest(measured.object_rgb), ground, float(confidence))


def matches(
    picture: Image.Image,
    object_colour: str | None = None,
    ground_colour: str | None = None,
    shape: str | None = None,
) -> bool:
    """Tell whether every given attribute is what the picture shows."""
    wanted = _wanted(object_colour, ground_colour, shape)
    seen = read_scene(picture)
    return all(getattr(seen, name) == value for name, value in wanted.items())


def preference_score(
    picture: Image.Image,
    object_colour: str | None = None,
    ground_colour: str | None = None,
    shape: str | None = None,
) -> float:
    """Score in 0..1 how close a picture is to the given attributes, mean over them.

    Each attribute gives half a point for being the one that is read and up to half a point
    for closeness (colour distance, or overlap with the ideal shape), so that pictures which
    all miss can still be ranked. Raises ValueError if no attribute or an unknown one is given.
    """
    wanted = _wanted(object_colour, ground_colour, shape)
    measured = _measure(picture)
    if measured.object_rgb is None:
        wanted_ground = wanted.get("ground_colour")
        found = 0.0 if wanted_ground is None else _colour_score(measured.ground_rgb, wanted_ground)
        return found / len(wanted)
    scores = []
    for name, value in wanted.items():
        if name == "shape":
            best = max(measured.overlap, key=measured.overlap.__getitem__)
            scores.append(0.5 * (best == value) + 0.5 * measured.overlap[value])
        else:
            rgb = measured.object_rgb if name == "object_colour" else measured.ground_rgb
            scores.append(_colour_score(rgb, value))
    return float(np.mean(scores))


def diversity(pictures: Sequence[Image.Image]) -> float:
    """Mean absolute pixel difference over all pairs, in 0..1; 0 for fewer than two pictures.

    Pictures of another size than the first are scaled to it.
    """
    if len(pictures) < 2:
        return 0.0
    size = pictures[0].size
    arrays = [
        np.asarray(p.convert("RGB").resize(size, Image.BICUBIC), dtype=np.float32) / 255
        for p in pictures
    ]
    pairs = itertools.combinations(arrays, 2)
    return float(np.mean([np.abs(first - second).mean() for first, second in pairs]))


def _wanted(
    object_colour: str | None, ground_colour: str | None, shape: str | None
) -> dict[str, str]:
    """Return the given attributes by name; ValueError if there is none or one is unknown."""
    given = {"object_colour": object_colour, "ground_colour": ground_colour, "shape": shape}
    wanted = {name: value for name, value in given.items() if value is not None}
    if not wanted:
        raise ValueError("give at least one of object_colour, ground_colour, shape")
    for name, value in wanted.items():
        known = SHAPES if name == "shape" else _NAMES
        if value not in known:
            raise ValueError(f"{name} is {value!r}, expected one of {', '.join(known)}")
    return wanted


def _measure(picture: Image.Image) -> _Measured:
    """Measure ground, object and shape overlaps."""
    pixels = _pixels(picture)
    border = np.concatenate(
        [pixels[:2].reshape(-1, 3), pixels[-2:].reshape(-1, 3),
         pixels[2:-2, :2].reshape(-1, 3), pixels[2:-2, -2:].reshape(-1, 3)]
    )  # fmt: skip
    labels = _labels(border)
    dominant = np.bincount(labels).argmax()
    ground = np.median(border[labels == dominant], axis=0)
    ground_share = float((np.linalg.norm(border - ground, axis=-1) < _NEAR).mean())
    differs = np.linalg.norm(pixels - ground, axis=-1) > _NEAR
    blob = _largest_blob(differs)
    if blob.mean() < _SMALLEST_OBJECT:
        return _Measured(ground, ground_share, None, 0.0, 0.0, {})
    colour = np.median(pixels[blob], axis=0)
    # The outline lies where a pixel is half ground, half object.
    mask = np.linalg.norm(pixels - ground, axis=-1) > np.linalg.norm(pixels - colour, axis=-1)
    blob = _largest_blob(mask)
    near = np.linalg.norm(pixels[blob] - colour, axis=-1) < _NEAR
    whole = float(blob.sum() / max(1, (differs | blob).sum()))
    return _Measured(ground, ground_share, colour, float(near.mean()), whole, _overlaps(blob))


def _pixels(picture: Image.Image) -> np.ndarray:
    """RGB float pixels [H, W, 3], scaled down if a side is longer than needed."""
    picture = picture.convert("RGB")
    if max(picture.size) > _READ_SIDE:
        picture = picture.copy()
        picture.thumbnail((_READ_SIDE, _READ_SIDE), Image.BOX)
    return np.asarray(picture, dtype=np.float32)


def _labels(rgb: np.ndarray) -> np.ndarray:
    """Index of the nearest palette colour for every row of [N, 3]."""
    return np.linalg.norm(rgb[:, None] - _RGB[None], axis=-1).argmin(axis=1)


def _nearest(rgb: np.ndarray) -> str:
    return _NAMES[int(_labels(rgb[None])[0])]


def _colour_score(rgb: np.ndarray, name: str) -> float:
    distance = float(np.linalg.norm(rgb - np.array(PALETTE[name], dtype=np.float32)))
    return 0.5 * (_nearest(rgb) == name) + 0.5 * max(0.0, 1 - distance / 400)


def _largest_blob(mask: np.ndarray) -> np.ndarray:
    """Return the largest 4-connected region of a boolean mask [H, W] as a mask."""
    label = np.where(mask, np.arange(1, mask.size + 1).reshape(mask.shape), 0)
    while True:
        grown = _spread_in_rows(_spread_in_rows(label).T).T
        if np.array_equal(grown, label):
            break
        label = grown
    counts = np.bincount(label.ravel())
    counts[0] = 0
    return (label == counts.argmax()) & mask


def _spread_in_rows(label: np.ndarray) -> np.ndarray:
    """Give every pixel the largest label of its run in [H, W]; zeros part the runs."""
    flat = np.pad(label, ((0, 0), (1, 1))).ravel()
    starts = np.flatnonzero(np.diff(flat > 0, prepend=True))
    lengths = np.diff(starts, append=flat.size)
    spread = np.repeat(np.maximum.reduceat(flat, starts), lengths)
    return spread.reshape(len(label), -1)[:, 1:-1]


def _overlaps(blob: np.ndarray) -> dict[str, float]:
    """Overlap (intersection over union) of a mask with each ideal shape in its bounding box."""
    rows, columns = np.flatnonzero(blob.any(axis=1)), np.flatnonzero(blob.any(axis=0))
    part = blob[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    y = (np.arange(part.shape[0])[:, None] + 0.5) / part.shape[0] * 2 - 1
    x = (np.arange(part.shape[1])[None] + 0.5) / part.shape[1] * 2 - 1
    ideals = {
        "circle": y**2 + x**2 <= 1,
        "square": np.ones(part.shape, dtype=bool),
        "triangle": 2 * np.abs(x) - (y + 1) <= 0,
    }
    return {
        name: float((part & ideal).sum() / (part | ideal).sum()) for name, ideal in ideals.items()
    }
