"""Encodings: how a solver sees ids, and symbols for the values of the model."""

import contextlib
import functools
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

import z3  # type: ignore[import-untyped]

from mobstore.model._collections import FrozenMap
from mobstore.model.machines.sorts import (
    BOOLEAN,
    Boolean,
    Enumeration,
    MapOf,
    Natural,
    Opaque,
    Optional,
    Record,
    SequenceOf,
    SetOf,
    Sort,
)
from mobstore.properties._symbols import (
    FALSE,
    TRUE,
    Expr,
    Members,
    Option,
    Row,
    Structure,
    Symbol,
    Table,
    applied,
    below,
    binding,
    conj,
    disj,
    implies,
    is_false,
    ite,
    neg,
    remembered,
    row,
    same,
    some_place,
    some_value,
    sort_of,
)

_NUMBER: Final = Natural(64)


class Unbounded(TypeError):
    """A term that only a bounded encoding can say."""


@functools.cache
def _enumeration(name: str, size: int) -> tuple[Any, tuple[Expr, ...]]:
    """The Z3 sort of a universe of this size, and its elements in their order."""
    sort, elements = z3.EnumSort(f"{name}{size}", [f"{name}{size}.{place}" for place in range(size)])
    return sort, tuple(elements)


@functools.cache
def _members_of(kind: Any) -> tuple[Any, Mapping[Any, Expr]]:
    sort, elements = z3.EnumSort(kind.__name__, [f"{kind.__name__}.{member.value}" for member in kind])
    return sort, dict(zip(kind, elements, strict=True))


_BOOLEAN: Final = z3.BoolSort()
_INTEGER: Final = z3.IntSort()
_declared: Final = functools.cache(z3.DeclareSort)
_FUNCTIONS: Final[dict[tuple[Any, ...], Any]] = {}
"""The functions that were declared; each keeps its sorts alive, which are told by where they are."""


def _function(name: str, arguments: Sequence[Expr], range_: Any) -> Any:
    """Return the function of a name, of the sorts of some arguments."""
    key = (name, range_.ast.value, *map(sort_of, arguments))
    if key not in _FUNCTIONS:
        _FUNCTIONS[key] = z3.Function(name, *(each.sort() for each in arguments), range_)
    return _FUNCTIONS[key]


class Encoding:
    """A translation of terms and values; see the module's text for the two kinds.

    ``universe`` has the values of each opaque sort, by its name (``"str"`` for ids); ``length`` bounds the
    sequences that `fresh` makes.
    """

    def __init__(self, universe: Mapping[str, Iterable[Any]] | None = None, length: int = 0) -> None:
        self._universe = None if universe is None else {name: _sorted(values) for name, values in universe.items()}
        self._length = None if universe is None else length
        self._constants: dict[str, dict[Any, Expr]] = {}
        self._ordered: set[str] = set()
        self._assumed: list[Expr] = []
        self._numbers = itertools.count()
        self._guarded = False

    @contextlib.contextmanager
    def guarding(self, *, on: bool = True) -> Iterator[None]:
        """Let what is built meanwhile say of ids only what it says of those that are `near`.

        Nothing is lost by that: where every id is near it says the same.  So what a solver proves of it is proved;
        but it has only so many ids to look at, and not those that depend on those that depend on others.
        """
        before, self._guarded = self._guarded, on and self._universe is None
        try:
            yield
        finally:
            self._guarded = before

    def near(self, item: Expr) -> Expr:
        """Return that what is said meanwhile (`guarding`) is said of this id, too."""
        return applied(_function(f"near:{item.sort().name()}", [item], _BOOLEAN), z3.BoolRef, [item])

    # What ids are.

    def z3_sort(self, sort: Sort) -> Any:
        """Return the Z3 sort of a leaf."""
        if isinstance(sort, Boolean):
            return _BOOLEAN
        if isinstance(sort, Natural):
            return _INTEGER
        if isinstance(sort, Enumeration):
            return _members_of(sort.kind)[0]
        assert isinstance(sort, Opaque), sort
        if self._universe is None:
            return _declared(sort.name)
        return _enumeration(sort.name, len(self._universe.get(sort.name, ())) or 1)[0]

    def elements(self, sort: Sort) -> tuple[Expr, ...] | None:
        """Return all values of a leaf sort, or None where they are not bounded."""
        if isinstance(sort, Enumeration):
            return tuple(_members_of(sort.kind)[1].values())
        if self._universe is None or not isinstance(sort, Opaque):
            return None
        return _enumeration(sort.name, len(self._universe.get(sort.name, ())) or 1)[1]

    def _constant(self, value: Any, sort: Opaque) -> Expr:
        known = self._constants.setdefault(sort.name, {})
        if value not in known:
            if self._universe is None:
                shown = repr(value) if isinstance(value, str) else str(len(known))
                known[value] = z3.Const(f"{sort.name}:{shown}", z3.DeclareSort(sort.name))
            else:
                values = self._universe[sort.name]
                known[value] = _enumeration(sort.name, len(values))[1][values.index(value)]
        return known[value]

    def less(self, left: Expr, right: Expr, sort: Sort) -> Expr:
        if isinstance(sort, Natural):
            return below(left, right)
        elements = self.elements(sort)
        if elements is None:
            assert isinstance(sort, Opaque)
            self._ordered.add(sort.name)
            return _order(sort.name)(left, right)
        pairs = itertools.combinations(elements, 2)
        return disj(*(conj(same(left, low), same(right, high)) for low, high in pairs))

    def exists(self, sort: Sort, condition: Callable[[Expr], Expr]) -> Expr:
        elements = self.elements(sort)
        if elements is None and self._guarded:
            return some_value(self.z3_sort(sort), lambda item: conj(self.near(item), condition(item)), self.near)
        if elements is None:
            return some_value(self.z3_sort(sort), condition)
        return disj(*map(condition, elements))

    def for_all(self, sort: Sort, condition: Callable[[Expr], Expr]) -> Expr:
        return neg(self.exists(sort, lambda each: neg(condition(each))))

    @property
    def axioms(self) -> tuple[Expr, ...]:
        """What is assumed: constants differ, ids are ordered, and what was invented is what it stands for."""
        given: list[Expr] = list(self._assumed)
        if self._universe is None:
            for known in self._constants.values():
                given += [z3.Distinct(*known.values())] if len(known) > 1 else []
            for name in sorted(self._ordered):
                given += _order_axioms(name, self._constants.get(name, {}))
        return tuple(given)

    # Symbols for values.

    def fresh(self, name: str, sort: Sort, *arguments: Expr) -> Symbol:
        """Return a symbol for any value of ``sort``; of ``arguments``, it is a function of them."""
        if isinstance(sort, Optional):
            return Option(self.fresh(f"{name}?", BOOLEAN, *arguments), self.fresh(name, sort.item, *arguments))
        if isinstance(sort, Record):
            fields = sort.fields.items()
            return Structure({field: self.fresh(f"{name}.{field}", of, *arguments) for field, of in fields})
        if isinstance(sort, SetOf):
            return Members(lambda item: self._apply(name, BOOLEAN, *arguments, item))
        if isinstance(sort, MapOf):
            return Table(
                lambda key: self._apply(f"{name}.has", BOOLEAN, *arguments, key),
                remembered(lambda key: self.fresh(f"{name}.at", sort.item, *arguments, key)),
            )
        if isinstance(sort, SequenceOf):
            size = self._apply(f"{name}.size", _NUMBER, *arguments)
            return row(size, lambda place: self.fresh(f"{name}.at", sort.item, *arguments, place), self._length)
        return self._apply(name, sort, *arguments)

    def _apply(self, name: str, sort: Sort, *arguments: Expr) -> Expr:
        return applied(_function(name, arguments, self.z3_sort(sort)), self._class_of(sort), arguments)

    def _class_of(self, sort: Sort) -> Any:
        """Return the class of the expressions of a leaf sort."""
        if isinstance(sort, (Boolean, Natural)):
            return z3.BoolRef if isinstance(sort, Boolean) else z3.ArithRef
        return z3.ExprRef if isinstance(sort, Opaque) and self._universe is None else z3.DatatypeRef

    def invent(self, name: str, scope: tuple[Expr, ...], *sorts: Any) -> Callable[..., Expr]:
        """Return a new function of the bound variables around it and of arguments of ``sorts`` but the last."""
        function = z3.Function(f"{name}!{next(self._numbers)}", *(each.sort() for each in scope), *sorts)
        return lambda *arguments: function(*scope, *arguments)

    def assume(self, *axioms: Expr) -> None:
        """Take what is true of functions that were invented."""
        self._assumed += axioms

    def well_formed(self, symbol: Symbol, sort: Sort) -> Expr:
        """Return what a symbol must obey to stand for a value: numbers are of their size."""
        if isinstance(sort, Natural):
            return conj(symbol >= 0, symbol <= sort.maximum)
        if isinstance(sort, Optional):
            return implies(symbol.present, self.well_formed(symbol.item, sort.item))
        if isinstance(sort, Record):
            return conj(*(self.well_formed(symbol.fields[name], of) for name, of in sort.fields.items()))
        if isinstance(sort, MapOf):
            return self.for_all(
                sort.key, lambda key: implies(symbol.has(key), self.well_formed(symbol.at(key), sort.item))
            )
        if isinstance(sort, SequenceOf):
            size, bound = symbol.length(), symbol.bound
            items = neg(symbol.some(lambda item: neg(self.well_formed(item, sort.item))))
            return conj(size >= 0, TRUE if bound is None else size <= bound, items)
        return TRUE

    def value(self, value: Any, sort: Sort) -> Symbol:
        """Return the symbol of a value of the model."""
        if isinstance(sort, Optional):
            if value is None:
                return Option(FALSE, self._anything(sort.item))
            return Option(TRUE, self.value(value, sort.item))
        if isinstance(sort, Record):
            return Structure({name: self.value(getattr(value, name), of) for name, of in sort.fields.items()})
        if isinstance(sort, SetOf):
            items = [self.value(item, sort.item) for item in value]
            return Members(remembered(lambda item: disj(*(same(item, each) for each in items))))
        if isinstance(sort, MapOf):
            return self._table({self.value(key, sort.key): item for key, item in value.items()}, sort.item)
        if isinstance(sort, SequenceOf):
            return self._row_of([self.value(item, sort.item) for item in value], sort.item)
        return self.leaf(value, sort)

    def leaf(self, value: Any, sort: Sort) -> Expr:
        if isinstance(sort, Boolean):
            return TRUE if value else FALSE
        if isinstance(sort, Natural):
            return z3.IntVal(value)
        if isinstance(sort, Enumeration):
            return _members_of(sort.kind)[1][value]
        assert isinstance(sort, Opaque), sort
        return self._constant(value, sort)

    def _anything(self, sort: Sort) -> Symbol:
        return self.fresh(f"any!{next(self._numbers)}", sort)

    def _table(self, items: Mapping[Expr, Any], sort: Sort) -> Table:
        symbols = [(key, self.value(item, sort)) for key, item in items.items()]
        return Table(
            remembered(lambda key: disj(*(same(key, each) for each, _ in symbols))),
            remembered(lambda key: self.first(symbols, lambda each: same(key, each), sort)),
        )

    def _row_of(self, items: list[Symbol], sort: Sort) -> Row:
        places = [(z3.IntVal(place), item) for place, item in enumerate(items)]
        at = functools.partial(self._place, places, sort)
        return row(z3.IntVal(len(items)), at, len(items))

    def _place(self, places: list[tuple[Expr, Symbol]], sort: Sort, wanted: Expr) -> Symbol:
        return self.first(places, lambda place: same(place, wanted), sort)

    def first(self, items: list[tuple[Expr, Symbol]], wanted: Callable[[Expr], Expr], sort: Sort) -> Symbol:
        """Return the symbol whose key is the wanted one; anything where there is none."""
        tests = [(wanted(key), item) for key, item in items]
        tests = [(test, item) for test, item in tests if not is_false(test)]
        if not tests:
            return self._anything(sort)
        result = tests[-1][1]
        for test, item in reversed(tests[:-1]):
            result = ite(test, item, result)
        return result

    # Values of symbols.

    def read(self, symbol: Symbol, sort: Sort, model: Any = None) -> Any:
        """Return the value that a symbol stands for in a model; without one, of a formula of constants.

        Raises:
            Unbounded: the keys of a set or map are not bounded, and no model says which there are.
        """
        if isinstance(sort, Optional):
            return self.read(symbol.item, sort.item, model) if self._truth(symbol.present, model) else None
        if isinstance(sort, Record):
            fields = {name: self.read(symbol.fields[name], of, model) for name, of in sort.fields.items()}
            return sort.kind(**fields)
        if isinstance(sort, SetOf):
            return frozenset(self.read(each, sort.item, model) for each in self._keys(symbol, sort.item, model))
        if isinstance(sort, MapOf):
            keys = self._keys(symbol, sort.key, model)
            return FrozenMap(
                (self.read(k, sort.key, model), self.read(symbol.at(k), sort.item, model)) for k in keys
            )
        if isinstance(sort, SequenceOf):
            size = _evaluated(symbol.length(), model).as_long()
            return tuple(self.read(symbol.at(z3.IntVal(place)), sort.item, model) for place in range(size))
        return self._read_leaf(_evaluated(symbol, model), sort, model)

    def _truth(self, part: Expr, model: Any) -> bool:
        return bool(z3.is_true(_evaluated(part, model)))

    def _keys(self, symbol: Members | Table, sort: Sort, model: Any) -> list[Expr]:
        elements = self.elements(sort)
        if elements is None:
            if model is None:
                msg = f"no model says which values of {sort} there are"
                raise Unbounded(msg)
            elements = model.get_universe(self.z3_sort(sort)) or ()
        return [each for each in elements if self._truth(symbol.has(each), model)]

    def _read_leaf(self, part: Expr, sort: Sort, model: Any) -> Any:
        if isinstance(sort, Boolean):
            return z3.is_true(part)
        if isinstance(sort, Natural):
            return part.as_long()
        if isinstance(sort, Enumeration):
            known: Iterable[tuple[Any, Expr]] = _members_of(sort.kind)[1].items()
        else:
            assert isinstance(sort, Opaque)
            known = self._known(sort)
        for value, constant in known:
            if _evaluated(constant, model).eq(part):
                return value
        return str(part)

    def _known(self, sort: Opaque) -> Iterable[tuple[Any, Expr]]:
        """Return the values of which one knows what stands for them."""
        if self._universe is None or sort.name not in self._universe:
            return self._constants.get(sort.name, {}).items()
        return zip(self._universe[sort.name], self.elements(sort) or (), strict=True)

    def equal(self, left: Symbol, right: Symbol, sort: Sort) -> Expr:
        """Return that two symbols stand for the same value."""
        if isinstance(sort, Optional):
            items = implies(left.present, self.equal(left.item, right.item, sort.item))
            return conj(same(left.present, right.present), items)
        if isinstance(sort, Record):
            fields = sort.fields.items()
            return conj(*(self.equal(left.fields[name], right.fields[name], of) for name, of in fields))
        if isinstance(sort, SetOf):
            return self.for_all(sort.item, lambda item: same(left.has(item), right.has(item)))
        if isinstance(sort, MapOf):
            return self.for_all(sort.key, lambda key: self._same_entry(left, right, key, sort.item))
        if isinstance(sort, SequenceOf):
            size, bounds = left.length(), [each for each in (left.bound, right.bound) if each is not None]
            differ = some_place(
                size,
                min(bounds, default=None),
                lambda place: neg(self.equal(left.at(place), right.at(place), sort.item)),
            )
            return conj(same(size, right.length()), neg(differ))
        return same(left, right)

    def _same_entry(self, left: Table, right: Table, key: Expr, sort: Sort) -> Expr:
        items = implies(left.has(key), self.equal(left.at(key), right.at(key), sort))
        return conj(same(left.has(key), right.has(key)), items)

    def contains(self, collection: Symbol, item: Symbol, sort: Sort) -> Expr:
        if isinstance(collection, Row):
            return collection.some(lambda each: self.equal(each, item, sort))
        return collection.has(item)


def _sorted(values: Iterable[Any]) -> list[Any]:
    distinct = list(dict.fromkeys(values))
    return sorted(distinct) if all(isinstance(value, str) for value in distinct) else distinct


def _evaluated(part: Expr, model: Any) -> Expr:
    return z3.simplify(part) if model is None else model.eval(part, model_completion=True)


def _order(name: str) -> Any:
    sort = z3.DeclareSort(name)
    return z3.Function(f"{name}.less", sort, sort, z3.BoolSort())


def _order_axioms(name: str, constants: Mapping[Any, Expr]) -> Iterator[Expr]:
    """A strict total order, in which the constants stand as their values do."""
    less, sort = _order(name), z3.DeclareSort(name)
    with binding(sort, sort, sort) as (low, middle, high):
        yield z3.ForAll([low], z3.Not(less(low, low)))
        yield z3.ForAll([low, middle, high], implies(conj(less(low, middle), less(middle, high)), less(low, high)))
        yield z3.ForAll([low, high], disj(less(low, high), low == high, less(high, low)))
    for first, second in itertools.pairwise(_sorted(constants)):
        yield less(constants[first], constants[second])
