"""A failure for people: the interleaving as a table with a column for each client, and a test to paste."""

from __future__ import annotations

import string
import textwrap
from collections.abc import Iterable, Sequence
from typing import Any, Final

from mobstore.model import Operation
from mobstore.properties.schedules.scenario import Observed, Scenario
from mobstore.properties.source import as_python, laid_out
from mobstore.properties.subject import Outcome

WIDTH: Final = 116
_LINES: Final = 3
_LEGEND_LINES: Final = 6
_SHORT: Final = 28


class _Names:
    """Letters for values too long for a column; the same value has the same letter everywhere."""

    def __init__(self) -> None:
        self._letters: dict[str, str] = {}

    def of(self, value: Any) -> str:
        """Return the value as Python writes it, or its letter."""
        if isinstance(value, tuple):
            return f"[{', '.join(map(self.of, value))}]"
        text = as_python(value)
        if len(text) <= _SHORT:
            return text
        return self._letters.setdefault(text, _letter(len(self._letters)))

    def legend(self, width: int) -> list[str]:
        """Return a line for each letter."""
        return [
            line
            for text, letter in self._letters.items()
            for line in _wrapped(f"{letter:>4} = {text}", width, _LEGEND_LINES)
        ]


def _letter(number: int) -> str:
    letters = string.ascii_uppercase
    return letters[number % len(letters)] + (str(number // len(letters)) if number >= len(letters) else "")


class Columns:
    """A table with a column for each client, time from top to bottom, long values as letters."""

    def __init__(self, heads: Sequence[str], width: int = WIDTH) -> None:
        self._clients = len(heads)
        self._width = width
        self._room = max(20, (width - 6) // self._clients - 3)
        self._names = _Names()
        rule = "-----+-" + "-+-".join("-" * self._room for _ in heads)
        self._lines = [self._row("", heads), rule]

    def call(self, operation: Operation[Any]) -> str:
        """Return a call in short."""
        arguments = (
            f"{name}={self._names.of(value)}"
            for name in operation.parameters()
            if (value := getattr(operation, name)) is not None
        )
        return f"{operation.call}({', '.join(arguments)})"

    def answer(self, outcome: Outcome | None) -> str:
        """Return what a call came to, in short."""
        if outcome is None:
            return "no answer"
        return f"{outcome.kind}: {outcome.message}" if outcome.kind else self._names.of(outcome.value)

    def add(self, client: int, text: str, number: str = "") -> None:
        """Add what a client did."""
        for place, line in enumerate(_wrapped(text, self._room)):
            cells = [line if column == client else "" for column in range(self._clients)]
            self._lines.append(self._row("" if place else number, cells))

    def look(self, operation: Operation[Any], outcome: Outcome) -> None:
        """Add what was seen when all clients had ended."""
        text = f"then | {self.call(operation)} -> {self.answer(outcome)}"
        self._lines.append(text if len(text) <= self._width else f"{text[: self._width - 4]} ...")

    def _row(self, number: str, cells: Iterable[str]) -> str:
        return f"{number:>4} | " + " | ".join(f"{cell:<{self._room}}" for cell in cells).rstrip()

    def __str__(self) -> str:
        return "\n".join([*self._lines, *self._names.legend(self._width)])


def _wrapped(text: str, room: int, most: int = _LINES) -> list[str]:
    lines = textwrap.wrap(text, room, subsequent_indent="  ") or [""]
    if len(lines) <= most:
        return lines
    last = f"{lines[most - 1]} ..."
    return [*lines[: most - 1], last if len(last) <= room else f"{last[: room - 4]} ..."]


def interleaving(observed: Observed, width: int = WIDTH) -> str:
    """Return the execution as a table."""
    columns = Columns([f"client {number}" for number in range(len(observed.scenario.clients))], width)
    begins = {call.begin: call for call in observed.calls}
    ends = {call.end: call for call in observed.calls if call.outcome is not None}
    for place, step in enumerate(observed.execution.steps):
        call = begins.get(place)
        columns.add(step.client, columns.call(call.operation) if call else step.label, str(place))
        if place in ends:
            columns.add(step.client, f"-> {columns.answer(ends[place].outcome)}")
    for client in observed.execution.deadlocked:
        columns.add(client, "waits for ever")
    for looked, outcome in observed.finals:
        columns.look(looked, outcome)
    return str(columns)


def scenario_lines(scenario: Scenario) -> list[str]:
    """Return the lines of a program that make a scenario, and the imports before them."""
    within = " " * 12
    return [
        "from mobstore.model import *",
        "from mobstore.model.operations import *",
        "from mobstore.model.values import *",
        "from mobstore.properties.concurrency import *",
        "from mobstore.properties.schedules import *",
        "from mobstore.properties.subject import *",
        "",
        "",
        "def test_counterexample() -> None:",
        "    scenario = Scenario.of(",
        "        [",
        *(f"{within}{laid_out(call, within)}," for call in scenario.prefix),
        "        ],",
        "        [",
        *(f"{within}{laid_out(calls, within)}," for calls in scenario.clients),
        "        ],",
        "    )",
    ]


def program(observed: Observed, system: str) -> str:
    """Return a test that makes this very schedule again.

    Args:
        observed: the execution.
        system: the expression that makes the system.
    """
    lines = [
        *scenario_lines(observed.scenario),
        f"    choices = {list(observed.execution.choices)}",
        f"    with {system} as system:",
        "        failure = replay(system, scenario, choices)",
        "    assert failure is None, failure.table()",
    ]
    return "\n".join(lines) + "\n"
