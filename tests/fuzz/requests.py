"""Random arguments of a request: valid ones with something changed at random places."""

from __future__ import annotations

import copy
from typing import Any

from hypothesis import strategies as st
from PIL import Image

from tests.inputs.bad import POSITIONS
from tests.inputs.files import pixels, text_of

PICTURES = [text_of(Image.fromarray(pixels(60_000 + i, 16, 24))) for i in range(3)]
HOSTILE_TEXTS = [
    "", "0" * 64, "0" * 16, "../../etc/passwd", "http://127.0.0.1/x.png", "data:image/png;base64,",
    "A" * 400, "nan", "1e999", "\0", "🙂", "__class__", "true", PICTURES[0][:80],
    PICTURES[0] + "====", PICTURES[0].swapcase(),
]  # fmt: skip
HOSTILE_NUMBERS = [0, -0.0, 1, 2, -1, 2.0000001, 1e-320, 1e308, 10**40, float("nan"), float("inf")]

_any_json = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=30)
    | st.sampled_from(HOSTILE_TEXTS)
    | st.sampled_from(HOSTILE_NUMBERS),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)
_entry = st.sampled_from(PICTURES) | st.fixed_dictionaries(
    {"image": st.sampled_from(PICTURES)}, optional={"weight": st.floats(0, 2)}
)
_valid_object = st.fixed_dictionaries(
    {},
    optional={
        "enabled": st.sampled_from([True, True, False]),
        "liked": st.lists(_entry, min_size=1, max_size=3),
        "disliked": st.lists(_entry, max_size=3),
        "strength": st.floats(0, 2),
        "min_strength": st.floats(0, 2),
        "start": st.floats(0, 0.5),
        "end": st.floats(0.5, 1),
        "negative_scale": st.floats(0, 2),
        "method": st.sampled_from(["contrast", "paper"]),
        "hires": st.booleans(),
        "merge": st.integers(1, 8),
        "max_tokens": st.integers(0, 200),
        "refresh": st.integers(1, 10),
    },
)


def _places(tree: Any, path: tuple = ()) -> list[tuple]:
    """Where something could be changed: every inner node and leaf, as keys from the top."""
    children = tree.items() if isinstance(tree, dict) else enumerate(tree)
    found = []
    for key, value in children:
        found.append((*path, key))
        if isinstance(value, (dict, list)):
            found += _places(value, (*path, key))
    return found


def _mutate(draw: Any, tree: Any) -> None:
    """Changes one place of a non-empty list or object in place."""
    *path, key = draw(st.sampled_from(_places(tree)))
    parent = tree
    for step in path:
        parent = parent[step]
    how = draw(st.sampled_from(["replace", "delete", "wrap", "rename", "copy"]))
    if how == "delete":
        del parent[key]
    elif how == "wrap":
        parent[key] = draw(st.sampled_from([[parent[key]], {"image": parent[key]}]))
    elif how == "rename" and isinstance(parent, dict):
        parent[draw(st.sampled_from(POSITIONS) | st.text(max_size=12))] = parent.pop(key)
    elif how == "copy":
        parent[key] = [copy.deepcopy(parent[key])] * draw(st.sampled_from([2, 64, 65, 300]))
    else:
        parent[key] = draw(_any_json)


@st.composite
def arguments(draw: Any) -> list[Any]:
    """Arguments of the script, by name or by position, with up to three changes."""
    given = draw(_valid_object)
    by_position = draw(st.booleans())
    if by_position:
        defaults = [True, [], [], 0.8, 0.0, 0.0, 0.8, 0.5, False, "contrast", 1, 0, 1]
        values = [
            given.get(name, default) for name, default in zip(POSITIONS, defaults, strict=True)
        ]
        tree = values[: draw(st.integers(0, len(values)))]
    else:
        tree = [given]
    for _ in range(draw(st.integers(0, 3))):
        if tree:
            _mutate(draw, tree)
    return tree


def names_a_field(sentence: str) -> bool:
    """Whether a refusal says which field is meant."""
    return any(name in sentence for name in (*POSITIONS, "unknown field", "arguments"))
