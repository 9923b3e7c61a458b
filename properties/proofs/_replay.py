"""Countermodels of calls: what a solver's model stands for in values of the model, and what Python makes of it.

A solver says of what the store keeps as a whole only which of a few it is; here each of those few is a real
snapshot, payload or time.  The calls are then made by the ``step`` that the obligation is about, and what comes of
them is compared with what the symbolic execution foretold.
"""

from __future__ import annotations

import itertools
import types
import typing
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

import attrs
import z3  # type: ignore[import-untyped]
from rpds import HashTrieMap

from mobstore.model import (
    Document,
    MobStoreError,
    OtherMachineInput,
    OverlayNormalized,
    Payload,
    RunId,
    Timestamp,
)
from mobstore.model._collections import OrderedTrieMap
from mobstore.model.machines.sorts import (
    Boolean,
    Enumeration,
    MapOf,
    Natural,
    Opaque,
    Optional,
    Record,
    SequenceOf,
    Sort,
)
from mobstore.model.values import (
    FailureLedgerEntry,
    FlowFrameState,
    FlowRunState,
    FrameSnapshot,
    IterationOutputs,
    LoopIterationState,
    LoopSnapshot,
    MobRun,
    RecordLoopBodyFrameCompleted,
    SupervisorAuthorityRecord,
)
from mobstore.properties._symbols import Symbol, Table, conj, neg
from mobstore.properties.pools import TOKEN, secret_key
from mobstore.properties.proofs._execution import (
    STEP,
    Call,
    LogOf,
    Outcome,
    Pair,
    Shape,
    Sparse,
    is_other,
)
from mobstore.properties.proofs.obligation import Replay
from mobstore.properties.source import as_python
from mobstore.properties.symbolic import Translation

_IDS: Final = ("", "a", "b", "c", "d", "e")

_VALUES: Final[dict[str, Callable[[int], Any]]] = {
    "str": _IDS.__getitem__,
    "RunId": lambda number: RunId(f"11111111-0000-4000-8000-{number:012}"),
    "FlowRunState": lambda number: FlowRunState(failure_count=number),
    "FrameSnapshot": lambda number: FrameSnapshot(FlowFrameState(iteration=number)),
    "LoopSnapshot": lambda number: LoopSnapshot(LoopIterationState(current_iteration=number)),
    "FailureLedgerEntry": lambda number: FailureLedgerEntry("s", f"reason {number}", Timestamp(0)),
    "SupervisorAuthorityRecord": lambda number: SupervisorAuthorityRecord(
        secret_key(number), f"peer {number}", number
    ),
    "Payload": Payload.of,
    "Document": lambda number: Document.of({"id": number}),
    "Timestamp": Timestamp,
    "OverlayKey": lambda number: (f"agent {number}", number),
    "BootstrapToken": lambda _number: TOKEN,
    "OverlayNormalizedUnion": lambda _number: OverlayNormalized(),
}
"""The values of each opaque sort, by their number; of other sorts a number stands for itself."""
_FEW: Final = 8
"""How many places of a list without bound are looked at."""


class Reader:
    """Reads values off a model."""

    def __init__(self, translation: Translation, model: Any, call: Call) -> None:
        self._translation, self._model = translation, model
        self._keys = self._pairs(call)
        self._places = self._looked_at(call)

    def _pairs(self, call: Call) -> dict[int, tuple[str, int]]:
        """Return the pair that the key of an overlay stands for, where the call has one."""
        fields = call.arguments.fields
        source = fields["record"].fields if hasattr(fields.get("record"), "fields") else fields
        if "agent_identity" not in source or "generation" not in source:
            return {}
        agent, generation = source["agent_identity"], source["generation"]
        sort = self._translation.z3_sort(Opaque("OverlayKey"))
        made = z3.Function("OverlayKey", agent.sort(), generation.sort(), sort)(agent, generation)
        pair = self.read(agent, Opaque("str")), self.read(generation, Natural(64))
        return {self._number(made, Opaque("OverlayKey")): pair}

    def _looked_at(self, call: Call) -> list[Any]:
        """Return the places of a list without bound that may have been written."""
        context = call.arguments.fields.get("loop_context")
        named = [] if context is None else [self._eval(context.item.fields["second"]).as_long()]
        return [z3.IntVal(place) for place in sorted({*range(_FEW), *named})]

    def holds(self, formula: Any) -> bool:
        """Whether a formula is true in the model."""
        return bool(z3.is_true(self._eval(formula)))

    def _eval(self, part: Any) -> Any:
        return self._model.eval(part, model_completion=True)

    def _number(self, part: Any, sort: Opaque) -> int:
        elements = self._translation.elements(sort) or ()
        found = self._eval(part)
        return next((number for number, each in enumerate(elements) if each.eq(found)), 0)

    def read(self, symbol: Symbol, sort: Sort) -> Any:
        """Return the value that a symbol stands for."""
        if isinstance(sort, Optional):
            return self.read(symbol.item, sort.item) if self.holds(symbol.present) else None
        if isinstance(sort, Record):
            return self._record(symbol, sort)
        if isinstance(sort, MapOf):
            return _map_of(sort)(self._items(symbol, sort))
        if isinstance(sort, SequenceOf):
            size = self._eval(symbol.length()).as_long()
            items = [self.read(symbol.at(z3.IntVal(place)), sort.item) for place in range(size)]
            return sort.kind(_loggable(items)) if isinstance(sort, LogOf) else tuple(items)
        if isinstance(sort, Boolean):
            return self.holds(symbol)
        if isinstance(sort, Natural):
            return self._eval(symbol).as_long()
        if isinstance(sort, Enumeration):
            elements = self._translation.elements(sort) or ()
            found = self._eval(symbol)
            return next(value for value, each in zip(sort.kind, elements, strict=True) if each.eq(found))
        assert isinstance(sort, Opaque), sort
        return self._opaque(symbol, sort)

    def _opaque(self, symbol: Symbol, sort: Opaque) -> Any:
        number = self._number(symbol, sort)
        if sort.name == "RunFlowUnion":
            return self._input(symbol, number)
        if sort.name == "OverlayKey" and number in self._keys:
            return self._keys[number]
        return _VALUES.get(sort.name, int)(number)

    def _input(self, symbol: Symbol, number: int) -> Any:
        """Return a machine input that the log takes, or not, as the model has it."""
        if self.holds(is_other(symbol)):
            return OtherMachineInput(f"Other{number}")
        return RecordLoopBodyFrameCompleted("loop", number)

    def _record(self, symbol: Symbol, sort: Record) -> Any:
        if sort.kind is Sparse:
            written = self._items(symbol.fields["written"], Shape(Sparse).fields["written"])
            size = self._eval(symbol.fields["size"]).as_long()
            return _sparse({place: item for place, item in written if place < size}, size)
        fields = {name: self.read(symbol.fields[name], of) for name, of in sort.fields.items()}
        return tuple(fields.values()) if issubclass(sort.kind, Pair) else sort.kind(**fields)

    def _items(self, symbol: Table, sort: Any) -> list[tuple[Any, Any]]:
        keys: Sequence[Any] | None = self._translation.elements(sort.key)
        keys = self._places if keys is None else keys
        there = [key for key in keys if self.holds(symbol.has(key))]
        return [(self.read(key, sort.key), self.read(symbol.at(key), sort.item)) for key in there]


def _map_of(sort: MapOf) -> Callable[[Any], Any]:
    return typing.get_origin(sort.hint)  # type: ignore[no-any-return]


def _loggable(items: list[Any]) -> list[Any]:
    """Return the items of a log, in which no input stands that it does not take."""
    return [
        RecordLoopBodyFrameCompleted(item.input, 0) if isinstance(item, OtherMachineInput) else item
        for item in items
    ]


def _sparse(written: dict[int, Any], size: int) -> IterationOutputs:
    outputs = IterationOutputs({place: OrderedTrieMap(item) for place, item in written.items()})
    return outputs if len(outputs) == size else outputs.set(size - 1, outputs.empty())


def readable(translation: Translation, calls: Sequence[Made]) -> Iterator[Any]:
    """Iterate over what a model must obey, so that values stand for the states and arguments in it."""
    yield from _readable(translation, calls[0].call.before, Shape(calls[0].call.store))
    for made in calls:
        yield from _readable(translation, made.call.arguments, Shape(made.call.operation))


def _readable(translation: Translation, symbol: Symbol, sort: Sort) -> Iterator[Any]:
    if isinstance(sort, Natural):
        yield conj(symbol >= 0, symbol <= sort.maximum)
    elif isinstance(sort, SequenceOf):
        yield conj(symbol.length() >= 0, symbol.length() <= symbol.bound)
    elif isinstance(sort, Record) and sort.kind is Sparse:
        yield symbol.fields["size"] <= _FEW
    for part, of in _parts_of(translation, symbol, sort):
        yield from _readable(translation, part, of)


def tidy(translation: Translation, calls: Sequence[Made]) -> Iterator[Any]:
    """Iterate over what makes a model easy to read: hardly anything is stored before."""
    yield from _tidy(translation, calls[0].call.before, Shape(calls[0].call.store))


def _tidy(translation: Translation, symbol: Symbol, sort: Sort) -> Iterator[Any]:
    if isinstance(sort, SequenceOf):
        yield symbol.length() <= 1
    elif isinstance(sort, MapOf):
        pairs = itertools.combinations(translation.elements(sort.key) or (), 2)
        yield from (neg(conj(symbol.has(one), symbol.has(other))) for one, other in pairs)
    for part, of in _parts_of(translation, symbol, sort):
        yield from _tidy(translation, part, of)


def _parts_of(translation: Translation, symbol: Symbol, sort: Sort) -> Iterator[tuple[Symbol, Sort]]:
    """Iterate over all that a symbol of a bounded translation is made of."""
    if isinstance(sort, SequenceOf):
        yield from ((symbol.at(z3.IntVal(place)), sort.item) for place in range(symbol.bound))
    elif isinstance(sort, Optional):
        yield symbol.item, sort.item
    elif isinstance(sort, Record):
        yield from ((symbol.fields[name], of) for name, of in sort.fields.items())
    elif isinstance(sort, MapOf):
        yield from ((symbol.at(key), sort.item) for key in translation.elements(sort.key) or ())


# --- the calls, made in Python ----------------------------------------------------------------------------------


@attrs.frozen(eq=False)
class Made:
    """A call of a countermodel: its symbols, what it may come to, and what makes it in Python.

    ``after`` says that it is made in the state that the call before it left, not in the first one.
    """

    call: Call
    outcomes: Sequence[Outcome]
    handler: Callable[..., Any]
    after: bool = False


def module_of(source: str | None) -> types.ModuleType:
    """Return ``mobstore.model.step``, or what it is when its source is another."""
    if source is None:
        return STEP
    module = types.ModuleType(STEP.__name__)
    exec(compile(source, str(STEP.__file__), "exec"), module.__dict__)  # noqa: S102 - a mutant
    return module


def replay(translation: Translation, calls: Sequence[Made], model: Any) -> Replay:
    """Return a countermodel in values, after making its calls in Python."""
    reader = Reader(translation, model, calls[0].call)
    first = calls[0].call
    before = _state(reader.read(first.before, Shape(first.store)))
    state, shown, ends, agrees = before, [], [], True
    for made in calls:
        operation = reader.read(made.call.arguments, Shape(made.call.operation))
        now = reader.read(made.call.now, Opaque("Timestamp")).seconds * 10**9
        start = state if made.after else before
        state, answer = _make(made.handler, start, operation, now)
        shown.append(f"{made.call.operation.call}({_arguments(operation)}), at {now} ns")
        ends.append(f"it answers {answer}; {_changed(start, state)}")
        agrees = agrees and _foretold(reader, made, state, answer)
    return Replay(_shown(before), "\n  then: ".join(shown), "\n  then: ".join(ends), agrees)


def _state(state: Any) -> Any:
    """Return the state of a store with the map of runs that it really has."""
    return attrs.evolve(state, runs=HashTrieMap(dict(state.runs))) if hasattr(state, "runs") else state


def _make(handler: Callable[..., Any], state: Any, operation: Any, now: int) -> tuple[Any, str]:
    try:
        after, answer = handler(state, operation, now)
    except (MobStoreError, AssertionError, AttributeError, LookupError, TypeError) as error:
        return state, type(error).__name__
    return after, _answer(answer)


def _answer(answer: Any) -> str:
    return as_python(answer) if attrs.has(type(answer)) else repr(answer)


def _foretold(reader: Reader, made: Made, after: Any, answer: str) -> bool:
    """Whether the execution on symbols says the same of the call, in this model."""
    path = next((each for each in made.outcomes if reader.holds(each.condition)), None)
    if path is None:
        return False
    # By what is in them: the class of the state may be a mutant's own.
    wanted = {(name, key): item for name, key, item in _entries(reader.read(path.after, Shape(made.call.store)))}
    if wanted != {(name, key): item for name, key, item in _entries(after)}:
        return False
    if path.error is not None:
        return path.error.__name__ == answer
    return answer == repr(path.answer) if path.answer is None or isinstance(path.answer, bool) else True


def _arguments(operation: Any) -> str:
    return as_python(operation).partition("(")[2].removesuffix(")")


def _shown(state: Any) -> str:
    """Return a state of a store as people read it."""
    parts = (f"{name}[{key}] = {_text(item)}" for name, key, item in _entries(state))
    return "; ".join(parts) or "nothing is stored"


def _entries(state: Any) -> Iterator[tuple[str, str, Any]]:
    for field in attrs.fields(type(state)):
        for key, item in dict(getattr(state, field.name)).items():
            yield field.name, as_python(key), item


def _text(item: Any) -> str:
    return as_python(item) if attrs.has(type(item)) or not isinstance(item, tuple) else repr(item)


def _changed(before: Any, after: Any) -> str:
    """Return what of a state changed, as people read it; of a run only the fields that did."""
    old = {(name, key): item for name, key, item in _entries(before)}
    new = {(name, key): item for name, key, item in _entries(after)}
    parts = [f"{name}[{key}] is removed" for name, key in old if (name, key) not in new]
    for (name, key), item in new.items():
        known = old.get((name, key))
        if known != item:
            parts += [f"{name}[{key}]{path} becomes {_text(part)}" for path, part in _differences(known, item)]
    return "; ".join(parts) or "nothing changes"


def _differences(old: Any, new: Any) -> Iterator[tuple[str, Any]]:
    if not isinstance(old, MobRun):
        yield "", new
        return
    for name in Record(MobRun).fields:
        if (value := getattr(new, name)) != getattr(old, name):
            yield f".{name}", value
