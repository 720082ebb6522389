"""The settings: ranges, types, sentences, infotext, and that everything agrees with the table."""

import dataclasses
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib_fabric.errors import FabricError
from lib_fabric.settings import (
    FabricSettings,
    SettingField,
    infotext_key,
    read_infotext,
    read_number,
    shorten,
)

FLOATS = {"strength": 2, "min_strength": 2, "start": 1, "end": 1, "negative_scale": 2}
INTS = {"merge": (1, 8), "max_tokens": (0, 65536), "refresh": (1, 10)}
BOOLS = ("enabled", "hires")
CHOICES = {"method": ("contrast", "paper")}


def _refusal(**values):
    with pytest.raises(FabricError) as caught:
        FabricSettings.from_mapping(values)
    assert caught.value.status_code == 422
    assert caught.value.detail == str(caught.value)
    return str(caught.value)


def test_defaults():
    assert dataclasses.asdict(FabricSettings()) == {
        "enabled": False, "strength": 0.8, "min_strength": 0.0, "start": 0.0, "end": 0.8,
        "negative_scale": 0.5, "hires": False, "method": "paper",
        "merge": 1, "max_tokens": 0, "refresh": 1,
    }  # fmt: skip


def test_the_table_and_the_dataclass_agree():
    table = FabricSettings.fields()
    names = [field.name for field in dataclasses.fields(FabricSettings)]
    assert [setting.name for setting in table] == names
    for setting in table:
        assert setting.default == getattr(FabricSettings(), setting.name)
        kinds = {"choice": CHOICES, "bool": BOOLS, "int": INTS, "float": FLOATS}
        (kind,) = (kind for kind, names in kinds.items() if setting.name in names)
        assert setting.kind == kind
        if kind == "choice":
            assert setting.choices == CHOICES[setting.name]
            assert setting.default in setting.choices
        else:
            assert setting.minimum <= setting.default <= setting.maximum
        assert setting.label == setting.label.strip().capitalize()
        assert setting.help.endswith(".")
    assert {s.name: s.maximum for s in table if s.kind == "float"} == FLOATS
    assert {s.name: (s.minimum, s.maximum) for s in table if s.kind == "int"} == INTS
    assert len({setting.label for setting in table}) == len(table)


def test_settings_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        FabricSettings().strength = 1.0


@pytest.mark.parametrize("name", FLOATS)
def test_the_ends_of_every_range_are_allowed(name):
    for value in (0, 0.0, FLOATS[name], float(FLOATS[name])):
        others = {"end": 1} if name == "start" else {}
        checked = getattr(FabricSettings.from_mapping({name: value, **others}), name)
        assert checked == value
        assert type(checked) is float


@pytest.mark.parametrize("name", FLOATS)
@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (-0.001, "-0.001"),
        (-1, "-1"),
        (2.0001, "2.0001"),
        (1000, "1000"),
        (math.nan, "nan"),
        (math.inf, "inf"),
        (-math.inf, "-inf"),
        (10**400, "a very large number"),
        (-(10**400), "a very large number"),
        (True, "True"),
        (None, "None"),
        ("0.5", "'0.5'"),
        ("", "''"),
        ([0.5], "a list of 1"),
        ({"value": 1}, "an object"),
        (1 + 0j, "(1+0j)"),
    ],
)
def test_every_other_number_is_refused_with_its_range(name, value, shown):
    sentence = f"'{name}' must be 0 to {FLOATS[name]}, not {shown}."
    assert _refusal(**{name: value}) == sentence


@pytest.mark.parametrize("name", INTS)
def test_whole_numbers_are_taken_however_json_writes_them(name):
    lowest, highest = INTS[name]
    for value in (lowest, highest, float(lowest), float(highest)):
        checked = getattr(FabricSettings.from_mapping({name: value}), name)
        assert checked == value
        assert type(checked) is int


@pytest.mark.parametrize("name", INTS)
@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (1.5, "1.5"), (-1, "-1"), (10**6, "1000000"), (math.nan, "nan"), (math.inf, "inf"),
        (10**400, "a very large number"), (True, "True"), ("2", "'2'"), (None, "None"),
        ([2], "a list of 1"),
    ],
)  # fmt: skip
def test_everything_but_a_whole_number_in_range_is_refused(name, value, shown):
    lowest, highest = INTS[name]
    sentence = f"'{name}' must be a whole number, {lowest} to {highest}, not {shown}."
    assert _refusal(**{name: value}) == sentence


@pytest.mark.parametrize("name", BOOLS)
@pytest.mark.parametrize(
    ("value", "shown"),
    [(1, "1"), (0, "0"), (1.0, "1.0"), ("true", "'true'"), ("False", "'False'"), (None, "None"),
     ([], "a list of 0")],
)  # fmt: skip
def test_only_true_and_false_are_booleans(name, value, shown):
    assert _refusal(**{name: value}) == f"'{name}' must be true or false, not {shown}."


def test_start_after_end_is_refused_when_enabled():
    sentence = "'start' (0.7) must not be after 'end' (0.25)."
    assert _refusal(enabled=True, start=0.7, end=0.25) == sentence
    assert FabricSettings(enabled=True, start=0.7, end=0.7).start == 0.7
    assert FabricSettings(enabled=False, start=0.7, end=0.25).start == 0.7


# Infotext


def test_infotext_names_only_what_differs():
    assert FabricSettings(enabled=True).to_infotext() == {}
    settings = FabricSettings(enabled=True, negative_scale=0.25, hires=True, min_strength=1)
    assert settings.to_infotext() == {
        "FABRIC min strength": "1", "FABRIC negative scale": "0.25", "FABRIC hires": "True",
    }  # fmt: skip


def test_infotext_keys_are_what_the_host_can_parse():
    for setting in FabricSettings.fields():
        key = infotext_key(setting.name)
        assert key.replace(" ", "").isalnum()
        assert key.startswith("FABRIC ")


@given(
    st.fixed_dictionaries(
        {
            "strength": st.floats(0.0, 2.0),
            "end": st.floats(0.0, 1.0),
            "hires": st.booleans(),
            "method": st.sampled_from(CHOICES["method"]),
            **{name: st.integers(*bounds) for name, bounds in INTS.items()},
        }
    )
)
def test_infotext_gives_the_same_settings_again(values):
    """What is written below a picture has to be enough to make it again."""
    settings = FabricSettings(**values)
    entries = {"Steps": "20", "FABRIC liked": "0123456789abcdef", **settings.to_infotext()}
    again = {setting.name: read_infotext(setting, entries) for setting in FabricSettings.fields()}
    assert FabricSettings(**again) == settings


def test_infotext_of_others_and_unusable_values_change_nothing():
    for setting in FabricSettings.fields():
        assert read_infotext(setting, {"Steps": "20"}) is None
        key = infotext_key(setting.name)
        for unusable in ("", "high", "nan", "1e400", "-1", "[]"):
            assert read_infotext(setting, {key: unusable}) is None


@given(st.text(max_size=40) | st.integers() | st.floats() | st.none() | st.lists(st.text()))
def test_whatever_infotext_holds_is_a_value_in_range_or_leaves_the_widget_alone(value):
    for setting in FabricSettings.fields():
        read = read_infotext(setting, {infotext_key(setting.name): value})
        if read is not None:
            setting.check(read)


# Messages


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("abc", "'abc'"),
        ("a" * 60, "'" + "a" * 60 + "'"),
        ("a" * 61, "'" + "a" * 60 + "'…"),
        ([1, 2], "a list of 2"),
        ((), "a list of 0"),
        ({"a": 1}, "an object"),
        (2**200, "a very large number"),
        (-(2**5000), "a very large number"),
        (12345, "12345"),
        (True, "True"),
        (0.5, "0.5"),
    ],
)
def test_shorten(value, text):
    assert shorten(value) == text


@given(st.one_of(st.text(), st.integers(), st.floats(), st.lists(st.integers()), st.binary()))
def test_a_quoted_value_stays_short(value):
    # 60 characters, quotes and an ellipsis; `repr` may need ten for one character.
    assert len(shorten(value)) <= 10 * 60 + 3
    assert "\n" not in shorten(value)


def test_a_fields_own_words():
    field = SettingField("strength", "Strength", "Help.", 0.8, 0.0, 2.0)
    assert (field.kind, field.allowed) == ("float", "0 to 2")
    field = SettingField("hires", "Hires", "Help.", False)
    assert (field.kind, field.allowed) == ("bool", "true or false")
    assert (CHOICE.kind, CHOICE.allowed) == ("choice", "'slow' or 'fast'")


# One of several words


CHOICE = SettingField("pace", "Pace", "Help.", "slow", choices=("slow", "fast"))


@pytest.mark.parametrize("value", ["slow", "fast"])
def test_a_choice_takes_its_words(value):
    assert CHOICE.check(value) == value
    assert read_infotext(CHOICE, {"FABRIC pace": value}) == value


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("Fast", "'Fast'"), ("", "''"), ("fast ", "'fast '"), (1, "1"), (None, "None"),
        (True, "True"), (["fast"], "a list of 1"), ("x" * 99, "'" + "x" * 60 + "'…"),
    ],
)  # fmt: skip
def test_a_choice_refuses_everything_else(value, shown):
    with pytest.raises(FabricError) as caught:
        CHOICE.check(value)
    assert str(caught.value) == f"'pace' must be 'slow' or 'fast', not {shown}."
    assert read_infotext(CHOICE, {"FABRIC pace": str(value)}) is None


# ---- whatever comes from outside -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "read"),
    [(5, 5), (1.5, 1.5), (-1, 0), (11, 10), (10**400, 10), (-(10**400), 0), (float("inf"), 10),
     (float("-inf"), 0), (float("nan"), 7), (True, 7), (None, 7), ("5", 7), ([], 7), ({}, 7)],
    ids=lambda value: str(value)[:20],
)  # fmt: skip
def test_a_number_from_outside_is_kept_in_its_range(value, read):
    assert read_number(value, 7, 0, 10) == read


ANYTHING = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just(10**400)
    | st.lists(st.integers(), max_size=2) | st.sampled_from(["nan", "1e400", "True", "paper", "1"])
)  # fmt: skip


@given(ANYTHING)
def test_no_value_makes_reading_raise(value):
    for field in FabricSettings.fields():
        found = field.read(value)
        assert found is None or field.check(found) == found
    assert 0 <= read_number(value, 7, 0, 10) <= 10
