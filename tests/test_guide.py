"""What the guide for authors of backends shows works, and fails, as it says."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

GUIDE = (Path(__file__).resolve().parent.parent / "specs" / "writing-a-backend.md").read_text("utf-8")
PROGRAMS = {program.split()[1]: program for program in re.findall(r"```python\n(.*?)```", GUIDE, re.DOTALL)}
COMMANDS = [line for line in GUIDE.splitlines() if line.startswith("mobstore check")]
FAILS = {"cloud": [], "hasty": ["threads"], "forgetful": ["handles"]}
"""The chapters that the guide says each backend fails; others may fail, too, but none is needed."""


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A directory with the guide's programs."""
    directory = tmp_path_factory.mktemp("guide")
    for name, program in PROGRAMS.items():
        (directory / name).write_text(program)
    return directory


def failed_chapters(place, command, *more):
    """Run a command of the guide, with more arguments; return the exit code and the chapters that failed."""
    arguments = command.split()[1:]
    done = subprocess.run(
        [sys.executable, "-m", "mobstore.properties.cli", *arguments, *more, "--json"],
        cwd=place,
        env={**os.environ, "PYTHONPATH": str(place)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout, done.stderr
    report = json.loads(done.stdout)
    return done.returncode, [each["chapter"] for each in report["chapters"] if each["verdict"] != "passed"]


def test_every_backend_has_a_command():
    """And every command a backend of the page."""
    assert [re.search(r"check (\w+):", command)[1] for command in COMMANDS] == list(FAILS)
    assert set(PROGRAMS) == {f"{name}.py" for name in FAILS}


@pytest.mark.parametrize("name", FAILS)
def test_the_suite_finds_what_the_guide_says(place, name):
    """In the chapter that it names; the backend that is right passes them."""
    (command,) = (command for command in COMMANDS if f" {name}:" in command)
    chapters = [f"--chapter={chapter}" for chapter in ("smoke", "handles", "threads")]
    code, failed = failed_chapters(place, command, "--seed=1", *chapters)
    assert (code, failed) == (int(bool(FAILS[name])), FAILS[name])
