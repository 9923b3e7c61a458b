"""Symbolic execution of the specification: the code of ``mobstore.model.step``, run on symbols.

A second instance of the module is loaded from the same source.  Its calls are given proxies: values that stand
for any value of a sort.  Where the code asks a proxy for a truth, the execution forks; so the paths of a call
are all that it can do, each with the condition under which it does it.  Nothing about a call is said again.

What the store keeps as a whole (snapshots, documents, records) is a value of an uninterpreted sort: code that
looked inside one would fail here.  What it looks into (ledger entries, maps) is a symbol of its shape.
"""

from __future__ import annotations

import functools
import importlib.util
import types
import typing
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path as FilePath
from typing import Any, Final

import attrs
import z3  # type: ignore[import-untyped]

from mobstore.model import Document, FrozenMap, Internal, MobRun, MobStoreError, Payload
from mobstore.model import operations as ops
from mobstore.model._collections import Log, OrderedTrieMap, SparseList, TrieMap
from mobstore.model._records import U64
from mobstore.model._time import Timestamp
from mobstore.model.machines.sorts import (
    Boolean,
    MapOf,
    Natural,
    Opaque,
    Optional,
    Record,
    SequenceOf,
    Sort,
    sort_of,
)
from mobstore.model.values import (
    FailureLedgerEntry,
    FlowRunState,
    FrameSnapshot,
    IterationOutputs,
    LoopSnapshot,
    StoredRealmProfile,
    SupervisorAuthorityRecord,
)
from mobstore.properties._symbols import (
    FALSE,
    TRUE,
    Expr,
    Option,
    Row,
    Structure,
    Symbol,
    Table,
    below,
    conj,
    disj,
    ite,
    neg,
    remembered,
    row,
    same,
    some_place,
)
from mobstore.properties.symbolic import Translation

STEP: Final = importlib.import_module("mobstore.model.step")
"""The specification's module (the package has a function of this name, too)."""

# --- shapes -----------------------------------------------------------------------------------------------------


@attrs.frozen
class Sparse:
    """What a `SparseList` of maps is made of: its length, and the places that were written."""

    size: U64
    written: FrozenMap[U64, FrozenMap[str, Payload]]


@attrs.frozen
class Pair:
    """A tuple of two; a subclass says of what."""


@attrs.frozen
class LoopContext(Pair):
    """A loop and one of its iterations."""

    first: str
    second: U64


@attrs.frozen
class Spec(Pair):
    """A definition and its revision."""

    first: Document
    second: U64


_WHOLE: Final = (FlowRunState, FrameSnapshot, LoopSnapshot, FailureLedgerEntry, SupervisorAuthorityRecord)
"""The records that the store never looks into."""


@attrs.frozen
class Shape(Record):
    """A record whose fields have shapes."""

    @property
    def fields(self) -> Mapping[str, Sort]:
        """The shape of each field, in order."""
        return _fields(self.kind)


@attrs.frozen
class LogOf(SequenceOf):
    """A log; ``kind`` says the keys of its entries."""

    kind: type[Log[Any]]


@functools.cache
def shape(hint: Any) -> Sort:
    """Return the sort that stands for the values of an annotation in symbolic execution."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if isinstance(hint, typing.NewType):
        return shape(hint.__supertype__)
    if origin in (typing.Union, types.UnionType):
        some = [each for each in arguments if each is not types.NoneType]
        if len(some) == len(arguments):
            return Opaque(f"{some[0].__name__}Union")
        return Optional(shape(some[0]) if len(some) == 1 else Opaque(f"{some[0].__name__}Union"))
    if origin is tuple:
        return SequenceOf(shape(arguments[0])) if arguments[1:] == (...,) else _pair(arguments)
    if origin in (TrieMap, OrderedTrieMap, FrozenMap):
        key = Opaque("OverlayKey") if typing.get_origin(arguments[0]) is tuple else shape(arguments[0])
        return MapOf(key, shape(arguments[1]), hint)
    if isinstance(hint, type):
        return _shape_of_class(hint)
    return sort_of(hint)


def _pair(hints: tuple[Any, ...]) -> Shape:
    wanted = tuple(map(shape, hints))
    return next(found for kind in _PAIRS if tuple((found := Shape(kind)).fields.values()) == wanted)


def _shape_of_class(hint: Any) -> Sort:
    if issubclass(hint, SparseList):
        return Shape(Sparse)
    if issubclass(hint, Log):
        return LogOf(shape(hint.item), hint)
    if hint is int:
        return Natural(64)
    if hint in _WHOLE:
        return Opaque(hint.__name__)
    sort = sort_of(hint)
    return Shape(hint) if isinstance(sort, Record) else sort


_PAIRS: Final = (LoopContext, Spec)


@functools.cache
def _fields(kind: type) -> Mapping[str, Sort]:
    # The states of the stores name a class that cannot be subscripted: as a map, it is one like the others.
    names = {**vars(STEP), "HashTrieMap": TrieMap} if kind.__module__ == STEP.__name__ else None
    hints = typing.get_type_hints(kind, names, include_extras=True)
    return {field.name: shape(hints[field.name]) for field in attrs.fields(kind)}


# --- paths ------------------------------------------------------------------------------------------------------


class Path:
    """One way through the code: what was decided so far, and what else must hold on it."""

    def __init__(self, translation: Translation, decisions: list[bool]) -> None:
        self.translation = translation
        self.decisions = decisions
        self.conditions: list[Expr] = []
        self._known: dict[int, bool] = {}
        self._asked: list[Expr] = []

    def decide(self, question: Expr) -> bool:
        """Return the answer that this path gives; it is a new fork where the question is a new one."""
        if z3.is_true(question) or z3.is_false(question):
            return bool(z3.is_true(question))
        if question.get_id() not in self._known:
            place = len(self._asked)
            if place == len(self.decisions):
                self.decisions.append(True)
            answer = self.decisions[place]
            self._asked.append(question)
            self._known[question.get_id()] = answer
            self.conditions.append(question if answer else neg(question))
        return self._known[question.get_id()]

    def number(self, name: str) -> Expr:
        """Return a number that is not known yet."""
        return self.translation.invent(name, (), z3.IntSort())()


@attrs.frozen(eq=False)
class Outcome:
    """What a call does on one path: its condition, what it answers or raises, and the state afterwards."""

    condition: Expr
    error: type[Exception] | None
    answer: Any
    after: Symbol

    @property
    def changes(self) -> bool:
        """Whether the state afterwards is another than before."""
        return self.error is None and self.after is not None


def _next(decisions: list[bool]) -> list[bool] | None:
    """Return the decisions of the next path, or None after the last."""
    kept = list(decisions)
    while kept and not kept[-1]:
        kept.pop()
    return [*kept[:-1], False] if kept else None


# --- proxies ----------------------------------------------------------------------------------------------------


class Truth:
    """A truth that is not known: whoever asks for it forks."""

    def __init__(self, path: Path, holds: Expr) -> None:
        self._path, self._holds = path, holds

    def __bool__(self) -> bool:
        return self._path.decide(self._holds)


class Proxy:
    """What stands for any value of a sort."""

    def __init__(self, path: Path, sort: Sort, symbol: Symbol) -> None:
        self.path, self.sort, self.symbol = path, sort, symbol

    def __eq__(self, other: object) -> Any:
        if other is None:
            return False
        return Truth(
            self.path, self.path.translation.equal(self.symbol, lift(self.path, other, self.sort), self.sort)
        )

    def __ne__(self, other: object) -> Any:
        return True if other is None else not bool(self == other)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self.sort}>"


class NumberProxy(Proxy):
    """A natural number."""

    def __lt__(self, other: Any) -> Truth:
        if isinstance(other, _Length):
            other = other.number
        return Truth(self.path, below(self.symbol, lift(self.path, other, self.sort)))

    def __gt__(self, other: Any) -> Truth:
        return Truth(self.path, below(lift(self.path, other, self.sort), self.symbol))

    def __add__(self, other: Any) -> NumberProxy:
        return NumberProxy(self.path, self.sort, self.symbol + lift(self.path, other, self.sort))

    def __bool__(self) -> bool:
        return self.path.decide(neg(same(self.symbol, z3.IntVal(0))))


class RecordProxy(Proxy):
    """A record: its fields, and the methods of its class."""

    def __getattr__(self, name: str) -> Any:
        kind = self.sort.kind  # type: ignore[attr-defined]
        if name in self.sort.fields:  # type: ignore[attr-defined]
            return wrap(self.path, self.sort.fields[name], self.symbol.fields[name])  # type: ignore[attr-defined]
        return functools.partial(getattr(kind, name), self)

    def evolve(self, changes: Mapping[str, Any]) -> RecordProxy:
        """Return the record with some fields replaced."""
        of = self.sort.fields  # type: ignore[attr-defined]
        lifted = {name: lift(self.path, value, of[name]) for name, value in changes.items()}
        return RecordProxy(self.path, self.sort, Structure({**self.symbol.fields, **lifted}))


class PairProxy(RecordProxy):
    """A tuple of two."""

    def __getitem__(self, place: int) -> Any:
        return getattr(self, ("first", "second")[place])

    def __iter__(self) -> Iterator[Any]:
        return iter((self[0], self[1]))


class MapProxy(Proxy):
    """A map, in whatever order."""

    def _key(self, key: Any) -> Expr:
        return lift(self.path, key, self.sort.key)  # type: ignore[attr-defined]

    def __contains__(self, key: Any) -> bool:
        return self.path.decide(self.symbol.has(self._key(key)))

    def __getitem__(self, key: Any) -> Any:
        return wrap(self.path, self.sort.item, self.symbol.at(self._key(key)))  # type: ignore[attr-defined]

    def get(self, key: Any, default: Any = None) -> Any:
        """Return what stands there, or the default."""
        return self[key] if key in self else default  # noqa: SIM401 - this is what it means

    def set(self, key: Any, value: Any) -> MapProxy:
        """Return the map in which ``key`` has ``value``."""
        wanted, item = self._key(key), lift(self.path, value, self.sort.item)  # type: ignore[attr-defined]
        return MapProxy(self.path, self.sort, stored(self.symbol, wanted, item))

    insert = set  # noqa: A003 - what a trie calls it

    def discard(self, key: Any) -> MapProxy:
        """Return the map without ``key``."""
        return MapProxy(self.path, self.sort, removed(self.symbol, self._key(key)))


class LogProxy(Proxy):
    """A sequence, as logs are: found by the keys of its entries."""

    def keys(self, entry: Any) -> tuple[Any, ...]:
        """Return the keys of an entry, as its class says."""
        return self.sort.kind.keys(entry)  # type: ignore[attr-defined, no-any-return]

    def __getitem__(self, place: Any) -> Any:
        item: Sort = self.sort.item  # type: ignore[attr-defined]
        return wrap(self.path, item, self.symbol.at(lift(self.path, place, NUMBER)))

    def append(self, entry: Any) -> LogProxy:
        """Return the log with one entry more."""
        item = lift(self.path, entry, self.sort.item)  # type: ignore[attr-defined]
        return LogProxy(self.path, self.sort, extended(self.symbol, row(z3.IntVal(1), lambda _: item, 1)))

    def extend(self, entries: Any) -> LogProxy:
        """Return the log with more entries."""
        return LogProxy(self.path, self.sort, extended(self.symbol, entries.symbol))

    def replace(self, place: Any, entry: Any) -> LogProxy:
        """Return the log with another entry at a place."""
        at, item = lift(self.path, place, NUMBER), lift(self.path, entry, self.sort.item)  # type: ignore[attr-defined]
        symbol = self.symbol
        return LogProxy(
            self.path,
            self.sort,
            row(symbol.length(), lambda here: ite(same(here, at), item, symbol.at(here)), symbol.bound),
        )

    def last(self, key: Any) -> NumberProxy | None:
        """Return the place of the last entry that has a key, or None."""
        symbol = self.symbol

        def has(place: Expr) -> Expr:
            entry = wrap(self.path, self.sort.item, symbol.at(place))  # type: ignore[attr-defined]
            return disj(*(_same_key(self.path, each, key) for each in self.keys(entry)))

        if not self.path.decide(some_place(symbol.length(), symbol.bound, has)):
            return None
        found = self.path.number("last")
        later = some_place(symbol.length(), symbol.bound, lambda place: conj(below(found, place), has(place)))
        self.path.conditions += [found >= 0, found < symbol.length(), has(found), neg(later)]
        return NumberProxy(self.path, NUMBER, found)


class SparseProxy(Proxy):
    """A list of maps of which only some places were written; the others hold an empty map."""

    def empty(self) -> MapProxy:
        """Return what a place holds that was never written."""
        return MapProxy(self.path, OUTPUTS, nothing(self.path.translation, OUTPUTS))

    def __getitem__(self, place: Any) -> MapProxy:
        at = lift(self.path, place, NUMBER)
        return MapProxy(self.path, OUTPUTS, held(self.path.translation, self.symbol, at))

    def set(self, place: Any, item: Any) -> SparseProxy:
        """Return the list with another map at a place, grown as far as that needs."""
        at, symbol = lift(self.path, place, NUMBER), self.symbol
        size, written = symbol.fields["size"], symbol.fields["written"]

        def inside(place: Expr) -> Expr:
            return conj(written.has(place), below(place, size))

        fields = {
            "size": ite(below(at, size), size, at + 1),
            # What is beyond the length was never written, whatever a symbol says of it.
            "written": stored(Table(inside, written.at), at, lift(self.path, item, OUTPUTS)),
        }
        return SparseProxy(self.path, self.sort, Structure(fields))


@attrs.frozen
class _Length:
    """What ``len`` gives for a proxy."""

    number: NumberProxy


NUMBER: Final = Natural(64)
OUTPUTS: Final = sort_of(FrozenMap[str, Payload])
"""What an iteration of a loop put out."""


def wrap(path: Path, sort: Sort, symbol: Symbol) -> Any:
    """Return what the code is given for a symbol: a proxy, or None or a truth, decided."""
    if isinstance(sort, Optional):
        return wrap(path, sort.item, symbol.item) if path.decide(symbol.present) else None
    if isinstance(sort, Boolean):
        return path.decide(symbol)
    if isinstance(sort, Record):
        kind = SparseProxy if sort.kind is Sparse else PairProxy if issubclass(sort.kind, Pair) else RecordProxy
        return kind(path, sort, symbol)
    kinds = {MapOf: MapProxy, SequenceOf: LogProxy, LogOf: LogProxy, Natural: NumberProxy}
    return kinds.get(type(sort), Proxy)(path, sort, symbol)


def lift(path: Path, value: Any, sort: Sort) -> Symbol:
    """Return the symbol of what the code made: of a proxy, its own; of a value of the model, its constant."""
    if isinstance(sort, Optional):
        if value is None:
            return Option(FALSE, path.translation.fresh(f"none:{sort.item}", sort.item))
        return Option(TRUE, lift(path, value, sort.item))
    if value is None:
        msg = f"nothing where one of {sort} is wanted"
        raise TypeError(msg)
    if isinstance(value, Proxy):
        return value.symbol
    if isinstance(value, tuple) and isinstance(sort, Opaque):
        # A map does not look into its keys: a pair is any function of its two parts.
        keys = [part.symbol for part in value]
        return z3.Function(sort.name, *(key.sort() for key in keys), path.translation.z3_sort(sort))(*keys)
    if isinstance(value, tuple) and isinstance(sort, Record):
        parts = zip(sort.fields.items(), value, strict=True)
        return Structure({name: lift(path, part, of) for (name, of), part in parts})
    return path.translation.value(value, sort)


def _same_key(path: Path, left: Any, right: Any) -> Expr:
    """That two keys of entries are the same; keys of different make never are."""
    if isinstance(left, tuple) or isinstance(right, tuple):
        if type(left) is not type(right) or len(left) != len(right):
            return FALSE
        return conj(*(_same_key(path, one, other) for one, other in zip(left, right, strict=True)))
    if left.sort != right.sort:
        return FALSE
    return path.translation.equal(left.symbol, right.symbol, left.sort)


def stored(table: Table, key: Expr, item: Symbol) -> Table:
    """Return the table in which ``key`` has ``item``."""
    return Table(
        remembered(lambda each: disj(same(each, key), table.has(each))),
        remembered(lambda each: ite(same(each, key), item, table.at(each))),
    )


def removed(table: Table, key: Expr) -> Table:
    """Return the table without ``key``."""
    return Table(remembered(lambda each: conj(neg(same(each, key)), table.has(each))), table.at)


def extended(first: Row, second: Row) -> Row:
    """Return a row and another after it."""
    bound = None if first.bound is None or second.bound is None else first.bound + second.bound
    size = first.length()
    return row(
        z3.simplify(size + second.length()),
        lambda place: ite(below(place, size), first.at(place), second.at(z3.simplify(place - size))),
        bound,
    )


def nothing(translation: Translation, sort: Sort) -> Symbol:
    """Return the symbol of an empty map or sequence."""
    if isinstance(sort, MapOf):
        return Table(lambda _key: FALSE, lambda key: translation.fresh("nothing", sort.item, key))
    if isinstance(sort, SequenceOf):
        return row(z3.IntVal(0), lambda place: translation.fresh("nothing", sort.item, place), 0)
    assert sort == Shape(Sparse), sort
    fields = Shape(Sparse).fields
    return Structure({"size": z3.IntVal(0), "written": nothing(translation, fields["written"])})


def held(translation: Translation, sparse: Structure, place: Expr) -> Table:
    """Return what a place of a sparse list holds, written or not."""
    written, size = sparse.fields["written"], sparse.fields["size"]
    empty = nothing(translation, OUTPUTS)
    found: Table = ite(conj(written.has(place), below(place, size)), written.at(place), empty)
    return found


# --- the code ---------------------------------------------------------------------------------------------------


class Code:
    """The source of ``mobstore.model.step``, in an instance of its own that works on proxies.

    Replaced are the vocabulary (how a record is evolved or made, what time it is, how long something is), the
    empty collections, and one loop that a symbol cannot be asked to go through (`refuse_inputs`).
    """

    def __init__(self, source: str | None = None) -> None:
        origin = str(STEP.__file__)
        text = FilePath(origin).read_text("utf-8") if source is None else source
        module = types.ModuleType(STEP.__name__)
        exec(compile(text, origin, "exec"), module.__dict__)  # noqa: S102 - our own source, or a mutant of it
        self._module = module
        self._path: Path | None = None
        module.__dict__.update(
            evolve=self._evolve,
            Timestamp=types.SimpleNamespace(from_nanos=lambda now: now),
            StoredRealmProfile=functools.partial(self._make, StoredRealmProfile),
            refuse_inputs=self._refuse_inputs,
            len=self._length,
            _TERMINAL=_Among(module.__dict__["_TERMINAL"]),
        )
        for name, hint in _EMPTY.items():
            module.__dict__[name] = _Empty(self, shape(hint))

    def handler(self, operation: type[ops.Operation[Any]]) -> Callable[..., Any]:
        """Return the meaning of a call that is no row."""
        return self._module.HANDLERS[operation]  # type: ignore[no-any-return]

    def row_handler(self, row: Any) -> Callable[..., Any]:
        """Return the meaning of a row."""
        return self._module.row_handler(row)  # type: ignore[no-any-return]

    @property
    def path(self) -> Path:
        """The path that is being followed."""
        assert self._path is not None
        return self._path

    def outcomes(self, handler: Callable[..., Any], translation: Translation, call: Call) -> list[Outcome]:
        """Return what a call does, path by path."""
        found: list[Outcome] = []
        decisions: list[bool] | None = []
        while decisions is not None:
            self._path = path = Path(translation, decisions)
            found.append(self._follow(handler, path, call))
            decisions = _next(path.decisions)
        return found

    def _follow(self, handler: Callable[..., Any], path: Path, call: Call) -> Outcome:
        kind = call.store
        fields = {name: wrap(path, of, call.before.fields[name]) for name, of in Shape(kind).fields.items()}
        # The state is a plain value of the second instance of the module; only what is in it is symbolic.
        state = getattr(self._module, kind.__name__)(**fields)
        operation = wrap(path, Shape(call.operation), call.arguments)
        now = wrap(path, shape(Timestamp), call.now)
        try:
            after, answer = handler(state, operation, now)
        except (MobStoreError, *_CRASHES) as error:
            return Outcome(conj(*path.conditions), type(error), None, call.before)
        symbols = {name: lift(path, getattr(after, name), of) for name, of in Shape(kind).fields.items()}
        return Outcome(conj(*path.conditions), None, answer, Structure(symbols))

    def _evolve(self, value: Any, changes: Mapping[str, Any]) -> Any:
        return value.evolve(changes) if isinstance(value, RecordProxy) else attrs.evolve(value, **changes)

    def _make(self, kind: type, *values: Any) -> RecordProxy:
        sort = Shape(kind)
        parts = zip(sort.fields.items(), values, strict=True)
        fields = {name: lift(self.path, value, of) for (name, of), value in parts}
        return RecordProxy(self.path, sort, Structure(fields))

    def _refuse_inputs(self, inputs: LogProxy) -> None:
        if self.path.decide(refuses(inputs.symbol)):
            raise Internal("an input that is not a flow authority input")

    def _length(self, value: Any) -> Any:
        return _Length(NumberProxy(self.path, NUMBER, value.symbol.fields["size"]))


@attrs.frozen(eq=False)
class Call:
    """A call in symbols: the state of its store before, its arguments, the time."""

    operation: type[ops.Operation[Any]]
    store: type
    before: Structure
    arguments: Structure
    now: Expr

    @classmethod
    def fresh(cls, translation: Translation, operation: type[ops.Operation[Any]], name: str = "op") -> Call:
        """Return any call of an operation, in any state."""
        store = STORES[operation.store]
        return cls(
            operation,
            store,
            translation.fresh("before", Shape(store)),
            translation.fresh(name, Shape(operation)),
            translation.fresh(f"{name}.now", shape(Timestamp)),
        )

    def obeys(self) -> tuple[Expr, ...]:
        """Return what the state and the arguments obey, being values: nothing is of a negative size."""
        parts = [(self.arguments, Shape(self.operation)), (self.before, Shape(self.store))]
        if "run_id" in self.arguments.fields:
            run = self.before.fields["runs"].at(self.arguments.fields["run_id"])
            parts.append((run, Shape(MobRun)))
        return tuple(rule for symbol, sort in parts for rule in _obeyed(symbol, sort))


def _obeyed(symbol: Symbol, sort: Sort) -> Iterator[Expr]:
    if isinstance(sort, Natural):
        yield symbol >= 0
    elif isinstance(sort, SequenceOf):
        yield symbol.length() >= 0
        yield TRUE if symbol.bound is None else symbol.length() <= symbol.bound
    elif isinstance(sort, Optional):
        yield from _obeyed(symbol.item, sort.item)
    elif isinstance(sort, Record):
        for name, of in sort.fields.items():
            yield from _obeyed(symbol.fields[name], of)


def refuses(inputs: Row) -> Expr:
    """Return that one of some machine inputs may not be appended to the authority log."""
    return inputs.some(is_other)


def is_other(item: Expr) -> Expr:
    """Return that a machine input is none of those that the authority log takes."""
    return z3.Function("is_other", item.sort(), z3.BoolSort())(item)


@attrs.frozen
class _Among:
    """A set of constants that may be asked about a proxy."""

    values: frozenset[Any]

    def __contains__(self, item: Any) -> bool:
        if not isinstance(item, Proxy):
            return item in self.values
        leaves = [item.path.translation.leaf(value, item.sort) for value in sorted(self.values)]
        return item.path.decide(disj(*(same(item.symbol, leaf) for leaf in leaves)))


class _Empty:
    """An empty collection of the module, on whatever path it is asked for."""

    def __init__(self, code: Code, sort: Sort) -> None:
        self._code, self._sort = code, sort

    def __getattr__(self, name: str) -> Any:
        return getattr(self._proxy(), name)

    def __getitem__(self, place: Any) -> Any:
        return self._proxy()[place]

    def __contains__(self, key: Any) -> bool:
        return key in self._proxy()

    def _proxy(self) -> Any:
        path = self._code.path
        return wrap(path, self._sort, nothing(path.translation, self._sort))


_CRASHES: Final = (AssertionError, AttributeError, IndexError, KeyError, TypeError)
"""What the code raises where it is broken; no sentence of the contract names one, so that is refuted."""
_EMPTY: Final = {
    "_NO_ITERATIONS": IterationOutputs,
    "_NO_RUNS": vars(STEP)["_RunIds"],
    "_NO_OVERLAYS": vars(STEP)["_Overlays"],
}
STORES: Final = {
    "run": STEP.RunStoreState,
    "metadata": STEP.MetadataStoreState,
    "spec": STEP.SpecStoreState,
    "profile": STEP.ProfileStoreState,
}
"""The state of each store."""
