"""Scenarios: what is no sequence of calls that answer, as short programs over two handles on one storage.

A scenario is the program that is printed when it fails.  It says what must be with `expect`, and not with an
assertion, which Python may leave out.
"""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import attrs

from mobstore.backends._stores import Stores
from mobstore.properties.subject import PORTS, Factory, ManualClock, Outcome, outcome_of, same_value

__all__ = ["Scenario", "ScenariosResult", "Unexpected", "expect", "refusal", "try_scenarios"]

Scenario: TypeAlias = Callable[[Any, Any], None]
"""Gets two handles on a new storage; its docstring says what it shows."""


class Unexpected(AssertionError):
    """What a scenario expected is not so."""


def expect(found: object, wanted: object) -> None:
    """Say what must be.

    Raises:
        Unexpected: it is not.
    """
    if not same_value(found, wanted):
        shown = (f"{value!r:.300}" for value in (wanted, found))
        raise Unexpected("expected {}, found {}".format(*shown))


def refusal(call: Callable[[], Any]) -> str | None:
    """Make a call; return the kind of the error that it ends with, None if it does not."""
    kind: str | None = outcome_of(call).kind
    return kind


class _Counted:
    """A handle that counts the calls."""

    def __init__(self, stores: Stores, count: Callable[[], None]) -> None:
        self._stores = stores
        self._count = count

    def __getattr__(self, name: str) -> Any:
        held = getattr(self._stores, name)
        return _CountedPort(held, self._count) if name in PORTS.values() else held


class _CountedPort:
    def __init__(self, port: Any, count: Callable[[], None]) -> None:
        self._port = port
        self._count = count

    def __getattr__(self, name: str) -> Any:
        self._count()
        return getattr(self._port, name)


@attrs.frozen
class ScenariosResult:
    """How many calls were made; what is wrong, the program that shows it, its calls, and the scenario's name."""

    calls: int
    problem: str = ""
    program: str = ""
    length: int = 0
    step: str = ""


def try_scenarios(scenarios: Sequence[Scenario], make: Callable[[], Factory], source: str) -> ScenariosResult:
    """Go through scenarios, each on a storage of its own, and stop at the first that fails."""
    calls = [0]

    def count() -> None:
        calls[0] += 1

    for scenario in scenarios:
        before = calls[0]
        factory, clock = make(), ManualClock()
        try:
            problem = _problem(scenario, *(_Counted(factory.open(clock), count) for _ in range(2)))
        finally:
            factory.destroy()
        if problem:
            about = f"{inspect.getdoc(scenario)}: {problem}"
            program = _program(scenario, source)
            return ScenariosResult(calls[0], about, program, calls[0] - before, _name(scenario))
    return ScenariosResult(calls[0])


def _problem(scenario: Scenario, stores: _Counted, other: _Counted) -> str:
    outcome: Outcome = outcome_of(lambda: scenario(stores, other))
    if outcome.kind is None:
        return ""
    return outcome.message if outcome.kind.endswith(Unexpected.__name__) else f"{outcome.kind}: {outcome.message}"


def _name(scenario: Scenario) -> str:
    return str(getattr(scenario, "__name__", "scenario"))


def _program(scenario: Scenario, source: str) -> str:
    text = textwrap.dedent(inspect.getsource(scenario))
    return (
        f"from {scenario.__module__} import *\n"
        "from mobstore.properties.subject import *\n"
        f"\n\n{text}\n\n"
        "def test_counterexample() -> None:\n"
        "    clock = ManualClock()\n"
        f"    factory = {source}\n"
        f"    {_name(scenario)}(factory.open(clock), factory.open(clock))\n"
    )
