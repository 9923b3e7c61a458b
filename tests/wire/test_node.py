"""The example in JavaScript passes the suite, and its twin that trusts JSON.parse does not."""

import shutil
from pathlib import Path

import pytest

from mobstore.properties import cli

NODE = Path(__file__).parents[2] / "backends" / "node"
needs_node = pytest.mark.skipif(
    shutil.which("node") is None, reason="node is not installed: apt-get install nodejs"
)
CHAPTERS = (
    "smoke",
    "comparisons",
    "values",
    "cursors",
    "awkward-ids",
    "requests",
    "handles",
    "subscriptions",
    "threads",
)


def check(program, *chapters):
    chosen = [part for name in chapters for part in ("--chapter", name)]
    return cli.main(["check", f"exec:node {NODE / program}", "--profile", "quick", "--seed", "1", *chosen])


@needs_node
def test_the_store_in_javascript_passes(capsys):
    """Integers beyond 2^53, keys that look like numbers, the order of strings: all kept."""
    assert check("store.js", *CHAPTERS) == 0, capsys.readouterr().out
    assert "FAILED" not in capsys.readouterr().out


@needs_node
def test_its_generated_calls_pass(capsys):
    """The largest rule group, and the one with the times."""
    assert check("store.js", "refines-run-loops", "refines-event", "refines-metadata-overlay") == 0, (
        capsys.readouterr().out
    )


@needs_node
def test_the_twin_that_trusts_json_parse_is_rejected(capsys):
    """What it loses is shown."""
    assert check("wrong.js", "values") == 1
    out = capsys.readouterr().out
    assert "def test_counterexample() -> None:" in out
    assert "ProgramFactory(" in out
