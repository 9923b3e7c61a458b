"""Who waits is told that it goes on: on a terminal in a line that changes, in a log now and then."""

import io
import time

from rich.console import Console

from mobstore.backends import memory
from mobstore.model import operations as ops
from mobstore.properties.chapter import Result, Verdict
from mobstore.properties.chapters import CHAPTERS
from mobstore.properties.report import Progress
from mobstore.properties.subject import call_port

SMOKE = CHAPTERS[0]
PASSED = Result("smoke", Verdict.PASSED, 0.5, 57, "57 calls")


def told(progress, wanted, *, terminal):
    """Let a chapter run until something is told of it; return all that was told."""
    shown = io.StringIO()
    progress._console = Console(file=shown, force_terminal=terminal, width=200, highlight=False)
    progress.begin(SMOKE)
    stores = memory.open()
    deadline = time.monotonic() + 20
    while wanted not in shown.getvalue() and time.monotonic() < deadline:
        call_port(stores, ops.ReplayAll())
        time.sleep(0.01)
    progress.end(PASSED)
    return shown.getvalue()


def test_a_log_is_told_now_and_then():
    """How long it runs, and by how many calls."""
    lines = told(Progress(every=0.05), "so far", terminal=False).splitlines()
    assert lines[0].startswith("...      smoke ")
    assert lines[0].endswith(" calls so far")
    assert lines[-1].startswith("passed   smoke ")


def test_a_terminal_shows_it_in_a_line():
    """Which is brought up to date, and removed at the end."""
    shown = told(Progress(every=1000.0), "so far", terminal=True)
    assert f"smoke: {SMOKE.promise} (" in shown
    assert "passed" in shown


def test_who_asked_for_quiet_is_told_nothing(capsys):
    """The report is JSON."""
    progress = Progress(quiet=True, every=0.001)
    progress.begin(SMOKE)
    time.sleep(0.05)
    progress.end(PASSED)
    assert capsys.readouterr() == ("", "")
