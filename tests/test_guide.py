"""What the guide for authors of backends shows works, and fails, as it says."""

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

GUIDE = (Path(__file__).resolve().parent.parent / "specs" / "writing-a-backend.md").read_text("utf-8")
PROGRAMS = {program.split()[1]: program for program in re.findall(r"```python\n(.*?)```", GUIDE, re.DOTALL)}
COMMANDS = [line for line in GUIDE.splitlines() if re.match(r"mobstore check \w+:", line)]
(SERVED,) = (line for line in GUIDE.splitlines() if line.startswith('mobstore check "exec:'))
FAILS = {"cloud": [], "hasty": ["threads"], "forgetful": ["handles"], "modest": []}
"""The chapters that the guide says each backend fails; others may fail, too, but none is needed."""


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A directory with the guide's programs."""
    directory = tmp_path_factory.mktemp("guide")
    for name, program in PROGRAMS.items():
        (directory / name).write_text(program)
    return directory


def chapters_of(place, command, *more):
    """Run a command of the guide, with more arguments; return the exit code, and the report of each chapter."""
    arguments = shlex.split(command)[1:]
    done = subprocess.run(
        [sys.executable, "-m", "mobstore.properties.cli", *arguments, *more, "--json"],
        cwd=place,
        env={**os.environ, "PYTHONPATH": str(place)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)["chapters"]


def failed_chapters(place, command, *more):
    """Run a command of the guide, with more arguments; return the exit code and the chapters that failed."""
    code, chapters = chapters_of(place, command, *more)
    return code, [each["chapter"] for each in chapters if each["verdict"] != "passed"]


def test_the_counterexample_on_the_page_is_what_is_printed(place):
    """Call by call."""
    (shown,) = re.findall(r"```\n(import pytest\n.*?)```", GUIDE, re.DOTALL)
    (command,) = (command for command in COMMANDS if " forgetful:" in command)
    _, (handles,) = chapters_of(place, command, "--seed=1", "--chapter=handles")
    assert handles["counterexample"] == shown


def test_two_winners_are_told_as_on_the_page(place):
    """Which of the two calls first is left to chance, and so is whether a third one is left out."""
    (shown,) = re.findall(r"```text\n(.*?)```", GUIDE, re.DOTALL)
    (command,) = (command for command in COMMANDS if " hasty:" in command)
    _, (threads,) = chapters_of(place, command, "--seed=1", "--chapter=threads")
    table = threads["counterexample"].partition("    # ")[2]
    for told in (shown, table):
        assert told.startswith("not linearizable (double success): two calls replaced the value"), told
        assert told.count("cas_flow_state(run_id=A,") >= 2, told
        assert told.count("-> True") >= 2, told


def test_every_backend_has_a_command():
    """And every command a backend of the page."""
    assert [re.search(r"check (\w+):", command)[1] for command in COMMANDS] == list(FAILS)
    assert len(COMMANDS) + 1 == sum(line.startswith("mobstore ") for line in GUIDE.splitlines())
    assert set(PROGRAMS) == {f"{name}.py" for name in FAILS}


@pytest.mark.parametrize("name", FAILS)
def test_the_suite_finds_what_the_guide_says(place, name):
    """In the chapter that it names; the backend that is right passes them."""
    (command,) = (command for command in COMMANDS if f" {name}:" in command)
    chapters = [f"--chapter={chapter}" for chapter in ("smoke", "handles", "threads")]
    code, failed = failed_chapters(place, command, "--seed=1", *chapters)
    assert (code, failed) == (int(bool(FAILS[name])), FAILS[name])


def test_a_program_is_checked_as_shown(place):
    """Ours, over the wire; the command must be found, wherever the tests are run from."""
    command = SERVED.replace("exec:mobstore", f"exec:{shlex.quote(sys.executable)} -m mobstore.properties.cli")
    code, failed = failed_chapters(place, command, "--seed=1", "--chapter=smoke", "--chapter=requests")
    assert (code, failed) == (0, [])


def test_what_ci_runs_is_what_the_command_takes(place):
    """The options of the recipe exist, and write what they say."""
    (line,) = (line for line in GUIDE.splitlines() if "--junit" in line)
    command = line.partition("run: ")[2].replace("--profile ci", "--profile quick")
    (place / "known.txt").write_text("# none\n")
    code, failed = failed_chapters(place, command, "--seed=1", "--chapter=smoke")
    assert (code, failed) == (0, [])
    assert "<testsuite " in (place / "report.xml").read_text()
    assert "<!doctype html>" in (place / "report.html").read_text()


def test_a_declared_refusal_is_held_to(place):
    """In the chapter about it."""
    (command,) = (command for command in COMMANDS if "modest" in command)
    assert failed_chapters(place, command, "--seed=1", "--chapter=capabilities") == (0, [])
