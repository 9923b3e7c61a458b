"""What the README shows works as it is shown."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from mobstore.properties import cli

README = (Path(__file__).resolve().parent.parent / "README.md").read_text("utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


def test_the_first_program_runs(tmp_path):
    """On the memory backend, and with the other line on SQLite."""
    use = next(block for block in BLOCKS if "memory.open()" in block)
    sqlite = use.replace("import memory", "import sqlite").replace("memory.open()", 'sqlite.open("runs.db")')
    for program in (use, sqlite):
        done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr
    assert (tmp_path / "runs.db").stat().st_mode & 0o777 == 0o600


def test_a_backend_is_plugged_in_as_shown(tmp_path):
    """In under twenty lines, and the installed command finds it where its user is."""
    plug = next(block for block in BLOCKS if block.startswith("# shop.py"))
    assert len(plug.splitlines()) < 20
    (tmp_path / "shop.py").write_text(plug)
    command = [str(Path(sys.executable).with_name("mobstore")), "check", "shop:ShopFactory", "--chapter", "smoke"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "shop:ShopFactory: PASSED" in done.stdout


def test_a_backend_is_plugged_into_pytest_as_shown(tmp_path):
    """In under twenty lines; each chapter is a test, and the level is told at the end."""
    for name in ("shop.py", "test_shop.py"):
        block = next(block for block in BLOCKS if block.startswith(f"# {name}"))
        assert len(block.splitlines()) < 20
        (tmp_path / name).write_text(block)
    # -k leaves chapters out, and what is left out counts against the level.
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--mobstore-seed", "1", "-k"]
    done = subprocess.run(
        [*command, "smoke or awkward or capabilities"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout
    assert "2 passed, 1 skipped" in done.stdout
    assert "test_shop.py::TestShop: level: none (profile quick, seed 1)" in done.stdout


def test_every_command_of_the_table_exists(capsys):
    """And has a help of its own."""
    commands = re.findall(r"\| `mobstore (\w+)", README)
    assert len(commands) >= 5
    for command in commands:
        with pytest.raises(SystemExit, match="0"):
            cli.main([command, "--help"])
        assert "usage: mobstore" in capsys.readouterr().out
