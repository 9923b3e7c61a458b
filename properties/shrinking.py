"""Shrinking of counterexamples, call by call and value by value.

Hypothesis shrinks what it drew; this shrinks what was called, which it does not see: it leaves out calls, and
puts simpler values in the place of those that do not matter, wherever the same value stands.  Whatever it
accepts has failed on a new storage, so a counterexample that does not fail again stays as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, TypeAlias

import attrs

from mobstore.model import Document, MobStoreError, Payload, SparseList
from mobstore.properties.source import Between, Step, as_python

Steps: TypeAlias = tuple[Step, ...]
Fails: TypeAlias = Callable[[Steps], "Steps | None"]
"""Makes the calls on a new storage; returns them up to the first that is answered wrongly, None if none is."""

ATTEMPTS: Final = 600
"""How often the calls are made again at most: a few seconds on a backend of a few milliseconds a storage."""


def shrink(steps: Steps, fails: Fails, attempts: int = ATTEMPTS) -> Steps:
    """Return a shortest sequence found that still fails, of the simplest values found."""
    return _Shrinking(steps, fails, attempts).run()


class _Shrinking:
    """The best sequence so far, and how many attempts are left."""

    def __init__(self, steps: Steps, fails: Fails, attempts: int) -> None:
        self._best = steps
        self._fails = fails
        self._left = attempts

    def run(self) -> Steps:
        """Shrink until nothing helps any more."""
        if self._accepts(self._best):
            size = None
            while size != (size := _size(self._best)) and self._left:
                self._leave_out_calls()
                self._simplify_values()
        return self._best

    def _accepts(self, steps: Steps) -> bool:
        if not self._left:
            return False
        self._left -= 1
        failing = self._fails(steps)
        if failing is None:
            return False
        self._best = failing
        return True

    def _leave_out_calls(self) -> None:
        """Leave out stretches of calls, long ones first, from the end: the last calls hang on the first."""
        length = len(self._best)
        while length := length // 2:
            place = len(self._best) - length
            while place >= 0:
                self._accepts(self._best[:place] + self._best[place + length :])
                place = min(place, len(self._best)) - length

    def _simplify_values(self) -> None:
        tried: list[Any] = []
        while (value := self._largest_untried(tried)) is not None:
            tried.append(value)
            self._simplify(value)

    def _largest_untried(self, tried: Sequence[Any]) -> Any:
        found = [value for value in _values_in(self._best) if not any(_is_same(value, other) for other in tried)]
        return max(found, key=_length, default=None)

    def _simplify(self, value: Any) -> None:
        for candidate in _simpler(value):
            try:
                steps = _replaced(self._best, value, candidate)
            except (MobStoreError, TypeError, ValueError):
                continue  # the candidate breaks a rule of a record around it
            if self._accepts(steps):
                self._simplify(candidate)
                return


def _size(steps: Steps) -> tuple[int, int]:
    return len(steps), sum(_length(step[0]) for step in steps if not isinstance(step, Between))


def _length(value: Any) -> int:
    return len(as_python(value))


def _is_same(left: Any, right: Any) -> bool:
    return type(left) is type(right) and bool(left == right)


def _is_collection(value: Any) -> bool:
    return isinstance(value, (Mapping, Sequence)) and not isinstance(value, (str, bytes))


def _values_in(steps: Steps) -> Iterator[Any]:
    for step in steps:
        if not isinstance(step, Between):
            for part in _parts(step[0]):
                yield from _composites(part)


def _parts(value: Any) -> Iterator[Any]:
    if attrs.has(type(value)):
        yield from (getattr(value, field.name) for field in attrs.fields(type(value)))
    elif isinstance(value, Mapping):
        yield from value.values()
    elif _is_collection(value):
        yield from value


def _composites(value: Any) -> Iterator[Any]:
    """Every record, collection and document within a value, itself included."""
    if isinstance(value, (Payload, Document)) or attrs.has(type(value)) or (_is_collection(value) and value):
        yield value
    if not isinstance(value, (Payload, Document)):
        for part in _parts(value):
            yield from _composites(part)


def _simpler(value: Any) -> Iterator[Any]:
    """Values of the same kind with less in them, the boldest first."""
    kind: Any = type(value)
    if isinstance(value, (Payload, Document)):
        yield from map(kind.of, _simpler_documents(value.value))
    elif attrs.has(kind):
        yield from _simpler_records(value)
    elif isinstance(value, SparseList):
        yield kind()
    elif isinstance(value, Mapping):
        yield kind()
        yield from (kind({key: value[key] for key in value if key != left_out}) for left_out in value)
    elif _is_collection(value):
        items = list(value)
        yield kind()
        yield from (kind(items[:place] + items[place + 1 :]) for place in range(len(items)))


def _simpler_documents(value: Any) -> Iterator[Any]:
    if value is not None and value != {}:
        yield {}
        yield None
    if isinstance(value, Mapping):
        yield from ({key: value[key] for key in value if key != left_out} for left_out in value)


def _simpler_records(value: Any) -> Iterator[Any]:
    changed = {
        field.name: field.default
        for field in attrs.fields(type(value))
        if field.default is not attrs.NOTHING and getattr(value, field.name) != field.default
    }
    if changed:
        yield attrs.evolve(value, **changed)
    if len(changed) > 1:
        yield from (attrs.evolve(value, **{name: default}) for name, default in changed.items())


def _replaced(steps: Steps, old: Any, new: Any) -> Steps:
    return tuple(step if isinstance(step, Between) else (_rebuilt(step[0], old, new), step[1]) for step in steps)


def _substituted(value: Any, old: Any, new: Any) -> Any:
    return new if _is_same(value, old) else _rebuilt(value, old, new)


def _rebuilt(value: Any, old: Any, new: Any) -> Any:
    """Return the value with ``new`` wherever ``old`` stands in it; the very same object where it does not."""
    kind: Any = type(value)
    if isinstance(value, (Payload, Document, SparseList)):
        return value
    if attrs.has(kind):
        held = {field.name: getattr(value, field.name) for field in attrs.fields(kind)}
        changes = {
            name: changed for name, item in held.items() if (changed := _substituted(item, old, new)) is not item
        }
        return attrs.evolve(value, **changes) if changes else value
    if isinstance(value, Mapping):
        items = {key: _substituted(item, old, new) for key, item in value.items()}
        return value if all(items[key] is value[key] for key in items) else kind(items)
    if _is_collection(value):
        before = list(value)
        after = [_substituted(item, old, new) for item in before]
        return value if all(a is b for a, b in zip(before, after, strict=True)) else kind(after)
    return value
