"""Prints values of the model as Python source, so that a counterexample can be pasted into a test."""

from __future__ import annotations

import enum
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, TypeAlias

import attrs

from mobstore.model import Json, Operation, RunId, SecretKey, SparseList, Timestamp
from mobstore.model.values import BootstrapToken
from mobstore.properties.pools import TOKEN, secret_key
from mobstore.properties.subject import PORTS, Outcome

WIDTH: Final = 100
"""Columns of a line of a program, as far as its values can be broken."""


class Aside(enum.Enum):
    """What happens between calls."""

    TICK = "the clock goes on"
    REOPEN = "the storage is opened again"
    SWITCH = "the calls go through the other handle"
    CRASH = "the backend dies and is opened again"
    KILL = "the backend is killed and opened again"


@attrs.frozen
class ClockSays:
    """The clock is set to a time, in nanoseconds since 1970."""

    nanos: int

    @property
    def value(self) -> str:
        """What happens, in words."""
        return f"the clock says {Timestamp.from_nanos(self.nanos)}"


Between: TypeAlias = Aside | ClockSays
"""What happens between calls."""

Step: TypeAlias = tuple[Operation[Any], Outcome] | Between
"""A call and what it must come to, or what happens between calls."""


@attrs.frozen
class _Group:
    """An expression in brackets: on one line if it fits, else an item a line."""

    opening: str
    items: tuple[tuple[str, _Node], ...]
    closing: str

    def flat(self) -> str:
        return f"{self.opening}{', '.join(name + _flat(item) for name, item in self.items)}{self.closing}"

    def broken(self, indent: str) -> str:
        within = f"{indent}    "
        lines = (f"{within}{name}{_laid_out(item, within, len(name) + 1)},\n" for name, item in self.items)
        return f"{self.opening}\n{''.join(lines)}{indent}{self.closing}"


_Node: TypeAlias = str | _Group


def _flat(node: _Node) -> str:
    return node if isinstance(node, str) else node.flat()


def _laid_out(node: _Node, indent: str, used: int) -> str:
    """Return the text of a node that begins ``used`` columns after the indent."""
    flat = _flat(node)
    if isinstance(node, str) or not node.items or len(indent) + used + len(flat) <= WIDTH:
        return flat
    return node.broken(indent)


def as_python(value: Any) -> str:
    """Return an expression that makes ``value``; fields that have their default are left out.

    A secret is never shown, but for the suite's own keys (one byte over and over) and tokens.
    """
    return _flat(_node(value))


def laid_out(value: Any, indent: str) -> str:
    """Return `as_python` of a value, broken into lines where it does not fit behind the indent."""
    return _laid_out(_node(value), indent, 0)


def _node(value: Any) -> _Node:
    if isinstance(value, SecretKey):
        first = value.reveal()[0]
        return f"SecretKey.of([{first}] * 32)" if value == secret_key(first) else "SecretKey.of(HIDDEN)"
    if isinstance(value, BootstrapToken):
        return 'BootstrapToken.of("token")' if value == TOKEN else "BootstrapToken.of(HIDDEN)"
    if isinstance(value, RunId):
        return f"RunId({str(value)!r})"
    if isinstance(value, enum.Enum):
        return f"{type(value).__name__}.{value.name}"
    if isinstance(value, Json):
        return repr(value.value)
    if isinstance(value, str) and len(value) > WIDTH and value == value[0] * len(value):
        return f"{value[0]!r} * {len(value)}"
    if isinstance(value, Timestamp):
        return f"Timestamp.parse({str(value)!r})"
    if isinstance(value, str) or not isinstance(value, (Mapping, Sequence, frozenset)):
        return _record(value, type(value).__name__) if attrs.has(type(value)) else repr(value)
    return _collection(value)


def _collection(value: Any) -> _Group:
    if isinstance(value, Mapping):
        return _Group("{", tuple((f"{_flat(_node(key))}: ", _node(item)) for key, item in value.items()), "}")
    if isinstance(value, SparseList):
        return _Group("{", tuple((f"{place}: ", _node(item)) for place, item in value.written()), "}")
    items = sorted(value) if isinstance(value, frozenset) else value
    return _Group("[", tuple(("", _node(item)) for item in items), "]")


def _record(value: Any, name: str) -> _Group:
    shown = (
        (f"{field.name}=", _node(item))
        for field in attrs.fields(type(value))
        if (item := getattr(value, field.name)) != field.default or field.default is attrs.NOTHING
    )
    return _Group(f"{name}(", tuple(shown), ")")


def _call(operation: Operation[Any]) -> _Group:
    return _record(operation, f"stores.{PORTS[operation.store]}.{operation.call}")


BETWEEN: Final = "between"
"""The lane of what happens between calls."""


@attrs.frozen
class Line:
    """A step of a counterexample, in words: what was called, what the contract says, what was answered instead.

    Attributes:
        lane: who called, where several did.
        begins, ends: places on a line of time; ``ends`` is None for a call that was not answered.
        wrong: whether it is what the contract does not allow.
    """

    name: str
    source: str
    expected: str = ""
    answered: str = ""
    lane: str = "calls"
    begins: int = 0
    ends: int | None = 0
    wrong: bool = False

    @classmethod
    def of(cls, call: Operation[Any], expected: Outcome | None = None, answered: Outcome | None = None) -> Line:
        """Return a call, with what it must come to and what it came to, as far as that is known."""
        must, came = ("" if outcome is None else _outcome(outcome) for outcome in (expected, answered))
        return cls(call.call, _flat(_call(call)), must, came)


def lines(steps: Sequence[Step], answered: Outcome) -> tuple[Line, ...]:
    """Return the steps in words; ``answered`` is what the backend gave for the last one."""
    told = [
        Line(step.value, step.value, lane=BETWEEN) if isinstance(step, Between) else Line.of(*step)
        for step in steps
    ]
    placed = [attrs.evolve(line, begins=4 * place, ends=4 * place + 3) for place, line in enumerate(told)]
    return (*placed[:-1], attrs.evolve(placed[-1], answered=_outcome(answered), wrong=True)) if told else ()


def _outcome(outcome: Outcome) -> str:
    if outcome.kind is not None:
        return f"{outcome.kind}: {outcome.message}"
    return _flat(_listed(outcome.value) if isinstance(outcome.value, tuple) else _node(outcome.value))


def program(calls: Sequence[Step], answered: Outcome | None, factory: str) -> str:
    """Return a test that makes the calls and asserts what the contract says of each.

    Args:
        calls: the operations with the outcomes that the model gives, and what happens between them.
        answered: what the backend gave for the last one instead.
        factory: the expression that makes the backend's factory.
    """
    lines = [
        "import pytest",
        "from mobstore.model import *",
        "from mobstore.model.values import *",
        "from mobstore.properties.subject import *",
        "",
        "",
        "def test_counterexample() -> None:",
        "    clock = ManualClock()",
        *_opening(calls, factory),
    ]
    for step in calls:
        lines += [_between(step)] if isinstance(step, Between) else _assertion(*step)
    if answered is not None:
        lines += _answered(answered)
    return "\n".join(lines) + "\n"


_OPENED: Final = "    stores = factory.open(clock)"


def _opening(calls: Sequence[Step], factory: str) -> list[str]:
    if Aside.SWITCH in calls:
        return [f"    factory = {factory}", "    stores, other = factory.open(clock), factory.open(clock)"]
    if Aside.CRASH in calls or Aside.KILL in calls:
        return [f"    factory = {factory}", _OPENED]
    return [f"    stores = {factory}.open(clock)"]


_ASIDES: Final = {
    Aside.TICK: "    clock.tick()",
    Aside.REOPEN: "    stores.reopen()",
    Aside.SWITCH: "    stores, other = other, stores",
    Aside.CRASH: f"    factory.crash()\n{_OPENED}",
    Aside.KILL: f"    factory.kill()\n{_OPENED}",
}


def _between(step: Between) -> str:
    if isinstance(step, ClockSays):
        return f"    clock.nanos = {step.nanos}  # {Timestamp.from_nanos(step.nanos)}"
    return _ASIDES[step]


_INDENT: Final = " " * 4


def _assertion(operation: Operation[Any], expected: Outcome) -> list[str]:
    call = _call(operation)
    if expected.kind is not None:
        within = f"{_INDENT}    "
        return [f"    with pytest.raises({expected.kind}):", f"{within}{_laid_out(call, within, 0)}"]
    if expected.value is None or isinstance(expected.value, bool):
        end = f" is {expected.value}"
        return [f"    assert {_laid_out(call, _INDENT, len('assert ' + end))}{end}"]
    value = _listed(expected.value) if isinstance(expected.value, tuple) else _node(expected.value)
    first = f"assert {_laid_out(call, _INDENT, len('assert  == '))} == "
    used = len(first) if "\n" not in first else len(") == ")
    return [f"    {first}{_laid_out(value, _INDENT, used)}"]


def _listed(answer: tuple[Any, ...]) -> _Group:
    """Return an answer that is a tuple; a document among its items is made one, to be compared as a value."""
    items = (
        _Group("Document.of(", (("", _node(item)),), ")") if isinstance(item, Json) else _node(item)
        for item in answer
    )
    return _Group("tuple([", tuple(("", item) for item in items), "])")


def _answered(outcome: Outcome) -> Iterator[str]:
    """What the backend gave instead, as a comment of at most `_SHOWN_LINES` lines."""
    head, indent = f"{_INDENT}# the backend: ", f"{_INDENT}#   "
    if outcome.kind is not None:
        yield head + textwrap.shorten(f"{outcome.kind}: {outcome.message}", 300, placeholder=" ...")
        return
    node = _listed(outcome.value) if isinstance(outcome.value, tuple) else _node(outcome.value)
    lines = f"{head}{_laid_out(node, indent, len(head))}".splitlines()
    yield from lines[:_SHOWN_LINES]
    if len(lines) > _SHOWN_LINES:
        yield f"{indent}... and {len(lines) - _SHOWN_LINES} lines more"


_SHOWN_LINES: Final = 40
