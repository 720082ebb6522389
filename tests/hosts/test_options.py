"""The FABRIC section of Settings: what is offered, and that what is stored there is checked."""

import re

import pytest

from lib_fabric import __version__
from tests.helpers.fake_modules import fake_modules, imported_anew, option_modules


def short(value):
    """A value as it may stand in the name of a test."""
    return str(value)[:20]


@pytest.fixture
def options(monkeypatch, tmp_path):
    """lib_fabric.hosts.options on fake modules; `options.shared` is the host's."""
    fake_modules(monkeypatch, option_modules(str(tmp_path)))
    with imported_anew("lib_fabric.hosts.options") as module:
        yield module


def test_every_option_is_in_our_section_with_a_short_label(options):
    options.add_options()
    labels = options.shared.opts.labels
    assert {option.section for option in labels.values()} == {("fabric", "FABRIC")}
    assert all(key.startswith("fabric_") for key in labels)
    for option in labels.values():
        words = option.label.split()
        assert len(words) <= 8
        assert all(word == word.lower() or word == word.upper() for word in words[1:] if word)
    assert labels["fabric_store_mb"].default == 4096
    assert labels["fabric_infotext"].default == "Settings and pictures"


def test_the_version_is_shown(options):
    options.add_options()
    assert f">{__version__}<" in options.shared.opts.labels["fabric_about"].default


def test_the_folder_is_bound_as_the_hosts_own_folders(options):
    options.add_options()
    option = options.shared.opts.labels["fabric_store_folder"]
    assert "fabric_store_folder" in options.shared.restricted_opts
    assert option.component_args == options.shared.hide_dirs
    assert option.needs_reload
    assert "dot" in option.infos[0]


@pytest.mark.parametrize("value", [None, "", "  ", "\u200b", "\ufeff \u3164"])
def test_the_default_folder_is_one_that_the_host_does_not_serve(options, tmp_path, value):
    options.shared.opts.fabric_store_folder = value
    relative = options.library_folder().relative_to(tmp_path)
    assert relative.parts[0].startswith(".")


def test_a_chosen_folder_may_be_absolute_or_below_the_data_folder(options, tmp_path):
    options.shared.opts.fabric_store_folder = str(tmp_path / "else" / "where")
    assert options.library_folder() == tmp_path / "else" / "where"
    options.shared.opts.fabric_store_folder = ".rated"
    assert options.library_folder() == tmp_path / ".rated"


def test_a_folder_of_an_unknown_user_is_replaced_by_the_default(options, tmp_path, caplog):
    options.shared.opts.fabric_store_folder = "~no-such-user/pictures"
    assert options.library_folder() == tmp_path / ".fabric"
    assert "~no-such-user/pictures" in caplog.text


@pytest.mark.parametrize("value", ["a\0b", "half \ud800 a letter"])
def test_a_folder_that_no_disk_can_have_is_replaced_by_the_default(
    options, tmp_path, caplog, value
):
    options.shared.opts.fabric_store_folder = value
    assert options.library_folder() == tmp_path / ".fabric"
    assert "using .fabric instead" in caplog.text


@pytest.mark.parametrize(
    ("value", "limit"),
    [(1, 2**20), (4096, 2**32), (0.5, 2**19), (0, None), (-5, None), (None, 2**32)]
    + [(10**400, 2**40), (-(10**400), None)]
    + [(odd, 2**32) for odd in ("many", True, [], float("nan"))],
    ids=short,
)
def test_the_limit_is_a_number_of_bytes_whatever_is_stored(options, value, limit):
    options.shared.opts.fabric_store_mb = value
    assert options.max_store_bytes() == limit


def test_without_a_stored_value_the_default_counts(options):
    assert options.max_store_bytes() == 2**32
    assert options.infotext_wanted() == "Settings and pictures"


def test_an_unknown_choice_for_infotext_writes_everything(options):
    for value in ("Settings only", "Nothing"):
        options.shared.opts.fabric_infotext = value
        assert options.infotext_wanted() == value
    options.shared.opts.fabric_infotext = ["Nothing"]
    assert options.infotext_wanted() == "Settings and pictures"


def test_infos_are_short_and_have_no_full_stop(options):
    options.add_options()
    for option in options.shared.opts.labels.values():
        if not option.label:  # a text, not a setting
            continue
        (info,) = option.infos
        assert len(info) < 150
        assert not re.search(r"[.]$|\. ", info)


@pytest.mark.parametrize(
    ("stored", "most"),
    [(1, 1), (64, 64), (256, 256), (12.0, 12), (0, 1), (-5, 1), (10**30, 256), (10**400, 256),
     (float("inf"), 256),
     (None, 64), ("many", 64), (True, 64), ([], 64), (float("nan"), 64)],
    ids=short,
)  # fmt: skip
def test_the_cap_on_pictures_is_what_the_options_say_within_reason(options, stored, most):
    assert options.max_pictures() == 64, "before the option is there"
    options.shared.opts.fabric_max_pictures = stored
    assert options.max_pictures() == most


@pytest.mark.parametrize(
    "stored", [None, "much", [], {}, True, float("nan"), 10**400, -(10**400)], ids=short
)
def test_an_unusable_option_never_stops_a_generation(options, stored):
    from lib_fabric.steering.state_cache import StateCache

    options.shared.opts.fabric_keep_states = stored
    options.shared.opts.fabric_keep_states_mb = stored
    options.configure_states(StateCache())


@pytest.mark.parametrize(
    ("stored", "start_values"),
    [
        (1.2, {"strength": 1.2}),
        (0, {"strength": 0.0}),
        (1, {"strength": 1.0}),
        (0.8, {}),
        (99, {"strength": 2.0}),
        (10**400, {"strength": 2.0}),
        (None, {}),
        (True, {}),
        ("1.2", {}),
        (float("nan"), {}),
    ],
    ids=short,
)
def test_the_default_strength_is_one_that_the_slider_can_show(options, stored, start_values):
    assert options.start_values() == {}
    options.shared.opts.fabric_strength = stored
    assert options.start_values() == start_values
    assert all(type(value) is float for value in options.start_values().values())


def test_a_default_strength_takes_a_reload(options):
    options.add_options()
    option = options.shared.opts.labels["fabric_strength"]
    assert option.needs_reload
    assert option.default == 0.8
