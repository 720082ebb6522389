"""Presets of sd-webui-fabric, out of a .zip of its folder and from where it lies in the WebUI."""

from __future__ import annotations

import json
import shutil
import zipfile
from pathlib import Path

import pytest

from tests.helpers.pictures import image

pytestmark = [pytest.mark.browser, pytest.mark.slow]

expect = pytest.importorskip("playwright.sync_api").expect


def leave_presets(folder, *names):
    """What that extension writes."""
    for part in ("images", "presets"):
        (folder / part).mkdir(parents=True)
    image(4, 64, 64).save(folder / "images" / "0123456789abcdef.png")
    lists = {"liked_paths": ["0123456789abcdef.png"], "disliked_paths": []}
    for name in names:
        (folder / "presets" / f"{name}.json").write_text(json.dumps(lists), "utf-8")


def test_a_packed_folder_is_imported_as_a_preset_is(standin_page, tmp_path, request):
    page, name = standin_page, request.node.name
    leave_presets(tmp_path / "fabric", name)
    with zipfile.ZipFile(tmp_path / "fabric.zip", "w") as archive:
        for path in sorted((tmp_path / "fabric").rglob("*")):
            archive.write(path, path.relative_to(tmp_path))
    page.open_accordion()
    presets = page.open_panel("presets")
    with page.page.expect_file_chooser() as chooser:
        presets.locator("[data-do=import]").click()
    chooser.value.set_files(str(tmp_path / "fabric.zip"))
    page.expect_note(f"Imported as {name}")
    row = presets.locator(".fabric-preset", has_text=name)
    row.locator("[data-do=load]").click()
    page.expect_lists(1, 0)
    page.page.on("dialog", lambda dialog: dialog.accept())
    row.locator("[data-do=delete]").click()
    expect(row).to_have_count(0)


@pytest.fixture
def left(standin):
    """A folder of that extension in the stand-in."""
    folder = Path(standin.data_dir) / "log" / "fabric"
    leave_presets(folder, "Left there")
    yield folder
    shutil.rmtree(folder)


def test_what_lies_in_the_webui_is_offered_once(left, standin_page):
    page = standin_page
    page.open_accordion()
    presets = page.open_panel("presets")
    offer = presets.locator(".fabric-offer")
    expect(offer).to_contain_text("Presets of sd-webui-fabric in this WebUI: 1")
    offer.locator("[data-do=adopt]").click()
    row = presets.locator(".fabric-preset", has_text="Left there")
    expect(row.locator("img")).to_have_count(1)
    expect(offer).to_have_count(0)
    page.page.on("dialog", lambda dialog: dialog.accept())
    row.locator("[data-do=delete]").click()
    expect(row).to_have_count(0)
    expect(offer).to_have_count(0)
