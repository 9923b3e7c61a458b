"""Prints values of the model as Python source, so that a counterexample can be pasted into a test."""

from __future__ import annotations

import enum
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import attrs

from mobstore.model import Json, Operation, RunId, SecretKey, SparseList, Timestamp
from mobstore.model.values import BootstrapToken
from mobstore.properties.pools import TOKEN, secret_key
from mobstore.properties.subject import PORTS, Outcome

Step: TypeAlias = "tuple[Operation[Any], Outcome] | None"
"""A call and what it must come to; None: the clock ticked."""


def as_python(value: Any) -> str:
    """Return an expression that makes ``value``; fields that have their default are left out.

    A secret is never shown, but for the suite's own keys (one byte over and over) and tokens.
    """
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
    if isinstance(value, Timestamp):
        return f"Timestamp.parse({str(value)!r})"
    if isinstance(value, str) or not isinstance(value, (Mapping, Sequence, frozenset)):
        return _record(value) if attrs.has(type(value)) else repr(value)
    return _collection(value)


def _collection(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{as_python(key)}: {as_python(item)}" for key, item in value.items()) + "}"
    if isinstance(value, SparseList):
        return "{" + ", ".join(f"{place}: {as_python(item)}" for place, item in value.written()) + "}"
    items = ", ".join(as_python(item) for item in (sorted(value) if isinstance(value, frozenset) else value))
    return f"[{items}]"


def _record(value: Any) -> str:
    shown = [
        f"{field.name}={as_python(item)}"
        for field in attrs.fields(type(value))
        if (item := getattr(value, field.name)) != field.default or field.default is attrs.NOTHING
    ]
    return f"{type(value).__name__}({', '.join(shown)})"


def call_source(operation: Operation[Any]) -> str:
    """Return the call through the port of a bundle called ``stores``."""
    arguments = _record(operation).partition("(")[2]
    return f"stores.{PORTS[operation.store]}.{operation.call}({arguments}"


def program(calls: Sequence[Step], answered: Outcome | None, factory: str) -> str:
    """Return a test that makes the calls and asserts what the contract says of each.

    Args:
        calls: the operations with the outcomes that the model gives, and None where the clock went on.
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
        f"    stores = {factory}.open(clock)",
    ]
    for step in calls:
        lines += ["    clock.tick()"] if step is None else _assertion(*step)
    if answered is not None:
        lines.append(f"    # the backend: {_shortened(answered)}")
    return "\n".join(lines) + "\n"


def _assertion(operation: Operation[Any], expected: Outcome) -> list[str]:
    call = call_source(operation)
    if expected.kind is not None:
        return [f"    with pytest.raises({expected.kind}):", f"        {call}"]
    if isinstance(expected.value, tuple):
        items = (
            f"Document.of({as_python(item)})" if isinstance(item, Json) else as_python(item)
            for item in expected.value
        )
        return [f"    assert {call} == tuple([{', '.join(items)}])"]
    if expected.value is None or isinstance(expected.value, bool):
        return [f"    assert {call} is {expected.value}"]
    return [f"    assert {call} == {as_python(expected.value)}"]


def _shortened(outcome: Outcome) -> str:
    text = f"{outcome.kind}: {outcome.message}" if outcome.kind else as_python(outcome.value)
    return textwrap.shorten(text, 300, placeholder=" ...")
