"""Who may know whom: the packages of the extension, held by reading the files.

A line per package: what it is allowed to know, checked over everything that its modules import, and
what these import in turn.
"""

import ast
import functools
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "lib_fabric"
SCRIPTS = sorted((ROOT / "scripts").glob("*.py"))

# "lib_fabric" is the ground: the modules that lie in lib_fabric itself.
OWN = {
    "lib_fabric": set(),
    "attention": {"lib_fabric"},
    "steering": {"attention", "lib_fabric"},
    "library": {"lib_fabric"},
    "page": {"library", "lib_fabric"},
    "hosts": {"page", "library", "steering", "attention", "lib_fabric"},
}
# Beyond the standard library.
FOREIGN = {
    "lib_fabric": {"numpy", "PIL"},
    "attention": {"torch"},
    "steering": {"torch", "numpy", "PIL"},
    "library": {"numpy", "PIL"},
    "page": {"gradio", "numpy", "PIL"},
    "hosts": {"modules", "gradio", "torch", "numpy", "PIL"},
}
# Of the ground, attention knows these alone.
GROUND_OF_ATTENTION = {"errors"}
MOST_MODULES = 12
FILES = sorted(PACKAGE.rglob("*.py"))


def _name(path):
    """A file's dotted name below lib_fabric; a package's own file has the package's name."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {_name(path): path for path in FILES}


def _package(name):
    first = name.partition(".")[0]
    return first if first in OWN else "lib_fabric"


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
            below = {f"{name}.{each}" if name else each for each in names} & set(MODULES)
            own |= below or {name}
    return own


@functools.cache
def _reached(name):
    """The module and everything of ours that it imports, however far."""
    seen, waiting = set(), {name}
    while waiting:
        each = waiting.pop()
        seen.add(each)
        waiting |= _own(MODULES[each]) - seen
    return seen


@pytest.mark.parametrize("name", MODULES)
def test_a_module_knows_only_what_its_package_may(name):
    package = _package(name)
    for each in _reached(name):
        assert _package(each) in {package, *OWN[package]}, f"{name} reaches {each}"
        assert _foreign(MODULES[each]) <= FOREIGN[package], f"{name} reaches it by {each}"


@pytest.mark.parametrize("name", MODULES)
def test_imports_run_in_one_direction(name):
    for each in _own(MODULES[name]):
        assert name not in _reached(each), f"{name} and {each} import each other"


def test_attention_knows_nobody_of_ours_but_errors():
    reached = {each for name in MODULES if _package(name) == "attention" for each in _reached(name)}
    assert {each for each in reached if _package(each) == "lib_fabric"} <= GROUND_OF_ATTENTION


def test_hosts_is_imported_by_the_script_alone():
    for name, path in MODULES.items():
        if _package(name) != "hosts":
            assert not any(_package(each) == "hosts" for each in _own(path)), name


def test_nobody_imports_a_model_library():
    everything = {name for path in [*FILES, *SCRIPTS] for name in _foreign(path)}
    assert not everything & {"ldm", "sgm", "k_diffusion", "ldm_patched", "diffusers", "xformers"}


def test_packages_themselves_import_nothing():
    for path in FILES:
        if path.name == "__init__.py":
            assert list(_imports(path)) == [], path


def test_no_folder_is_crowded():
    for folder in (PACKAGE, *(path for path in PACKAGE.rglob("*") if path.is_dir())):
        modules = [path for path in folder.glob("*.py") if path.name != "__init__.py"]
        assert len(modules) <= MOST_MODULES, folder
    assert len(list((ROOT / "javascript").glob("*"))) <= MOST_MODULES


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_a_script_is_thin(path):
    assert _foreign(path) == {"modules"}
    assert len(path.read_text("utf-8").splitlines()) <= 150
    tree = ast.parse(path.read_text("utf-8"))
    # The host runs the file without entering it in sys.modules, which dataclasses cannot bear,
    # and registers every Script subclass that it finds among the names of the file.
    assert not any("dataclass" in names for _, names in _imports(path))
    assert not any("Script" in names for _, names in _imports(path))
    # Its folder is on sys.path only while it is being executed.
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef):
            inside = [n for n in ast.walk(function) if isinstance(n, (ast.Import, ast.ImportFrom))]
            assert not inside, f"{function.name} imports when the folder is off the path"


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_scripts_holds_scripts_alone(path):
    """The host runs each of them as a script, and executes a helper twice."""
    assert path.stem.startswith("fabric")
    assert "(scripts.Script):" in path.read_text("utf-8")


def test_what_tests_share_lies_apart_from_tests():
    for path in sorted((ROOT / "tests").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ImportFrom):
                names = [*(node.module or "").split("."), *(alias.name for alias in node.names)]
                is_ours = node.level > 0 or names[0] == "tests"
                found = [name for name in names if is_ours and name.startswith("test_")]
                assert not found, f"{path} imports {found}"


def test_the_reference_shares_no_code():
    assert _own(ROOT / "tests/helpers/reference.py") == set()


@pytest.mark.parametrize("path", [*FILES, *SCRIPTS], ids=lambda path: path.stem)
def test_files_and_functions_stay_small(path):
    text = path.read_text("utf-8")
    assert len(text.splitlines()) < 300
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            assert node.end_lineno - node.lineno < 40, f"{node.name} is long"


@pytest.mark.parametrize("path", [*FILES, *SCRIPTS], ids=lambda path: path.stem)
def test_what_is_put_on_foreign_objects_has_our_prefix(path):
    """Private attributes set on anything but `self`, and names given to setattr."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        targets = node.targets if isinstance(node, ast.Assign) else []
        for target in targets:
            if isinstance(target, ast.Attribute) and target.attr.startswith("_"):
                owner = target.value.id if isinstance(target.value, ast.Name) else "?"
                assert owner == "self" or target.attr.startswith("_fabric_ext_"), target.attr
