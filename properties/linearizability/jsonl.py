"""Histories as JSON lines, one event a line, named as Jepsen names them (``specs/histories.md``).

    {"process": 0, "type": "invoke", "f": "cas", "value": [1, 2], "time": 17}
    {"process": 0, "type": "ok", "f": "cas", "value": [1, 2], "result": true, "time": 42}

Reading never guesses: a line that breaks a rule is an error with its number and the rule.
"""

from __future__ import annotations

import enum
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, TextIO, TypeAlias

from mobstore.properties.linearizability.history import (
    NEVER,
    Event,
    History,
    MalformedHistory,
    Outcome,
    history_of,
)

_TYPES: Final = {"invoke": None, "ok": Outcome.OK, "fail": Outcome.FAIL, "info": Outcome.INFO}
_NAMES: Final = {outcome: name for name, outcome in _TYPES.items()}
_REQUIRED: Final = ("process", "type", "f")
_ALLOWED: Final = frozenset((*_REQUIRED, "value", "key", "result", "time", "index", "error"))

Rules: TypeAlias = Callable[[Event], Event]
"""What a model does with an event that was read: turns values into its own, or raises `MalformedHistory`."""


class Truth(enum.Enum):
    """A JSON boolean, which is not equal to the numbers 0 and 1 as a Python boolean would be."""

    FALSE = False
    TRUE = True

    def __repr__(self) -> str:
        return "true" if self.value else "false"


class Dictionary(tuple[tuple[str, Any], ...]):
    """A JSON object as an immutable value: its items in the order of their names."""

    __slots__ = ()

    def __repr__(self) -> str:
        return repr(dict(self))


def frozen(value: Any) -> Any:
    """Return a JSON value as one that is hashable, immutable, and equal only to the same JSON value."""
    if isinstance(value, bool):
        return Truth(value)
    if isinstance(value, list):
        return tuple(map(frozen, value))
    if isinstance(value, dict):
        return Dictionary(sorted((name, frozen(item)) for name, item in value.items()))
    return value


def thawed(value: Any) -> Any:
    """Return the plain JSON value of what `frozen` made, or of anything that has a JSON form."""
    if isinstance(value, Truth):
        return value.value
    if isinstance(value, Dictionary):
        return {name: thawed(item) for name, item in value}
    if isinstance(value, (tuple, list)):
        return [thawed(item) for item in value]
    if isinstance(value, Mapping):
        return {str(name): thawed(item) for name, item in value.items()}
    return value


def read_events(lines: Iterable[str], source: str = "") -> Iterator[Event]:
    """Yield the events of JSON lines; empty lines are skipped.

    Args:
        source: what the lines come from, named in errors before the number of the line.

    Raises:
        MalformedHistory: a line that is no event, with its number and the rule.
    """
    for number, line in enumerate(lines, 1):
        if line.strip():
            place = f"{source}, line {number}" if source else f"line {number}"
            try:
                yield _event(json.loads(line, parse_constant=_refuse_constant), place)
            except json.JSONDecodeError as error:
                raise MalformedHistory(place, f"no JSON: {error.msg} at column {error.colno}") from None
            except RecursionError:
                raise MalformedHistory(place, "JSON nested too deeply") from None
            except _NoNumberError as error:
                raise MalformedHistory(place, f"no JSON: {error} is no number") from None


class _NoNumberError(ValueError):
    pass


def _refuse_constant(name: str) -> Any:
    raise _NoNumberError(name)


def _event(fields: Any, place: str) -> Event:
    if not isinstance(fields, dict):
        raise MalformedHistory(place, "an event is a JSON object")
    missing = [name for name in _REQUIRED if name not in fields]
    if missing:
        raise MalformedHistory(place, f"an event has {', '.join(map(repr, _REQUIRED))}; {missing[0]!r} is missing")
    process, kind, f, time = fields["process"], fields["type"], fields["f"], fields.get("time")
    if isinstance(process, bool) or not isinstance(process, (int, str)):
        raise MalformedHistory(place, f"'process' is a number or a text, not {process!r}")
    if not isinstance(kind, str) or kind not in _TYPES:
        raise MalformedHistory(place, f"'type' is one of {', '.join(_TYPES)}, not {kind!r}")
    if not isinstance(f, str):
        raise MalformedHistory(place, f"'f' is the name of an operation, not {f!r}")
    if time is not None and (isinstance(time, bool) or not isinstance(time, int)):
        raise MalformedHistory(place, f"'time' is a whole number of nanoseconds, not {time!r}")
    outcome, value = _TYPES[kind], frozen(fields.get("value"))
    if "result" in fields and outcome is not Outcome.OK:
        raise MalformedHistory(place, f"'result' belongs to a response of type ok, not to {kind!r}")
    answered = frozen(fields["result"]) if "result" in fields else None
    return Event(process, outcome, f, value, frozen(fields.get("key")), answered, time, place)


def read_history(*sources: Path | str | Iterable[str], rules: Rules | None = None) -> History:
    """Return the history of one file or of several parts of it that have times.

    Args:
        sources: paths of files, or the lines themselves.
        rules: what a model admits: it checks each event, and puts values of its own in place of JSON.

    Raises:
        MalformedHistory: an event breaks a rule; the message says in which line, and which.
        OSError: a file cannot be read.
    """
    events = [event for source in sources for event in _paired(_read(source), rules)]
    return history_of(events)


def _read(source: Path | str | Iterable[str]) -> Iterator[Event]:
    if not isinstance(source, (str, Path)):
        yield from read_events(source)
        return
    try:
        with Path(source).open(encoding="utf-8") as lines:
            yield from read_events(lines, str(source))
    except UnicodeDecodeError as error:
        raise MalformedHistory(str(source), f"no UTF-8: {error.reason} at byte {error.start}") from None


def _paired(events: Iterable[Event], rules: Rules | None) -> Iterator[Event]:
    """Give responses the argument of their invocation; what they say beyond it is the answer."""
    invoked: dict[Any, Event] = {}
    for event in events:
        if event.outcome is None:
            invoked[event.process] = event
        begun = invoked.get(event.process, event)
        whole = event if begun is event else _answer(begun, event)
        yield whole if rules is None else rules(whole)


def _answer(invocation: Event, response: Event) -> Event:
    answered = response.answered
    if invocation.value is None and response.outcome is Outcome.OK and answered is None:
        answered = response.value
    elif response.value is not None and response.value != invocation.value and invocation.value is not None:
        rule = f"the response says value {thawed(response.value)!r}, the invocation {thawed(invocation.value)!r}"
        raise MalformedHistory(response.place, rule)
    if response.key is not None and response.key != invocation.key:
        raise MalformedHistory(response.place, "the response names another key than the invocation")
    return Event(
        response.process,
        response.outcome,
        response.f,
        invocation.value,
        invocation.key,
        answered,
        response.time,
        response.place,
    )


def write_events(events: Iterable[Event], file: TextIO, plain: Callable[[Any], Any] = thawed) -> None:
    """Write events as JSON lines.

    Args:
        plain: makes plain JSON of arguments, keys and answers.
    """
    for event in events:
        file.write(json.dumps(_line(event, plain), ensure_ascii=False, allow_nan=False) + "\n")


def _line(event: Event, plain: Callable[[Any], Any]) -> dict[str, Any]:
    line: dict[str, Any] = {"process": event.process, "type": _NAMES[event.outcome], "f": event.f}
    if event.key is not None:
        line["key"] = plain(event.key)
    line["value"] = plain(event.value)
    if event.outcome is Outcome.OK and event.answered is not None:
        line["value" if event.value is None else "result"] = plain(event.answered)
    if event.time is not None:
        line["time"] = event.time
    return line


def events_of(history: History) -> list[Event]:
    """Return the events of a history in their order.

    A response that says nothing of the order (info, fail) stands before the next invocation of its process.
    """
    placed: list[tuple[float, Event]] = []
    following: dict[Any, float] = {}
    for row in reversed(range(len(history))):
        call, began, ended = history.call(row), history.began[row], history.ended[row]
        place = following.get(call.process, NEVER)
        following[call.process] = call.inv - 0.5
        placed.append((call.inv, Event(call.process, None, call.f, call.value, call.key, None, began)))
        if call.outcome is not Outcome.PENDING:
            response = Event(call.process, call.outcome, call.f, call.value, call.key, call.answer, ended)
            placed.append((call.res if call.outcome is Outcome.OK else place, response))
    placed.sort(key=lambda item: item[0])
    return [event for _, event in placed]
