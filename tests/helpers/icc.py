"""ICC profiles written by hand (ICC.1:2001-04), and what they mean by the definition of sRGB."""

from __future__ import annotations

import struct

import numpy as np

# Columns: red, green and blue in XYZ, adapted to D50 (Lindbloom's tables).
SRGB = np.array(
    [[0.4360747, 0.3850649, 0.1430804], [0.2225045, 0.7168786, 0.0606169],
     [0.0139322, 0.0971045, 0.7141733]]
)  # fmt: skip
ADOBE_RGB = np.array(
    [[0.6097559, 0.2052401, 0.1492240], [0.3111242, 0.6256560, 0.0632197],
     [0.0194811, 0.0608902, 0.7448387]]
)  # fmt: skip
D50 = (0.9642, 1.0, 0.8249)


def gamma_curve(gamma):
    """One exponent."""
    return b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256)) + b"\0\0"


def srgb_curve(size=1024):
    """The curve of sRGB (IEC 61966-2-1) as a table."""
    table = np.rint(linear(np.linspace(0, 1, size)) * 65535).astype(">u2")
    return b"curv\0\0\0\0" + struct.pack(">I", size) + table.tobytes()


def rgb_profile(primaries, curve, padding=0):
    """A display's profile: a curve for each channel, then `primaries`."""
    tags = {b"desc": _text(b"desc", padding), b"cprt": _text(b"text"), b"wtpt": _xyz(D50)}
    for name, column in zip((b"r", b"g", b"b"), primaries.T, strict=True):
        tags |= {name + b"XYZ": _xyz(column), name + b"TRC": curve}
    return _profile(b"RGB ", tags)


def grey_profile(curve):
    """A profile for pictures without colour."""
    tags = {b"desc": _text(b"desc"), b"cprt": _text(b"text"), b"wtpt": _xyz(D50), b"kTRC": curve}
    return _profile(b"GRAY", tags)


def linear(srgb):
    """Values of sRGB, 0 to 1, in proportion to light."""
    return np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)


def encoded(light):
    """The other way round."""
    return np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)


def in_srgb(rgb, primaries, gamma):
    """Bytes `[..., 3]` of a profile with one exponent, as sRGB has the same colours."""
    light = (np.asarray(rgb) / 255.0) ** gamma @ primaries.T @ np.linalg.inv(SRGB).T
    return encoded(light.clip(0, 1)) * 255


def _profile(space, tags):
    table, data = struct.pack(">I", len(tags)), b""
    start = 128 + 4 + 12 * len(tags)
    for name, tag in tags.items():
        table += name + struct.pack(">II", start + len(data), len(tag))
        data += tag + bytes(-len(tag) % 4)
    header = struct.pack(
        ">I4sI4s4s4s12s4s4sIIIQI3i", start + len(data), b"\0\0\0\0", 0x02100000, b"mntr", space,
        b"XYZ ", bytes(12), b"acsp", b"\0\0\0\0", 0, 0, 0, 0, 0,
        *(round(each * 65536) for each in D50),
    )  # fmt: skip
    return header.ljust(128, b"\0") + table + data


def _xyz(values):
    return b"XYZ \0\0\0\0" + struct.pack(">3i", *(round(float(each) * 65536) for each in values))


def _text(kind, padding=0):
    text = b"test" + b"." * padding + b"\0"
    if kind == b"text":
        return b"text\0\0\0\0" + text
    return b"desc\0\0\0\0" + struct.pack(">I", len(text)) + text + bytes(4 + 4 + 2 + 1 + 67)
