"""Models: what the operations of a history mean; a small interface, and models ready for use.

A model is a deterministic sequential object: `Model.step` says what each operation does and answers.  That is all
the search needs.  A model that can also say which cells an operation compares and writes (`Model.facts`) opens the
polynomial algorithms to its histories.
"""

from __future__ import annotations

import enum
from array import array
from collections.abc import Hashable, Mapping, Sequence
from typing import Any, ClassVar, Final, Protocol

import attrs

from mobstore.properties.linearizability.history import Event, History, MalformedHistory, Outcome
from mobstore.properties.linearizability.jsonl import Truth, thawed


class Kind(enum.IntEnum):
    """What a call is to the polynomial algorithms.

    A READ saw what it ``expects``.  A FAILED comparison found that not all of what it ``expects`` held.  A CHANGE
    found what it ``expects`` and put what it ``writes``.  A MAYBE is a change of unknown outcome.
    """

    READ = 0
    FAILED = 1
    CHANGE = 2
    MAYBE = 3


class _Blind(enum.Enum):
    BLIND = "blind"


BLIND: Final = _Blind.BLIND
"""What a change of a single cell expects that compares nothing."""


class Judge(Protocol):
    """Says what the cells do not: the whole states between changes, and what they allow."""

    def states(self, order: Sequence[int]) -> Sequence[Any] | int:
        """Return the states around changes in their order, or the place in it of one that is answered otherwise."""

    def allows(self, state: Any, pos: int) -> bool:
        """Whether a call may be answered so in a state."""


@attrs.frozen
class Facts:
    """What calls compared, saw and wrote, in columns; one entry for each call.

    With one cell (``cells`` is None) expectations and writes are values, and `BLIND` is a change that compares
    nothing.  With several they are mappings from cells to values, and ``initial`` answers for every cell by its
    ``[]``.  A change that leaves every cell as it expects it is a READ: it changes nothing wherever it is legal.

    Where the facts of a model do not say all (`Model.exact`), the order of the changes is found by the cells, and
    the ``judge`` decides what it allows; what an observer saw may then be left out.
    """

    kinds: Sequence[Kind]
    expects: Sequence[Any]
    writes: Sequence[Any]
    initial: Any
    cells: frozenset[Hashable] | None = None
    judge: Judge | None = None


class Model:
    """A sequential object.

    States are immutable and hashable, equal states behave alike.
    """

    name: ClassVar[str] = "model"
    exact: ClassVar[bool] = True
    """Whether `facts` says all that the answers say; if not, algorithms look at whole states, too."""

    def initial(self) -> Any:
        """Return the state at the beginning."""
        raise NotImplementedError

    def step(self, state: Any, f: str, value: Any) -> tuple[Any, Any]:
        """Return the state after an operation, and what it answers."""
        raise NotImplementedError

    def agrees(self, answer: Any, answered: Any) -> bool:
        """Whether what the history says was answered is what the model answers."""
        return bool(answer == answered)

    def observes(self, f: str, value: Any, answer: Any) -> bool:
        """Whether the call changes nothing in any state in which it may be answered so.

        A write that happens to write what was there already is no observer.
        """
        del f, value, answer
        return False

    def reads(self, f: str, value: Any) -> bool:
        """Whether the operation changes nothing, whatever it answers."""
        del f, value
        return False

    def blind(self, f: str, value: Any) -> bool:
        """Whether the operation is answered the same in every state."""
        del f, value
        return False

    def overwrites(self, f: str, value: Any) -> bool:
        """Whether the operation is blind, and the state behind it is the same whatever it was before."""
        del f, value
        return False

    def parts(self, history: History) -> Mapping[Hashable, Sequence[int]]:
        """Return the rows of each object; a history is linearizable iff those of its objects are."""
        rows: dict[Hashable, array[int]] = {}
        if len(set(history.key)) <= 1:
            return {key: range(len(history)) for key in history.key[:1]}
        for row, key in enumerate(history.key):
            rows.setdefault(key, array("q")).append(row)
        return rows

    def facts(self, history: History, rows: Sequence[int], state: Any) -> Facts | None:
        """Return what the calls of one object compared, saw and wrote, starting in ``state``; None for no cells."""
        del history, rows, state
        return None

    def admit(self, event: Event) -> Event:
        """Return an event read from a file with values as the model wants them.

        Raises:
            MalformedHistory: the model has no such operation.
        """
        return event

    def plain(self, value: Any) -> Any:
        """Return an argument, an answer or a key as plain JSON, without secrets."""
        return thawed(value)

    def shown(self, state: Any) -> Any:
        """Return a state as JSON that people can read."""
        return self.plain(state)


def refuse(event: Event, rule: str) -> MalformedHistory:
    """Return the error for an event that a model does not admit."""
    return MalformedHistory(event.place, rule)


class CasRegister(Model):
    """A register with ``read``, ``write`` and ``cas`` (``value`` is expected and new); it starts at None."""

    name = "cas-register"

    def __init__(self, start: Any = None) -> None:
        self._start = start

    def initial(self) -> Any:
        """Return the value at the beginning."""
        return self._start

    def step(self, state: Any, f: str, value: Any) -> tuple[Any, Any]:
        """Return the value after an operation, and what it answers: the value, None, or whether it replaced it."""
        if f == "read":
            return state, state
        if f == "cas":
            expected, new = value
            return (new, True) if state == expected else (state, False)
        return value, None

    def observes(self, f: str, value: Any, answer: Any) -> bool:
        """Whether it is a read, or a cas that failed or changes nothing."""
        return f == "read" or (f == "cas" and (answer is False or value[0] == value[1]))

    def reads(self, f: str, value: Any) -> bool:
        """Whether it is a read."""
        return f == "read" or (f == "cas" and value[0] == value[1])

    def blind(self, f: str, value: Any) -> bool:
        """Whether it is a write."""
        return f == "write"

    def overwrites(self, f: str, value: Any) -> bool:
        """Whether it is a write."""
        return f == "write"

    def facts(self, history: History, rows: Sequence[int], state: Any) -> Facts:
        """Return what the calls compared, saw and wrote."""
        kinds: list[Kind] = []
        expects: list[Any] = []
        writes: list[Any] = []
        known, read, failed, change, maybe = Outcome.OK, Kind.READ, Kind.FAILED, Kind.CHANGE, Kind.MAYBE
        add_kind, add_expected, add_written = kinds.append, expects.append, writes.append
        columns = (history.f, history.value, history.answer, history.outcome)
        chosen = columns if len(rows) == len(history) else [map(column.__getitem__, rows) for column in columns]
        for f, value, answer, outcome in zip(*chosen, strict=True):
            if f == "read":
                add_kind(read)
                add_expected(answer)
                add_written(None)
            elif f == "cas":
                expected, new = value
                add_expected(expected)
                add_written(new)
                if outcome is not known:
                    add_kind(maybe)
                elif answer is False:
                    add_kind(failed)
                else:
                    add_kind(change if expected != new else read)
            else:
                add_kind(change if outcome is known else maybe)
                add_expected(BLIND)
                add_written(value)
        return Facts(kinds, expects, writes, state)

    def admit(self, event: Event) -> Event:
        """Return the event with the result of a cas as a boolean."""
        if event.f not in ("read", "write", "cas"):
            raise refuse(event, f"a cas-register has read, write and cas, not {event.f!r}")
        if event.f == "read" and event.outcome is None and event.value is not None:
            raise refuse(event, "a read is invoked with value null")
        if event.key is not None:
            raise refuse(event, "a cas-register is one object: its events have no key")
        if event.f != "cas":
            return event
        if event.outcome is None and not (isinstance(event.value, tuple) and len(event.value) == 2):
            raise refuse(event, "the value of a cas is [expected, new]")
        if event.outcome is Outcome.OK:
            if not isinstance(event.answered, Truth):
                raise refuse(event, 'an ok response to a cas carries "result": true or false')
            return attrs.evolve(event, answered=event.answered.value)
        return event


class CellStore(Model):
    """Named cells with compare-and-set of several at once, for histories of that kind.

    ``cas`` has a value ``(expected, new)`` of two mappings in the form of sorted tuples of (cell, value), and
    answers whether everything expected held; ``read`` has a tuple of cells and answers their values.
    """

    name = "cells"

    def __init__(self, cells: Mapping[Hashable, Any]) -> None:
        self._cells = dict(cells)
        self._places = {cell: place for place, cell in enumerate(self._cells)}

    def initial(self) -> Any:
        """Return the values at the beginning, in the order of the cells."""
        return tuple(self._cells.values())

    def step(self, state: Any, f: str, value: Any) -> tuple[Any, Any]:
        """Return the values after an operation, and what it answers."""
        places = self._places
        if f == "read":
            return state, tuple([state[places[cell]] for cell in value])
        for cell, expected in value[0]:
            if state[places[cell]] != expected:
                return state, False
        after = list(state)
        for cell, new in value[1]:
            after[places[cell]] = new
        return tuple(after), True

    def observes(self, f: str, value: Any, answer: Any) -> bool:
        """Whether it is a read, or a cas that failed."""
        return f == "read" or answer is False

    def reads(self, f: str, value: Any) -> bool:
        """Whether it is a read."""
        return f == "read"

    def facts(self, history: History, rows: Sequence[int], state: Any) -> Facts:
        """Return what the calls compared, saw and wrote."""
        kinds: list[Kind] = []
        expects: list[Any] = []
        writes: list[Any] = []
        for row in rows:
            value, answer = history.value[row], history.answer[row]
            if history.f[row] == "read":
                kinds.append(Kind.READ)
                expects.append(dict(zip(value, answer, strict=True)))
                writes.append({})
                continue
            expected, new = dict(value[0]), dict(value[1])
            expects.append(expected)
            writes.append(new)
            if history.outcome[row] is not Outcome.OK:
                kinds.append(Kind.MAYBE)
            elif answer is False:
                kinds.append(Kind.FAILED)
            else:
                kinds.append(change_or_read(expected, new))
        return Facts(kinds, expects, writes, dict(zip(self._places, state, strict=True)), frozenset(self._places))


def change_or_read(expected: Mapping[Any, Any], new: Mapping[Any, Any]) -> Kind:
    """Return what a successful comparison is: one that writes just what it expects is a read."""
    blind = object()
    return Kind.READ if all(expected.get(cell, blind) == value for cell, value in new.items()) else Kind.CHANGE


class KeyValue(Model):
    """A map with ``get``, ``put`` and ``append``, each key an object of its own.

    An absent key reads as null or as the empty text.  Appending a text to a text joins them; appending anything
    else makes a list, or adds to it.
    """

    name = "kv"

    def initial(self) -> Any:
        """Return what an absent key holds."""
        return ""

    def step(self, state: Any, f: str, value: Any) -> tuple[Any, Any]:
        """Return the value of the key after an operation, and what it answers."""
        if f == "get":
            return state, state
        if f == "put":
            return _present(value), None
        return _appended(state, value), None

    def agrees(self, answer: Any, answered: Any) -> bool:
        """Whether the answers are the same value; put and append answer nothing."""
        return answer is None or bool(answer == _present(answered))

    def observes(self, f: str, value: Any, answer: Any) -> bool:
        """Whether it is a get."""
        return f == "get"

    def reads(self, f: str, value: Any) -> bool:
        """Whether it is a get."""
        return f == "get"

    def blind(self, f: str, value: Any) -> bool:
        """Whether it is a put or an append."""
        return f != "get"

    def overwrites(self, f: str, value: Any) -> bool:
        """Whether it is a put."""
        return f == "put"

    def facts(self, history: History, rows: Sequence[int], state: Any) -> Facts | None:
        """Return versions of the value: an append that was seen compares the version that it was appended to."""
        return _Versions(history, rows, state).facts()

    def admit(self, event: Event) -> Event:
        """Return the event; a write answers nothing."""
        if event.f not in ("get", "put", "append"):
            raise refuse(event, f"a key-value map has get, put and append, not {event.f!r}")
        if event.outcome is None and event.key is None:
            raise refuse(event, f"{event.f} names its key")
        if event.f == "get":
            if event.outcome is None and event.value is not None:
                raise refuse(event, "a get is invoked with value null")
            return event
        return attrs.evolve(event, answered=None)


def _present(value: Any) -> Any:
    return "" if value is None else value


def _appended(state: Any, value: Any) -> Any:
    if isinstance(value, str):
        if isinstance(state, str):
            return state + value
        return (*state, value) if isinstance(state, tuple) else (state, value)
    if state == "":
        return (value,)
    return (*state, value) if isinstance(state, tuple) else (state, value)


class _Versions:
    """Finds out of which writes each value that was seen is made, where that is certain."""

    def __init__(self, history: History, rows: Sequence[int], state: Any) -> None:
        self._history, self._rows, self._state = history, rows, state
        self._puts: dict[Any, int] = {}
        self._appends: dict[Any, int] = {}
        self._before: dict[int, Any] = {}  # the version that a seen append found, by its row
        self._parsed: set[Any] = set()
        self._lengths: set[int] = set()

    def facts(self) -> Facts | None:
        """Return the facts, or None where a value could be made in several ways."""
        history = self._history
        for row in self._rows:
            f, value = history.f[row], _present(history.value[row])
            table = self._puts if f == "put" else self._appends if f == "append" else None
            if table is not None:
                if value in ("", self._state) or value in self._puts or value in self._appends:
                    return None
                table[value] = row
        self._lengths = {len(append) for append in self._appends if isinstance(append, str)}
        seen = {_present(history.answer[row]) for row in self._rows if history.f[row] == "get"}
        for value in seen:
            if not self._parse(value):
                return None
        return self._columns()

    def _parse(self, value: Any) -> bool:
        """Note which append made the value, and of what; return whether that is certain.

        A value that cannot have been made, or not as another value says, ends the search: it has no writer.
        """
        while value not in self._parsed:
            self._parsed.add(value)
            made = [append for append in self._last(value) if self._without(value, append) is not None]
            whole = (value == self._state) + (value in self._puts)
            if whole + len(made) > 1:
                return False
            if not made:
                return True
            row, before = self._appends[made[0]], self._without(value, made[0])
            if self._before.setdefault(row, before) != before:
                return True
            value = before
        return True

    def _last(self, value: Any) -> list[Any]:
        if isinstance(value, tuple):
            return [value[-1]] if value and value[-1] in self._appends else []
        if not isinstance(value, str):
            return []
        ends = (value[-length:] for length in self._lengths if length <= len(value))
        return [end for end in ends if end in self._appends]

    def _without(self, value: Any, append: Any) -> Any:
        if isinstance(value, str):
            return value[: -len(append)] if len(append) <= len(value) else None
        before = value[:-1]
        for held in (before, before[0] if len(before) == 1 else None, "" if not before else None):
            if held is not None and _appended(held, append) == value:
                return held
        return None

    def _columns(self) -> Facts | None:
        history = self._history
        made = {row: _appended(before, history.value[row]) for row, before in self._before.items()}
        if len(set(made.values()) | set(self._puts)) != len(made) + len(self._puts):
            return None
        kinds: list[Kind] = []
        expects: list[Any] = []
        writes: list[Any] = []
        for row in self._rows:
            f, known = history.f[row], history.outcome[row] is Outcome.OK
            kinds.append(Kind.READ if f == "get" else Kind.CHANGE if known else Kind.MAYBE)
            if f == "get":
                expects.append(_present(history.answer[row]))
                writes.append(None)
            elif f == "put":
                expects.append(BLIND)
                writes.append(_present(history.value[row]))
            else:
                expects.append(self._before.get(row, BLIND))
                writes.append(made.get(row, Unseen(row)))
        return Facts(kinds, expects, writes, self._state)


@attrs.frozen
class Unseen:
    """The value that an append made which no get saw: whatever it was, it is unique."""

    row: int
