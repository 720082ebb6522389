"""The files that the documentation names exist, and the rules that it states are those held."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCS = sorted((ROOT / "docs").glob("*.md"))
_PATH = re.compile(
    r"`((?:lib_fabric|scripts|javascript|tests|localizations|docs|style\.css)[\w/.*-]*)`"
)


@pytest.mark.parametrize("page", DOCS, ids=lambda path: path.name)
def test_named_files_exist(page):
    named = _PATH.findall(page.read_text("utf-8"))
    assert len(named) > 5
    for path in named:
        assert list(ROOT.glob(path)), f"{page.name} names {path}"


@pytest.mark.parametrize("page", DOCS, ids=lambda path: path.name)
def test_links_lead_somewhere(page):
    for link in re.findall(r"\]\(([^)#:]+)\)", page.read_text("utf-8")):
        assert (page.parent / link).exists(), link


def test_every_package_is_in_the_picture_and_the_table():
    text = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    picture = text.split("```mermaid")[1].split("```")[0]
    packages = [path.parent.name for path in (ROOT / "lib_fabric").glob("*/__init__.py")]
    assert len(packages) > 3
    for package in packages:
        assert f'{package}["' in picture
        assert f"| `lib_fabric/{package}` |" in text
