"""`make setup`: what it takes for finished, for broken, and for too old."""

import os
import subprocess
import sys
import venv

import pytest

from tests.helpers.commands import ROOT
from tests.set_up import DONE, REQUIREMENTS, is_complete, named_in, package_in, reason_to_rebuild


@pytest.fixture
def folder(tmp_path):
    """A finished virtual environment, below a path with a space, that has no packages."""
    folder = tmp_path / "with a space" / ".venv"
    venv.create(folder, with_pip=False, symlinks=True)
    package = next(folder.glob("lib/*/site-packages")) / "pip"
    package.mkdir()
    (package / "__init__.py").touch()
    (folder / DONE).touch()
    return folder


def test_a_finished_one_is_left_alone(folder):
    assert reason_to_rebuild(folder, same_python=True) is None
    assert is_complete(folder)


def test_where_there_is_none_nothing_is_wrong(tmp_path):
    assert reason_to_rebuild(tmp_path / ".venv", same_python=True) is None
    assert not is_complete(tmp_path / ".venv")


def test_one_that_was_cut_off_is_made_anew(folder):
    (folder / DONE).unlink()
    assert "not finished" in reason_to_rebuild(folder, same_python=False)


def test_one_whose_python_is_gone_is_made_anew(folder):
    (folder / "bin" / "python").unlink()
    assert "gone" in reason_to_rebuild(folder, same_python=False)


def test_one_whose_pip_is_broken_is_made_anew(folder):
    (pip,) = folder.glob("lib/*/site-packages/pip/__init__.py")
    pip.write_text("half a fi")
    assert "does not run" in reason_to_rebuild(folder, same_python=False)


def test_one_of_another_python_is_made_anew_only_where_one_was_asked_for(folder):
    python = folder / "bin" / "python"
    python.unlink()
    python.write_text("#!/bin/sh\necho 3 9\n")
    python.chmod(0o755)
    assert "3.9" in reason_to_rebuild(folder, same_python=True)
    assert reason_to_rebuild(folder, same_python=False) is None


def test_newer_requirements_are_installed_on_top(folder):
    os.utime(folder / DONE, (1, 1))
    assert not is_complete(folder)
    assert reason_to_rebuild(folder, same_python=True) is None


def test_every_line_that_names_a_package_is_counted():
    names = [name for file in REQUIREMENTS for name in named_in(file)]
    assert {"torch", "gradio", "k-diffusion"} <= set(names)
    lines = [line for file in REQUIREMENTS for line in file.read_text("utf-8").splitlines()]
    assert len(names) == len([line for line in lines if "==" in line])


@pytest.mark.parametrize(
    ("line", "package"),
    [
        (
            "Collecting k-diffusion==0.1.1 (from -r /a b/tests/requirements.txt (line 3))",
            "k-diffusion",
        ),
        ("Requirement already satisfied: torch==2.13.0 in ./.venv/lib", "torch"),
        ("Processing /a b/wheels-2/attrs-26.1.0-py3.whl (from -r /c/requirements.txt)", "attrs"),
        ("Processing ./pandas-2.3.3.tar.gz", "pandas"),
        ("  Downloading torch-2.13.0.whl (180 MB)", None),
        ("Installing collected packages: torch", None),
    ],
    ids=str,
)
def test_what_pip_has_got_to_is_read_from_its_lines(line, package):
    assert package_in(line) == package


@pytest.mark.parametrize("python", ["/no/such python", "/bin/false"])
def test_a_wrong_python_is_refused_in_one_sentence_before_anything_is_made(tmp_path, python):
    command = ["make", "--no-print-directory", "-f", ROOT / "Makefile", "setup"]
    command += [f"PYTHON={python}", f"VENV={tmp_path / 'venv'}"]
    made = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert made.returncode != 0
    (line,) = made.stdout.splitlines()
    assert "Python 3.10 or 3.11 is needed" in line
    assert python in line
    assert list(tmp_path.iterdir()) == []


def test_help_of_each_command_names_its_own_options_and_defaults():
    for command, there, not_there in (
        (["tests.fuzz", "--help"], ["--operations", "10000", "--seed"], "--minutes"),
        (["tests.fuzz", "soak", "--help"], ["--minutes", "20", "--clients", "3"], "--operations"),
        (
            ["tests.eval", "--help"],
            ["'Target picture'", "'contrast'", "'no feedback'"],
            "--clients",
        ),
    ):
        told = subprocess.run(
            [sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True, check=True
        )
        assert all(text in told.stdout for text in there), told.stdout
        assert not_there not in told.stdout
