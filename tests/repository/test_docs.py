"""The files that the documentation names exist, and the rules that it states are those held."""

import os
import re
from pathlib import Path

import pytest
import yaml

from lib_fabric import __version__

ROOT = Path(__file__).resolve().parents[2]
DOCS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
_PATH = re.compile(
    r"`((?:lib_fabric|scripts|javascript|tests|localizations|docs|style\.css)[\w/.*-]*)`"
)


def test_architecture_names_files():
    assert len(_PATH.findall((ROOT / "docs" / "architecture.md").read_text("utf-8"))) > 30


@pytest.mark.parametrize("page", DOCS, ids=lambda path: path.name)
def test_named_files_exist(page):
    for path in _PATH.findall(page.read_text("utf-8")):
        assert list(ROOT.glob(path)), f"{page.name} names {path}"


@pytest.mark.parametrize("page", DOCS, ids=lambda path: path.name)
def test_links_lead_somewhere(page):
    for link, anchor in re.findall(r"\]\(([^)#:]+)(?:#([^)]+))?\)", page.read_text("utf-8")):
        target = page.parent / link
        assert target.exists(), link
        if anchor:
            assert anchor in _anchors(target), f"{link}#{anchor}"


def _anchors(page):
    headings = re.findall(r"^#+ (.+)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", each).lower().replace(" ", "-") for each in headings}


def test_every_package_is_in_the_picture_and_the_table():
    text = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    picture = text.split("```mermaid")[1].split("```")[0]
    packages = [path.parent.name for path in (ROOT / "lib_fabric").glob("*/__init__.py")]
    assert len(packages) > 3
    for package in packages:
        assert f'{package}["' in picture
        assert f"| `lib_fabric/{package}` |" in text


def test_the_changelog_begins_with_the_version_that_users_see():
    text = (ROOT / "CHANGELOG.md").read_text("utf-8")
    assert re.search(r"^## \[(.+?)\]", text, re.MULTILINE)[1] == __version__


def test_ci_runs_what_its_workflow_names_with_pinned_actions():
    text = (ROOT / ".github" / "workflows" / "test.yml").read_text("utf-8")
    workflow = yaml.safe_load(text)
    job = workflow["jobs"]["test"]
    assert job["strategy"]["matrix"]["python"] == ["3.10", "3.11"]
    assert os.access(ROOT / job["steps"][-1]["run"], os.X_OK)
    assert workflow["permissions"] == {"contents": "read"}
    for step in job["steps"]:
        assert "uses" not in step or re.search(r"@[0-9a-f]{40}$", step["uses"])
