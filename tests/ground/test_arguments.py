"""The script's arguments, from the page and from the API: all of it untrusted."""

import base64
import io
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from lib_fabric import arguments as arguments_module
from lib_fabric import pictures as pictures_module
from lib_fabric.arguments import argument_names, parse_arguments
from lib_fabric.errors import FabricError
from lib_fabric.library.store import PictureStore
from lib_fabric.pictures import from_image, to_png
from lib_fabric.ratings import Rated, Ratings
from lib_fabric.request import FabricRequest
from lib_fabric.settings import DEFAULT_MAX_PICTURES, FabricSettings
from tests.inputs.bad import POSITIONS


def _image(seed=0):
    return Image.fromarray(
        np.random.default_rng(seed).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    )


def _base64_of(image):
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode()


def _base64(seed=0):
    return _base64_of(_image(seed))


def _id(seed=0):
    return from_image(_image(seed)).id


def _refusal(arguments, store):
    with pytest.raises(FabricError) as caught:
        parse_arguments(arguments, store)
    assert caught.value.status_code == 422
    assert caught.value.detail == str(caught.value)
    return str(caught.value)


def test_an_object_of_everything(store):
    disliked = store.add(_image(1))
    request = parse_arguments(
        [
            {
                "enabled": True,
                "liked": [_base64(0), {"image": "data:image/png;base64," + _base64(2)}],
                "disliked": [{"image": disliked.id, "weight": 0.5}, disliked.short_id],
                "strength": 1,
                "min_strength": 0.1,
                "start": 0.2,
                "end": 0.9,
                "negative_scale": 0.3,
                "hires": True,
            }
        ],
        store,
    )
    assert request.settings == FabricSettings(True, 1.0, 0.1, 0.2, 0.9, 0.3, True)
    assert [(ref.picture.id, ref.weight) for ref in request.ratings.liked] == [
        (_id(0), 1.0),
        (_id(2), 1.0),
    ]
    assert [(ref.picture.id, ref.weight) for ref in request.ratings.disliked] == [
        (_id(1), 0.5),
        (_id(1), 1.0),
    ]
    assert request.is_active


def test_positions_mean_the_same_as_the_object(store):
    values = [True, [_base64(0)], [_base64(1)], 0.7, 0.1, 0.2, 0.9, 0.3, True, "paper", 2, 300, 3]
    by_position = parse_arguments(values, store)
    by_name = parse_arguments([dict(zip(POSITIONS, values, strict=True))], store)
    assert by_position.settings == by_name.settings
    assert by_position.to_infotext() == by_name.to_infotext()


def test_what_the_host_appends_to_the_object_is_ignored(store):
    defaults = [False, [], [], 0.8, 0.0, 0.0, 0.8, 0.5, False, "contrast", 1, 0, 1]
    request = parse_arguments([{"liked": [_base64()]}, *defaults[1:]], store)
    assert request.settings.enabled
    assert len(request.ratings.liked) == 1


def test_the_object_is_left_as_it_is(store):
    given_object = {"liked": [_base64()], "strength": 0.5}
    parse_arguments([given_object], store)
    assert given_object == {"liked": [_base64()], "strength": 0.5}


@pytest.mark.parametrize("arguments", [[], [False], [True], [{}], [{"enabled": True}]])
def test_nothing_rated_is_not_active(store, arguments):
    assert not parse_arguments(arguments, store).is_active


def test_an_object_is_enabled_unless_it_says_otherwise(store):
    assert parse_arguments([{"liked": [_base64()]}], store).is_active
    assert not parse_arguments([{"liked": [_base64()], "enabled": False}], store).is_active


def test_either_list_makes_it_active(store):
    assert parse_arguments([{"liked": [_base64()]}], store).is_active
    assert parse_arguments([{"disliked": [_base64()]}], store).is_active
    ratings = parse_arguments([{"liked": [_base64()]}], store).ratings
    assert not FabricRequest(FabricSettings(enabled=False), ratings).is_active


@pytest.mark.parametrize(
    "arguments",
    [
        [False, "nonsense", 5, 0.8],
        [{"enabled": False, "liked": ["nonsense"], "disliked": {}}],
        [False, ["x"] * 1000],
        [False, [], [], 0.8, 0.0, 0.9, 0.1],
    ],
)
def test_what_is_disabled_is_not_refused_for_its_pictures(store, arguments):
    request = parse_arguments(arguments, store)
    assert not request.is_active
    assert request.ratings == Ratings()


def test_pictures_sent_along_are_kept(store):
    parse_arguments([{"liked": [_base64()]}], store)
    assert _id() in store


def test_a_weight_of_0_leaves_the_picture_out(store):
    entry = {"image": _base64(), "weight": 0}
    assert not parse_arguments([{"liked": [entry], "disliked": [entry]}], store).is_active


@pytest.mark.parametrize("nothing", [None, [], ()])
def test_no_pictures(store, nothing):
    assert parse_arguments([True, nothing, nothing], store).ratings.liked == ()


def test_the_most_pictures(store):
    picture = store.add(_image())
    request = parse_arguments([True, [picture.short_id] * DEFAULT_MAX_PICTURES], store)
    assert len(request.ratings.liked) == DEFAULT_MAX_PICTURES == 64


def test_another_cap(store):
    ids = [store.add(_image(seed)).id for seed in range(3)]
    assert len(parse_arguments([True, ids, ids], store, max_pictures=3).ratings.disliked) == 3
    with pytest.raises(FabricError, match=r"^'disliked' may hold at most 2 pictures, not 3\.$"):
        parse_arguments([True, ids[:2], ids], store, max_pictures=2)
    with pytest.raises(FabricError, match=r"^'liked' may hold at most 1 picture, not 3\.$"):
        parse_arguments([True, ids, ids], store, max_pictures=1)


def test_many_small_files_may_not_unfold_to_more_than_fits(store, monkeypatch):
    monkeypatch.setattr(arguments_module, "MAX_TOTAL_PIXELS", 3 * 2**20)
    huge = [_base64_of(Image.new("1", (1024, 1024 + extra))) for extra in range(3)]
    sentence = _refusal([{"liked": huge[:1], "disliked": ["x", *huge][1:]}], store)
    assert sentence == (
        "disliked[2]: the pictures have more than 3 million pixels together. "
        "Send fewer or smaller ones."
    )
    assert list(store.folder.rglob("*")) == []
    # The same one again costs nothing.
    assert parse_arguments([{"liked": huge[:1] * 64}], store).is_active


def test_kept_pictures_count_too(store, monkeypatch):
    monkeypatch.setattr(arguments_module, "MAX_TOTAL_PIXELS", 2 * 20 * 30)
    ids = [store.add(_image(seed)).id for seed in range(3)]
    assert _refusal([{"liked": ids}], store).startswith("liked[2]: the pictures have more than")
    assert parse_arguments([{"liked": ids[:2] * 5}], store).is_active


@pytest.mark.parametrize("kind", ["sent", "kept", "one of each"])
def test_pixels_are_counted_before_one_picture_is_decoded(store, kind, monkeypatch):
    sent, kept = [_base64(0), _base64(1)], [store.add(_image(seed)).id for seed in (2, 3)]
    liked = {"sent": sent, "kept": kept, "one of each": [kept[0], sent[0]]}[kind]
    monkeypatch.setattr(arguments_module, "MAX_TOTAL_PIXELS", 2 * 20 * 30 - 1)
    monkeypatch.setattr(pictures_module, "from_image", lambda *_: pytest.fail("decoded"))
    assert _refusal([{"liked": liked}], store).startswith("liked[1]: the pictures have more than")


# Refusals


def test_the_sentence_names_the_entry(store):
    sentence = _refusal([{"liked": [_base64(), _base64(), "!"]}], store)
    assert sentence.startswith("liked[2] is neither")


def test_a_huge_value_makes_a_short_sentence(store):
    assert len(_refusal([{"liked": "A" * 10_000_000}], store)) < 150
    assert len(_refusal([{"A" * 10_000_000: 1}], store)) < 250


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=80),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=6,
)


@given(st.lists(_json, max_size=10), st.dictionaries(st.sampled_from([*POSITIONS, "x"]), _json))
def test_whatever_arrives_is_read_or_refused_in_one_sentence(tmp_path_factory, positional, named):
    store = PictureStore(tmp_path_factory.getbasetemp() / "hypothesis")
    for arguments in (positional, [named], [{"enabled": True, **named}]):
        try:
            parse_arguments(arguments, store)
        except FabricError as error:
            sentence = str(error)
        else:
            continue
        assert len(sentence) < 900
        assert "\n" not in sentence


# Infotext


def test_infotext_names_pictures_and_weights(store):
    request = parse_arguments(
        [
            {
                "liked": [_base64(0), {"image": _base64(1), "weight": 0.5}],
                "disliked": [{"image": _base64(2), "weight": 2}],
                "end": 0.5,
            }
        ],
        store,
    )
    assert request.to_infotext() == {
        "FABRIC end": "0.5",
        "FABRIC liked": f"{_id(0)[:16]} {_id(1)[:16]}*0.5",
        "FABRIC disliked": f"{_id(2)[:16]}*2",
    }


def test_infotext_without_pictures_has_no_entry_for_them(store):
    assert parse_arguments([{}], store).to_infotext() == {}


@pytest.mark.parametrize("weight", [1 / 3, 0.1234567891, 1e-9, 1.9999999])
def test_infotext_gives_the_same_weight_again(store, weight):
    request = parse_arguments([{"liked": [{"image": _base64(), "weight": weight}]}], store)
    assert float(request.to_infotext()["FABRIC liked"].split("*")[1]) == weight


# What another machine is sent


def test_the_same_request_on_a_machine_that_has_none_of_the_pictures(store, tmp_path):
    values = {
        "liked": [store.add(_image(0)).short_id, {"image": _base64(1), "weight": 1 / 3}],
        "disliked": f"{store.add(_image(2)).id}*0.5",
        **{"strength": 0.3, "start": 0.1, "hires": True, "method": "contrast", "refresh": 2},
    }
    request = parse_arguments([values], store)
    sent = json.loads(json.dumps(request.to_arguments(lambda picture: to_png(picture.image))))
    received = parse_arguments([sent, "", ""], PictureStore(tmp_path / "elsewhere"))
    assert received == request
    assert set(sent) == set(argument_names())


# ---- a preset by its name, and pictures that are not kept ----------------------------------------


def test_a_preset_stands_for_what_is_not_given(store):
    first, second = store.add(_image(0)), store.add(_image(1))
    ratings = Ratings((Rated(first.id, 0.5),), (Rated(second.id),))
    presets = {"portraits": ({"strength": 1.5, "method": "contrast"}, ratings)}

    def parsed(**given):
        return parse_arguments([given], store, load_preset=presets.__getitem__)

    request = parsed(preset="portraits")
    assert request.settings == FabricSettings(True, 1.5, method="contrast")
    assert request.ratings.map(lambda picture: picture.id) == ratings
    changed = parsed(preset="portraits", strength=0.3, liked=[_base64(2)])
    assert changed.settings == FabricSettings(True, 0.3, method="contrast")
    assert changed.ratings.map(lambda picture: picture.id).pictures("liked") == (_id(2),)
    assert changed.ratings.disliked == request.ratings.disliked
    assert not parsed(preset="portraits", enabled=False).is_active


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"preset": "gone"}, "There is no preset 'gone'."),
        ({"preset": ["gone"]}, "'preset' must be the name of a preset, not a list of 1."),
        ({"keep": 0}, "'keep' must be true or false, not 0."),
        ({"keep": "no"}, "'keep' must be true or false, not 'no'."),
    ],
)
def test_a_wrong_preset_or_keep_is_refused_also_while_off(store, given, sentence):
    for enabled in (True, False):
        assert _refusal([{**given, "enabled": enabled}], store) == sentence


def test_pictures_that_are_not_to_be_kept_are_not(store):
    request = parse_arguments([{"liked": [_base64()], "keep": False}], store)
    assert request.ratings.pictures("liked")[0].id == _id()
    assert _id() not in store
    parse_arguments([{"liked": [_base64()], "keep": True}], store)
    assert _id() in store
