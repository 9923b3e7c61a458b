"""The built wheel works in an empty environment, with the light dependencies and with types."""

import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PROGRAM = """
from mobstore.backends import aio, memory, sqlite
from mobstore.model import MobRun, MobRunStatus, FlowRunState, NewMobEvent, RunId, Timestamp


def main() -> int:
    run_id = RunId("11111111-0000-4000-8000-000000000001")
    with memory.open() as stores, sqlite.open("stores.db") as durable:
        for each in (stores, durable):
            run = MobRun(
                run_id, "mob", "flow", MobRunStatus.PENDING, FlowRunState(), Payload.of({"topic": "x"}),
                Timestamp.parse("2026-01-01T00:00:00Z"),
            )
            each.runs.create_run(run)
            won: bool = each.runs.cas_run_status(run_id, MobRunStatus.PENDING, MobRunStatus.RUNNING)
            found = each.runs.get_run(run_id)
            assert won and found is not None and found.status is MobRunStatus.RUNNING
            assert each.events.append(NewMobEvent("mob", Document.of({"type": "mob_reset"}))).cursor == 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
""".replace("RunId, Timestamp", "Document, Payload, RunId, Timestamp")
WRONG = PROGRAM.replace("won: bool", "won: str").replace("found is not None and ", "")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel, built from a copy of what is committed or about to be."""
    out, tree = tmp_path_factory.mktemp("wheel"), tmp_path_factory.mktemp("tree") / "mobstore"
    # A copy, for a build leaves files behind that a later one would take for sources.
    shutil.copytree(ROOT, tree, ignore=shutil.ignore_patterns(".*", "build", "*.egg-info", "__pycache__", "tests"))
    run([sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(tree)], tree)
    (built,) = out.glob("mobstore-*.whl")
    return built


def run(command, cwd):
    environment = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "MYPYPATH")}
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_wheel_works_in_an_empty_environment(wheel, tmp_path):
    """With attrs and rpds-py, and without solver, test tools or reports; nothing called "model" is installed."""
    venv.create(tmp_path / "env", with_pip=True)
    python = tmp_path / "env" / "bin" / "python"
    run([python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", wheel], tmp_path)
    (tmp_path / "program.py").write_text(PROGRAM)
    run([python, "program.py"], tmp_path)
    installed = run([python, "-m", "pip", "list", "--format=freeze", "--disable-pip-version-check"], tmp_path)
    names = {line.partition("==")[0].lower() for line in installed.split()}
    assert names - {"pip", "setuptools", "wheel"} == {"attrs", "mobstore", "rpds-py"}
    loaded = run([python, "-c", "import sys, mobstore.backends.memory; print(*sys.modules)"], tmp_path).split()
    assert not {"model", "backends", "properties", "hypothesis", "z3", "rich", "sqlite3"} & set(loaded)
    missing = subprocess.run(
        [tmp_path / "env" / "bin" / "mobstore", "check", "memory"], capture_output=True, text=True, check=False
    )
    assert missing.returncode == 2
    assert "pip install 'mobstore[check]'" in missing.stderr


def test_a_program_that_imports_the_installed_package_is_type_checked(wheel, tmp_path):
    """mypy strict passes on a right program, and sees what is wrong with a wrong one."""
    target = tmp_path / "site"
    run([sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", target, wheel], tmp_path)
    for name, text in (("program.py", PROGRAM), ("wrong.py", WRONG)):
        (tmp_path / name).write_text(text)
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file=", "--cache-dir", str(tmp_path / "cache")]
    environment = {**os.environ, "MYPYPATH": str(target)}
    right, wrong = (
        subprocess.run([*command, name], cwd=tmp_path, capture_output=True, text=True, check=False, env=environment)
        for name in ("program.py", "wrong.py")
    )
    assert right.returncode == 0, right.stdout
    assert wrong.returncode == 1
    assert 'Incompatible types in assignment (expression has type "bool", variable has type "str")' in wrong.stdout
    assert 'Item "None" of "MobRun | None" has no attribute "status"' in wrong.stdout
