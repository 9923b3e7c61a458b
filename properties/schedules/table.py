"""A failure for people: the interleaving as a table with a column for each client, and a test to paste."""

from __future__ import annotations

import string
import textwrap
from collections.abc import Iterable, Sequence
from typing import Any, Final

from mobstore.model import Operation
from mobstore.properties.schedules.scenario import Observed
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


def _call(operation: Operation[Any], names: _Names) -> str:
    arguments = (
        f"{name}={names.of(value)}"
        for name in operation.parameters()
        if (value := getattr(operation, name)) is not None
    )
    return f"{operation.call}({', '.join(arguments)})"


def came_to(outcome: Outcome | None, names: _Names) -> str:
    """Return what a call came to, in short."""
    if outcome is None:
        return "no answer"
    return f"{outcome.kind}: {outcome.message}" if outcome.kind else names.of(outcome.value)


def interleaving(observed: Observed, width: int = WIDTH) -> str:
    """Return the execution as a table: one column a client, time from top to bottom, long values as letters."""
    names = _Names()
    clients = len(observed.scenario.clients)
    room = max(20, (width - 6) // clients - 3)
    begins = {call.begin: call for call in observed.calls}
    ends = {call.end: call for call in observed.calls if call.outcome is not None}
    lines = [_row("", [f"client {number}" for number in range(clients)], room), _rule(clients, room)]
    for place, step in enumerate(observed.execution.steps):
        call = begins.get(place)
        cell = _wrapped(_call(call.operation, names) if call else step.label, room)
        lines += _rows(str(place), step.client, cell, clients, room)
        if place in ends:
            answer = _wrapped(f"-> {came_to(ends[place].outcome, names)}", room)
            lines += _rows("", step.client, answer, clients, room)
    for client in observed.execution.deadlocked:
        lines += _rows("", client, ["waits for ever"], clients, room)
    for looked, outcome in observed.finals:
        lines.append(_cut(f"then | {_call(looked, names)} -> {came_to(outcome, names)}", width))
    return "\n".join([*lines, *names.legend(width)])


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 4]} ..."


def _wrapped(text: str, room: int, most: int = _LINES) -> list[str]:
    lines = textwrap.wrap(text, room, subsequent_indent="  ") or [""]
    return [*lines[: most - 1], _cut(f"{lines[most - 1]} ...", room)] if len(lines) > most else lines


def _rows(number: str, client: int, lines: Sequence[str], clients: int, room: int) -> Iterable[str]:
    for place, line in enumerate(lines):
        cells = [line if column == client else "" for column in range(clients)]
        yield _row("" if place else number, cells, room)


def _row(number: str, cells: Iterable[str], room: int) -> str:
    return f"{number:>4} | " + " | ".join(f"{cell:<{room}}" for cell in cells).rstrip()


def _rule(clients: int, room: int) -> str:
    return "-----+-" + "-+-".join("-" * room for _ in range(clients))


def program(observed: Observed, system: str) -> str:
    """Return a test that makes this very schedule again.

    Args:
        observed: the execution.
        system: the expression that makes the system.
    """
    scenario = observed.scenario
    within = " " * 12
    lines = [
        "from mobstore.model import *",
        "from mobstore.model.operations import *",
        "from mobstore.model.values import *",
        "from mobstore.properties.schedules import *",
        "from mobstore.properties.subject import *",
        "",
        "",
        "def test_schedule() -> None:",
        "    scenario = Scenario.of(",
        "        [",
        *(f"{within}{laid_out(call, within)}," for call in scenario.prefix),
        "        ],",
        "        [",
        *(f"{within}{laid_out(calls, within)}," for calls in scenario.clients),
        "        ],",
        "    )",
        f"    choices = {list(observed.execution.choices)}",
        f"    with {system} as system:",
        "        failure = replay(system, scenario, choices)",
        "    assert failure is None, failure.table()",
    ]
    return "\n".join(lines) + "\n"
