"""What is generated is what is committed."""

import subprocess
import sys

import pytest

from mobstore.properties import generate


def test_no_generated_file_is_stale():
    """Run ``make generate`` when this fails."""
    done = subprocess.run(
        [sys.executable, "-m", "mobstore.properties.generate", "--check"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("path", generate.FILES)
def test_a_stale_file_is_named(path, tmp_path, monkeypatch, capsys):
    """The check is not vacuous."""
    for name in generate.FILES:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text((generate.ROOT / name).read_text("utf-8"), "utf-8")
    (tmp_path / "pyproject.toml").write_text((generate.ROOT / "pyproject.toml").read_text())
    monkeypatch.setattr(generate, "ROOT", tmp_path)
    monkeypatch.setattr(sys, "argv", ["generate", "--check"])
    assert generate.main() == 0
    (tmp_path / path).write_text("stale")
    assert generate.main() == 1
    assert f"{path}: stale" in capsys.readouterr().out
