"""Where the host takes one file per language, ours must not be that file."""

from types import SimpleNamespace

import pytest

from tests.helpers.fake_modules import fake_modules, imported_anew


@pytest.fixture
def module(monkeypatch, tmp_path):
    """lib_fabric.hosts.localization on fake modules, which are attributes of it."""
    contents = {
        "localization": {"localizations": {}},
        "scripts": {"list_scripts": lambda folder, ending: []},
        "shared": {"cmd_opts": SimpleNamespace(localizations_dir=str(tmp_path / "host"))},
    }
    fake_modules(monkeypatch, contents)
    with imported_anew("lib_fabric.hosts.localization") as module:
        yield module


def script_files(*paths):
    files = [SimpleNamespace(filename=str(path).split("/")[-1], path=str(path)) for path in paths]
    return lambda folder, ending: files


def test_another_file_of_the_language_is_put_in_place_of_ours(module, tmp_path):
    ours, theirs = module.OURS / "ja_JP.json", tmp_path / "pack" / "ja_JP.json"
    other = tmp_path / "pack" / "ko_KR.json"
    module.scripts.list_scripts = script_files(theirs, other, ours)
    module.localization.localizations = {"ja_JP": str(ours), "ko_KR": str(other)}
    module.yield_to_whole_translations()
    assert module.localization.localizations == {"ja_JP": str(theirs), "ko_KR": str(other)}


def test_the_hosts_own_folder_counts(module, tmp_path):
    ours, theirs = module.OURS / "de_DE.json", tmp_path / "host" / "de_DE.json"
    theirs.parent.mkdir()
    theirs.write_text("{}")
    module.scripts.list_scripts = script_files(ours)
    module.localization.localizations = {"de_DE": str(ours)}
    module.yield_to_whole_translations()
    assert module.localization.localizations == {"de_DE": str(theirs)}


def test_alone_ours_stays(module):
    ours = module.OURS / "de_DE.json"
    module.scripts.list_scripts = script_files(ours)
    module.localization.localizations = {"de_DE": str(ours)}
    module.yield_to_whole_translations()
    assert module.localization.localizations == {"de_DE": str(ours)}


def test_where_files_are_merged_nothing_changes(module, tmp_path):
    both = [str(module.OURS / "de_DE.json"), str(tmp_path / "pack" / "de_DE.json")]
    module.localization.localizations = {"de_DE": both}
    module.yield_to_whole_translations()
    assert module.localization.localizations == {"de_DE": both}
