"""Who may import what: the layout of the extension, held by reading the files."""

import ast
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "lib_fabric"
SCRIPT = ROOT / "scripts" / "fabric.py"

# Every module of lib_fabric, from top to bottom, with the packages beyond the standard library
# that it may know. It may import modules of lib_fabric below it only. A new module needs a line.
LAYERS = {
    "host": {"modules", "torch"},
    "host_pictures": {"modules", "PIL"},
    "host_xyz": {"modules"},
    "host_sharing": set(),
    "host_localization": {"modules"},
    "host_options": {"modules", "gradio", "torch"},
    "xyz": set(),
    "sampling": set(),
    "ui": {"gradio"},
    "ui_relay": {"gradio"},
    "ui_panels": set(),
    "ui_history_html": set(),
    "ui_presets_html": set(),
    "ui_html": set(),
    "ui_answers": {"PIL"},
    "ui_presets": set(),
    "ui_outcome": set(),
    "ui_actions": set(),
    "ui_ratings": set(),
    "library": set(),
    "background": set(),
    "preset_archive": set(),
    "presets": set(),
    "active_sets": set(),
    "session": {"torch"},
    "row_plan": {"torch"},
    "methods": set(),
    "row_numbers": {"torch"},
    "reference_pass": {"torch"},
    "looks": {"torch"},
    "state_cache": {"torch"},
    "hooks": {"torch"},
    "memory": set(),
    "merging": {"torch"},
    "row_attention": {"torch"},
    "latents": {"torch", "numpy", "PIL"},
    "attention": {"torch"},
    "schedule": set(),
    "infotext": set(),
    "request": set(),
    "history": set(),
    "history_change": set(),
    "database": set(),
    "database_schema": set(),
    "store": {"PIL"},
    "picture_lists": set(),
    "thumbnails": {"PIL"},
    "store_usage": set(),
    "records": set(),
    "files": set(),
    "pictures": {"numpy", "PIL"},
    "rating": set(),
    "settings": set(),
    "visible_text": set(),
    "errors": set(),
    "__init__": set(),
}
# Downwards, and still not allowed: each is told what it needs.
NOT_EACH_OTHER = {
    "host": {"ui", "request", "store"},
    "host_options": {"ui", "session"},
    "host_xyz": {"ui", "session"},
    "ui": {"session", "hooks"},
    "session": {"store", "pictures"},
    "hooks": {"latents", "schedule", "settings"},
    "reference_pass": {"schedule", "request", "settings"},
}
FILES = sorted(PACKAGE.rglob("*.py"))


def _imports(path):
    """Every (module, names) that the file imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((alias.name, set()) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name}: a relative import"
            yield node.module, {alias.name for alias in node.names}


def _foreign(path):
    """The packages beyond the standard library and lib_fabric that the file imports."""
    roots = {module.partition(".")[0] for module, _ in _imports(path)}
    return roots - set(sys.stdlib_module_names) - {"lib_fabric"}


def _own(path):
    """The modules of lib_fabric that the file imports."""
    own = set()
    for module, names in _imports(path):
        package, _, name = module.partition(".")
        if package == "lib_fabric":
            own |= {name} if name else names & set(LAYERS)
    return own


def test_every_module_has_its_place():
    assert {path.relative_to(PACKAGE).with_suffix("").as_posix() for path in FILES} == set(LAYERS)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_module_knows_only_what_its_place_allows(path):
    assert _foreign(path) <= LAYERS[path.stem]
    order = list(LAYERS)
    for name in _own(path):
        assert order.index(name) > order.index(path.stem), f"{path.stem} imports {name} above it"
    assert not _own(path) & NOT_EACH_OTHER.get(path.stem, set())


def test_only_modules_named_host_know_the_host():
    knowing = {path.stem for path in FILES if "modules" in _foreign(path)}
    assert knowing == {"host", "host_localization", "host_options", "host_pictures", "host_xyz"}
    everything = {name for path in [*FILES, SCRIPT] for name in _foreign(path)}
    assert not everything & {"ldm", "sgm", "k_diffusion", "ldm_patched", "diffusers", "xformers"}


def test_the_package_itself_imports_nothing():
    assert list(_imports(PACKAGE / "__init__.py")) == []


@pytest.mark.parametrize("top", ["ui", "library", "request", "store", "settings"])
def test_the_page_gets_by_without_torch(top):
    """Over everything that it imports, too."""
    seen, waiting = set(), {top}
    while waiting:
        name = waiting.pop()
        seen.add(name)
        assert "torch" not in _foreign(PACKAGE / f"{name}.py"), name
        waiting |= _own(PACKAGE / f"{name}.py") - seen


def test_the_script_is_thin():
    assert _foreign(SCRIPT) == {"modules"}
    assert len(SCRIPT.read_text("utf-8").splitlines()) <= 150
    tree = ast.parse(SCRIPT.read_text("utf-8"))
    # The host runs the file without entering it in sys.modules, which dataclasses cannot bear,
    # and registers every Script subclass that it finds among the names of the file.
    assert not any("dataclass" in names for _, names in _imports(SCRIPT))
    assert not any("Script" in names for _, names in _imports(SCRIPT))
    # Its folder is on sys.path only while it is being executed.
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef):
            inside = [n for n in ast.walk(function) if isinstance(n, (ast.Import, ast.ImportFrom))]
            assert not inside, f"{function.name} imports when the folder is off the path"


def test_scripts_holds_one_file():
    """The host runs each of them as a script."""
    assert sorted((ROOT / "scripts").glob("*.py")) == [SCRIPT]


def test_the_reference_shares_no_code():
    assert _own(ROOT / "tests/reference.py") == set()


@pytest.mark.parametrize("path", [*FILES, SCRIPT], ids=lambda path: path.stem)
def test_files_and_functions_stay_small(path):
    text = path.read_text("utf-8")
    assert len(text.splitlines()) < 300
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            assert node.end_lineno - node.lineno < 40, f"{node.name} is long"


@pytest.mark.parametrize("path", [*FILES, SCRIPT], ids=lambda path: path.stem)
def test_what_is_put_on_foreign_objects_has_our_prefix(path):
    """Private attributes set on anything but `self`, and names given to setattr."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        targets = node.targets if isinstance(node, ast.Assign) else []
        for target in targets:
            if isinstance(target, ast.Attribute) and target.attr.startswith("_"):
                owner = target.value.id if isinstance(target.value, ast.Name) else "?"
                assert owner == "self" or target.attr.startswith("_fabric_ext_"), target.attr
