"""The stand-in has the names of the real host, and the contract that says so is true.

With FABRIC_WEBUI_DIR set to a real WebUI's folder its files are parsed (never imported) and the
contract is held to them as well.
"""

import ast
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.webui.contract import HostFolder

WEBUI = Path(__file__).resolve().parents[1] / "webui"
CONTRACT = json.loads((WEBUI / "contract.json").read_text(encoding="utf8"))
NEWEST = "1.10.1"
REAL = os.environ.get("FABRIC_WEBUI_DIR")

needs_real = pytest.mark.skipif(not REAL, reason="FABRIC_WEBUI_DIR is not set")


def contract_of(version):
    """All names of a version: those of the newest, with the differences put in."""
    return _whole(CONTRACT["versions"], NEWEST, version)


def contract_of_family(family):
    """All names of one of the families that came of Forge."""
    return _whole(CONTRACT["families"], "Forge", family)


def _whole(told, first, one):
    names = {**told[first], **told[one]}
    return {name: text for name, text in names.items() if text is not None}


def real_family(root):
    """Which of them a folder is; None for the WebUI that they came of."""
    if not (root / "modules_forge").is_dir():
        return None
    if (root / "ldm_patched").is_dir():
        return "reForge"
    return "Forge" if (root / "modules" / "hypernetworks").is_dir() else "Forge Neo"


def as_numbers(version):
    return tuple(int(part) for part in version.split("."))


def differences(expected, found):
    """Names whose text differs; for values only that they are there counts."""
    return {
        name: {"contract": told, "found": found.get(name)}
        for name, told in expected.items()
        if found.get(name) is None or (told != "value" and found[name] != told)
    }


def javascript(root):
    """Names of the functions in a host's scripts."""
    files = [root / "script.js", *sorted((root / "javascript").glob("*.js"))]
    return re.findall(r"function (\w+)\(", "\n".join(f.read_text(encoding="utf8") for f in files))


def real_version(root):
    """The version at the top of the change log that the contract knows, or the one before it."""
    text = (root / "CHANGELOG.md").read_text(encoding="utf8")
    newest = re.search(r"^## (\d+\.\d+\.\d+)", text, re.M).group(1)
    known = sorted(CONTRACT["versions"], key=as_numbers)
    return [v for v in known if as_numbers(v) <= as_numbers(newest)][-1]


@pytest.fixture(scope="module")
def standin_names():
    """What the stand-in's modules hold, looked up in a process of its own."""
    done = subprocess.run(
        [sys.executable, str(WEBUI / "introspect.py")],
        input=json.dumps(sorted(contract_of(NEWEST))),
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.integration
def test_the_standin_has_every_name_and_signature(standin_names):
    assert differences(contract_of(NEWEST), standin_names) == {}


def test_the_standin_has_every_javascript_function():
    assert set(CONTRACT["javascript"]) - set(javascript(WEBUI)) == set()


def test_the_contract_names_what_the_extension_imports():
    """Whatever `lib_fabric` and `scripts` take from `modules` is in the contract."""
    root = WEBUI.parents[1]
    known = contract_of(NEWEST)
    modules = {name.rpartition(".")[0] for name in known}
    modules |= {name.rpartition(".")[0].rpartition(".")[0] for name in known}
    used = set()
    for file in [*root.glob("lib_fabric/**/*.py"), *root.glob("scripts/*.py")]:
        text = file.read_text(encoding="utf8")
        for match in re.finditer(r"^\s*from (modules[\w.]*) import (\([^)]*\)|.*)", text, re.M):
            items = re.sub(r"#.*", "", match.group(2)).strip("()")
            used |= {f"{match.group(1)}.{i.split(' as ')[0].strip()}" for i in items.split(",")}
    used = {name for name in used if not name.endswith(".")}
    # the old name of infotext_utils: a file before 1.8.0, an alias in sys.modules since
    old = "modules.generation_parameters_copypaste"
    used -= {f"{old}.image_from_url_text", f"{old}.parse_generation_parameters"}
    assert used
    assert {name for name in used if name not in known and name not in modules} == set()


def test_the_contract_of_forge_names_what_its_adapter_imports():
    """Of every family: what one of them lacks would keep the script from loading there."""
    package = WEBUI.parents[1] / "lib_fabric" / "hosts"
    imported = set()
    for file in [*package.glob("forge/*.py"), *package.glob("common/*.py")]:
        for node in ast.walk(ast.parse(file.read_text("utf8"))):
            if isinstance(node, ast.ImportFrom) and node.module.partition(".")[0] == "modules":
                imported |= {f"{node.module}.{each.name}" for each in node.names}
    assert imported
    for family in CONTRACT["families"]:
        names = [name.split(".") for name in contract_of_family(family)]
        known = {".".join(parts[:length]) for parts in names for length in range(2, len(parts) + 1)}
        assert imported <= known, family


@pytest.mark.host
@needs_real
def test_the_contract_is_true_of_the_real_webui():
    root = Path(REAL)
    host = HostFolder(root)
    family = real_family(root)
    expected = contract_of_family(family) if family else contract_of(real_version(root))
    for name in expected:  # base classes are found in files already parsed
        host.describe(name)
    assert differences(expected, {name: host.describe(name) for name in expected}) == {}


@pytest.mark.host
@needs_real
def test_the_real_webui_has_the_javascript_functions():
    root = Path(REAL)
    if real_family(root):
        pytest.skip("the contract has no names of its page")
    version = as_numbers(real_version(root))
    expected = {n for n, since in CONTRACT["javascript"].items() if as_numbers(since) <= version}
    assert expected - set(javascript(root)) == set()


@pytest.mark.host
@needs_real
def test_the_real_webui_has_the_element_ids():
    files = sorted(Path(REAL, "modules").rglob("*.py"))
    text = "\n".join(f.read_text(encoding="utf8") for f in files)
    assert [i for i in CONTRACT["element_ids"] if i.replace("{tab}", "") not in text] == []
