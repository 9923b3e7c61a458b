"""Backends in any language: programs that speak JSON lines on standard input and output (``specs/wire.md``)."""

from __future__ import annotations

from collections.abc import Sequence

from mobstore.backends._base import Clock
from mobstore.backends._stores import Stores
from mobstore.backends.wire.client import (
    Program,
    ProgramDied,
    ProgramEngine,
    ProgramFailure,
    ProgramHung,
    ProgramMisspoke,
)

__all__ = ["Program", "ProgramDied", "ProgramEngine", "ProgramFailure", "ProgramHung", "ProgramMisspoke", "open"]


def open(command: Sequence[str], *, clock: Clock | None = None, timeout: float | None = None) -> Stores:
    """Start a program and return the five stores over it; closing them ends it.

    Args:
        command: the program with its arguments.
        clock: tells the store's time in nanoseconds since 1970; the default leaves it to the program.
        timeout: how many seconds a call may take (default: 10).

    Raises:
        ProgramFailure: it cannot be started, or does not speak the protocol.
    """
    return Stores(ProgramEngine(Program(command, timeout), clock, owned=True))
