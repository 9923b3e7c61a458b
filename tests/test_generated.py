"""What is generated is what is committed."""

import subprocess
import sys
from functools import partial

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


def test_a_stale_file_is_named(tmp_path, monkeypatch, capsys):
    """Each of them, alone: the check is not vacuous."""
    texts = {path: make() for path, make in generate.FILES.items()}
    monkeypatch.setattr(generate, "FILES", {path: partial(texts.get, path) for path in texts})
    for path in texts:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text((generate.ROOT / path).read_text("utf-8"), "utf-8")
    (tmp_path / "pyproject.toml").write_text((generate.ROOT / "pyproject.toml").read_text())
    monkeypatch.setattr(generate, "ROOT", tmp_path)
    monkeypatch.setattr(sys, "argv", ["generate", "--check"])
    assert generate.main() == 0
    for path in texts:
        right = (tmp_path / path).read_text("utf-8")
        (tmp_path / path).write_text("stale")
        assert generate.main() == 1
        assert capsys.readouterr().out == f"{path}: stale\n"
        (tmp_path / path).write_text(right, "utf-8")
