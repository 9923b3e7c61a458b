"""The machines for a solver: the terms of `mobstore.model.machines`, as Z3 formulas.

A term means here what it means in Python; nothing about a transition is said again.  What stands for a value
(a *symbol*) has the value's shape, and only its leaves are Z3 expressions: a set is a predicate on its items, a
map a predicate and a function on its keys, a sequence a length and a function on its places, a record its
fields.  Updates are therefore substitutions, and the formulas need neither arrays nor datatypes: uninterpreted
functions, linear integers and quantifiers, which any solver reads.

A `Translation` sees ids in one of two ways:

- *unbounded* (no universe): ids are an uninterpreted sort, so there may be any number of steps, nodes, frames;
  quantifiers stay quantifiers.  A filtered sequence and a fixpoint become fresh functions, with axioms that
  leave only one meaning for them (``axioms``).  A `Sum` over a set or a map becomes a number of which is known how
  it differs from the same sum over another collection, where the two differ at one `named` key or nowhere.  A sum
  over a sequence has no axioms, nor has `Size` of a set or map, but where it is compared with 0, or that of a
  sequence's items with its own: `Unbounded` is raised.
- *bounded* (a universe): ids are the values given and sequences no longer than ``length``; every quantifier,
  filter and fixpoint is unrolled, and a formula of constants folds to its value.

The axioms are conservative: for finite collections (those of sums: of fewer than 2**32 items) they can always be
met, so adding them proves nothing that does not hold.  A symbol that `fresh` makes may stand for an infinite set
or map, which no record can be: a proof is not weakened by that, but a countermodel has to be confirmed in Python
(`read`).
"""

import functools
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

import attrs
import z3  # type: ignore[import-untyped]

from mobstore.model.machines import terms as t
from mobstore.model.machines.machine import INPUT, STATE, Emit, Guard, Machine, Transition
from mobstore.model.machines.sorts import Natural, Record, SequenceOf, Sort
from mobstore.properties._encoding import Encoding, Unbounded
from mobstore.properties._symbols import (
    FALSE,
    TRUE,
    Expr,
    FilteredRow,
    Members,
    Option,
    Predicate,
    Row,
    StoredTable,
    Structure,
    Symbol,
    Table,
    below,
    binding,
    bound_in,
    conj,
    count,
    disj,
    folded,
    for_all,
    implies,
    is_false,
    is_number,
    is_same_symbol,
    is_true,
    ite,
    neg,
    remembered,
    row,
    same,
    some_place,
    stored,
)

__all__ = ["Step", "Translation", "Unbounded", "conj", "disj", "implies", "neg"]


@attrs.frozen(eq=False)
class Step:
    """A transition of a symbolic state and input: when it may start, its guards, what comes after it."""

    transition: Transition
    source: Expr
    guards: tuple[tuple[Guard, Expr], ...]
    next_state: Structure
    effects: tuple[tuple[Emit, Expr, tuple[Symbol, ...]], ...]

    @property
    def enabled(self) -> Expr:
        """That the source and all guards hold."""
        return conj(self.source, *(holds for _, holds in self.guards))


@attrs.frozen
class _Environment:
    """What the variables of a term stand for, and the bound variables around it."""

    names: Mapping[str, Symbol]
    scope: tuple[Expr, ...] = ()

    def bind(self, variable: t.Var, symbol: Symbol) -> "_Environment":
        scope = {each.get_id(): each for each in (*self.scope, *bound_in(symbol))}
        return _Environment({**self.names, variable.name: symbol}, tuple(scope.values()))


@attrs.frozen(eq=False)
class _Invented:
    """What was invented for a filter of ``base``."""

    base: Row
    condition: Predicate
    scope: tuple[Expr, ...]
    size: Expr
    origin: Callable[[Expr], Expr]


@attrs.frozen(eq=False)
class _Counted:
    """What was invented for a sum: ``size``, of what ``number`` says of ``item``, a variable."""

    term: t.Sum
    scope: tuple[Expr, ...]
    size: Expr
    item: Expr
    number: Expr

    def at(self, item: Expr) -> Expr:
        """Return the number of an item."""
        return z3.substitute(self.number, (self.item, item))


_GREATEST: Final = Natural(32).maximum
"""A sum is no more: nothing that is counted has more items."""


class Translation(Encoding):
    """An encoding of terms and transitions; see the module's text for the two kinds."""

    def __init__(self, universe: Mapping[str, Iterable[Any]] | None = None, length: int = 0) -> None:
        super().__init__(universe, length)
        self._filters: list[_Invented] = []
        self._sums: list[_Counted] = []
        self._named: dict[tuple[int, str], Expr] = {}

    def name(self, key: Expr, field: str) -> None:
        """Note a key at which fields of this name may differ whose sums are compared."""
        self._named[key.get_id(), field] = key

    @property
    def axioms(self) -> tuple[Expr, ...]:
        """What is assumed, with what is known of sums."""
        pairs = itertools.combinations(self._sums, 2)
        alike = ((one, other) for one, other in pairs if one.term == other.term and _sorts(one) == _sorts(other))
        compared = (self._differ(one, other) for one, other in alike)
        return (*super().axioms, *itertools.chain.from_iterable(compared))

    def _differ(self, one: _Counted, other: _Counted) -> Iterator[Expr]:
        """Iterate over how far two sums differ, where their items do so nowhere, or at one key that was named."""
        there = attrs.evolve(
            other,
            size=z3.substitute(other.size, *zip(other.scope, one.scope, strict=True)),
            number=z3.substitute(other.number, *zip(other.scope, one.scope, strict=True)),
        )
        keys = [key for (_, field), key in self._named.items() if field == _field(one.term.collection)]
        for key in (None, *keys):
            with binding(one.item.sort(), above=one.scope) as (item,):
                differs = neg(same(one.at(item), there.at(item)))
                elsewhere = z3.Exists([item], differs if key is None else conj(item != key, differs))
            by = z3.IntVal(0) if key is None else one.at(key) - there.at(key)
            patterns = [*_patterns(one.size), *_patterns(there.size)]
            yield for_all(one.scope, disj(elsewhere, one.size - there.size == by), patterns)

    def translate(self, term: t.Term, names: Mapping[str, Symbol]) -> Symbol:
        """Return the symbol of a term whose variables stand for ``names``."""
        return self._term(term, _Environment(names))

    def step(self, machine: Machine[Any], transition: Transition, state: Structure, input: Structure) -> Step:
        """Return a transition of a symbolic state and input."""
        environment = _Environment({STATE: state, INPUT: input})
        for definition in transition.definitions:
            environment = environment.bind(definition.var, self._term(definition.term, environment))
        updates = {name: self._term(term, environment) for name, term in transition.updates.items()}
        return Step(
            transition,
            self._source(machine, transition, state),
            tuple((guard, self._term(guard.condition, environment)) for guard in transition.guards),
            Structure({**state.fields, **updates}),
            tuple(self._effect(emit, environment) for emit in transition.effects),
        )

    def _source(self, machine: Machine[Any], transition: Transition, state: Structure) -> Expr:
        if transition.sources is None:
            return TRUE
        sort = Record(machine.state).fields["phase"]
        return disj(*(same(state.fields["phase"], self.leaf(phase, sort)) for phase in sorted(transition.sources)))

    def _effect(self, emit: Emit, environment: _Environment) -> tuple[Emit, Expr, tuple[Symbol, ...]]:
        when = TRUE if emit.when is None else self._term(emit.when, environment)
        return emit, when, tuple(self._term(argument, environment) for argument in emit.arguments)

    def _some_of(self, collection: t.Term, environment: _Environment, condition: Predicate) -> Expr:
        symbol = self._term(collection, environment)
        if isinstance(symbol, Row):
            return symbol.some(condition)
        return self.exists(t.item_sort(collection), lambda each: conj(symbol.has(each), condition(each)))

    def _term(self, term: t.Term, environment: _Environment) -> Symbol:
        # What a singledispatchmethod does at each call takes longer than to find a method.
        symbol: Symbol = _method_of(type(term))(self, term, environment)
        return symbol

    @functools.singledispatchmethod
    def _of(self, term: t.Term, _environment: _Environment) -> Symbol:
        msg = f"no translation of {type(term).__name__}"
        raise TypeError(msg)

    @_of.register
    def _var(self, term: t.Var, environment: _Environment) -> Symbol:
        return environment.names[term.name]

    @_of.register
    def _const(self, term: t.Const, _environment: _Environment) -> Symbol:
        return self.value(term.value, term.sort)

    @_of.register
    def _get(self, term: t.Get, environment: _Environment) -> Symbol:
        return self._term(term.record, environment).fields[term.field]

    @_of.register
    def _make(self, term: t.Make, environment: _Environment) -> Symbol:
        names = Record(term.kind).fields
        return Structure(
            {name: self._term(part, environment) for name, part in zip(names, term.fields, strict=True)}
        )

    @_of.register
    def _just(self, term: t.Some, environment: _Environment) -> Symbol:
        return Option(TRUE, self._term(term.item, environment))

    @_of.register
    def _the(self, term: t.The, environment: _Environment) -> Symbol:
        return self._term(term.option, environment).item

    @_of.register
    def _present(self, term: t.Present, environment: _Environment) -> Symbol:
        return self._term(term.option, environment).present

    @_of.register
    def _not(self, term: t.Not, environment: _Environment) -> Symbol:
        return neg(self._term(term.part, environment))

    @_of.register
    def _and(self, term: t.And, environment: _Environment) -> Symbol:
        return conj(*self._until(is_false, term.parts, environment))

    @_of.register
    def _or(self, term: t.Or, environment: _Environment) -> Symbol:
        return disj(*self._until(is_true, term.parts, environment))

    def _until(
        self, decides: Callable[[Expr], bool], parts: tuple[t.Term, ...], environment: _Environment
    ) -> Iterator[Expr]:
        """Iterate over the parts, and no further than the first that is known to decide."""
        for part in parts:
            symbol = self._term(part, environment)
            yield symbol
            if decides(symbol):
                return

    @_of.register
    def _equal(self, term: t.Equal, environment: _Environment) -> Symbol:
        if _counts_nothing(term):
            with self.guarding(on=False):
                return neg(self._some_of(term.left.collection, environment, lambda _item: TRUE))  # type: ignore[attr-defined]
        if (sequence := _without_doubles(term)) is not None:
            return self._each_once(self._term(sequence, environment), t.item_sort(sequence))
        left, right = self._term(term.left, environment), self._term(term.right, environment)
        return self.equal(left, right, term.left.sort)

    def _each_once(self, symbol: Row, sort: Sort) -> Expr:
        def stands_before(later: Expr) -> Expr:
            item = symbol.at(later)
            return some_place(later, symbol.bound, lambda place: self.equal(symbol.at(place), item, sort))

        return neg(some_place(symbol.length(), symbol.bound, stands_before))

    @_of.register
    def _less(self, term: t.Less, environment: _Environment) -> Symbol:
        return self.less(self._term(term.left, environment), self._term(term.right, environment), term.left.sort)

    @_of.register
    def _if(self, term: t.If, environment: _Environment) -> Symbol:
        condition = self._term(term.condition, environment)
        return ite(condition, self._term(term.then, environment), self._term(term.otherwise, environment))

    @_of.register
    def _plus(self, term: t.Plus, environment: _Environment) -> Symbol:
        assert isinstance(term.sort, Natural)
        left, right = self._term(term.left, environment), self._term(term.right, environment)
        greatest, total = z3.IntVal(term.sort.maximum), folded(left + right, left, right)
        return ite(below(greatest, total), greatest, total)

    @_of.register
    def _minus(self, term: t.Minus, environment: _Environment) -> Symbol:
        left, right = self._term(term.left, environment), self._term(term.right, environment)
        return ite(below(left, right), z3.IntVal(0), folded(left - right, left, right))

    @_of.register
    def _size(self, term: t.Size, environment: _Environment) -> Symbol:
        symbol = self._term(term.collection, environment)
        if isinstance(symbol, Row):
            return symbol.length()
        elements = self.elements(t.item_sort(term.collection))
        if elements is None:
            msg = "the size of a set or a map that has no bound"
            raise Unbounded(msg)
        return count(map(symbol.has, elements))

    @_of.register
    def _member(self, term: t.Member, environment: _Environment) -> Symbol:
        collection, item = self._term(term.collection, environment), self._term(term.item, environment)
        return self.contains(collection, item, term.item.sort)

    @_of.register
    def _increasing(self, term: t.Increasing, environment: _Environment) -> Symbol:
        symbol, sort = self._term(term.sequence, environment), t.item_sort(term.sequence)

        def falls(place: Expr) -> Expr:
            after = folded(place + 1, place)
            here, there = symbol.at(place), symbol.at(after)
            return conj(below(after, symbol.length()), neg(self.less(here, there, sort)))

        return neg(some_place(symbol.length(), symbol.bound, falls))

    @_of.register
    def _insert(self, term: t.Insert, environment: _Environment) -> Symbol:
        items, added = self._term(term.items, environment), self._term(term.item, environment)
        return Members(lambda item: disj(same(item, added), items.has(item)))

    @_of.register
    def _discard(self, term: t.Discard, environment: _Environment) -> Symbol:
        items, removed = self._term(term.items, environment), self._term(term.item, environment)
        return Members(lambda item: conj(neg(same(item, removed)), items.has(item)))

    @_of.register
    def _elements(self, term: t.Elements, environment: _Environment) -> Symbol:
        collection, sort = self._term(term.collection, environment), t.item_sort(term.collection)
        return Members(remembered(lambda item: self.contains(collection, item, sort)))

    @_of.register
    def _head(self, term: t.Head, environment: _Environment) -> Symbol:
        return self._term(term.sequence, environment).at(z3.IntVal(0))

    @_of.register
    def _tail(self, term: t.Tail, environment: _Environment) -> Symbol:
        symbol = self._term(term.sequence, environment)
        size = symbol.length()
        bound = None if symbol.bound is None else max(symbol.bound - 1, 0)
        shorter = ite(below(z3.IntVal(0), size), folded(size - 1, size), z3.IntVal(0))
        tail = row(shorter, lambda place: symbol.at(folded(place + 1, place)), bound)
        if bound is not None:
            return tail

        def some(wanted: Predicate) -> Expr:
            # By the places of the whole row: to find one of the tail, a solver would have to subtract.
            return some_place(size, None, lambda place: conj(place >= 1, wanted(symbol.at(place))))

        return attrs.evolve(tail, some=some)

    @_of.register
    def _append(self, term: t.Append, environment: _Environment) -> Symbol:
        symbol, item = self._term(term.sequence, environment), self._term(term.item, environment)
        size = symbol.length()
        return Row(
            lambda: folded(size + 1, size),
            remembered(lambda place: ite(same(place, size), item, symbol.at(place))),
            None if symbol.bound is None else symbol.bound + 1,
            lambda wanted: disj(symbol.some(wanted), wanted(item)),
        )

    @_of.register
    def _filter(self, term: t.Filter, environment: _Environment) -> Symbol:
        base = self._term(term.sequence, environment)

        def condition(item: Symbol) -> Expr:
            return self._term(term.condition, environment.bind(term.var, item))

        return self._filtered(base, condition, term.var.sort, environment.scope)

    @_of.register
    def _at(self, term: t.At, environment: _Environment) -> Symbol:
        symbol, key = self._term(term.map, environment), self._term(term.key, environment)
        if term.default is None:
            return symbol.at(key)
        return ite(symbol.has(key), symbol.at(key), self._term(term.default, environment))

    @_of.register
    def _store(self, term: t.Store, environment: _Environment) -> Symbol:
        symbol, key = self._term(term.map, environment), self._term(term.key, environment)
        if not any(True for _ in bound_in(key)):
            self.name(key, _field(term.map))
        return stored(symbol, key, self._term(term.value, environment))

    @_of.register
    def _map_to(self, term: t.MapTo, environment: _Environment) -> Symbol:
        keys, sort = self._term(term.keys, environment), t.item_sort(term.keys)
        return Table(
            remembered(lambda key: self.contains(keys, key, sort)),
            remembered(lambda key: self._term(term.value, environment.bind(term.var, key))),
        )

    @_of.register
    def _exists(self, term: t.Exists, environment: _Environment) -> Symbol:
        return self._some_of(
            term.collection, environment, lambda item: self._term(term.condition, environment.bind(term.var, item))
        )

    @_of.register
    def _for_all(self, term: t.ForAll, environment: _Environment) -> Symbol:
        failing = self._some_of(
            term.collection,
            environment,
            lambda item: neg(self._term(term.condition, environment.bind(term.var, item))),
        )
        return neg(failing)

    @_of.register
    def _sum(self, term: t.Sum, environment: _Environment) -> Symbol:
        symbol, sort = self._term(term.collection, environment), t.item_sort(term.collection)
        if not isinstance(symbol, Row) and self.elements(sort) is None:
            return self._invented_sum(term, symbol, sort, environment)
        items = self._flagged(symbol, sort)
        numbers = [
            ite(there, self._term(term.value, environment.bind(term.var, item)), z3.IntVal(0))
            for there, item in items
        ]
        return folded(z3.Sum([z3.IntVal(0), *numbers]), *numbers)

    def _flagged(self, symbol: Symbol, sort: Sort) -> list[tuple[Expr, Symbol]]:
        """Return every item that a collection may have, each with whether it has it."""
        if not isinstance(symbol, Row):
            return [(symbol.has(each), each) for each in self.elements(sort) or ()]
        if symbol.bound is None:
            msg = "a sum over a sequence that has no bound"
            raise Unbounded(msg)
        places = [z3.IntVal(place) for place in range(symbol.bound)]
        return [(below(place, symbol.length()), symbol.at(place)) for place in places]

    def _invented_sum(self, term: t.Sum, symbol: Members | Table, sort: Sort, environment: _Environment) -> Expr:
        if isinstance(symbol, StoredTable) and (before := _with_base(term, symbol, environment)) is not None:
            return self._sum_of_stored(term, symbol, before, environment)
        with binding(self.z3_sort(sort), above=environment.scope) as (item,), self.guarding(on=False):
            number = self._number(term, symbol, item, environment)
        for known in self._sums:
            if known.scope == environment.scope and is_same_symbol(known.number, number):
                return known.size
        if is_number(number) and number.as_long() == 0:
            size = number
        else:
            size = self.invent("sum", environment.scope, z3.IntSort())()
            nothing = neg(z3.Exists([item], neg(same(number, z3.IntVal(0)))))
            for what in (conj(size >= 0, size <= _GREATEST), implies(nothing, size == 0)):
                self.assume(for_all(environment.scope, what, _patterns(size)))
        self._sums.append(_Counted(term, environment.scope, size, item, number))
        return size

    def _number(self, term: t.Sum, symbol: Members | Table, item: Expr, environment: _Environment) -> Expr:
        value = self._term(term.value, environment.bind(term.var, item))
        return ite(symbol.has(item), value, z3.IntVal(0))

    def _sum_of_stored(
        self, term: t.Sum, symbol: StoredTable, before: _Environment, environment: _Environment
    ) -> Expr:
        """Return the sum over a map in which one key has another value, by that over the map before."""
        with self.guarding(on=False):
            now = self._number(term, symbol, symbol.key, environment)
            was = self._number(term, symbol.base, symbol.key, before)
        total = self._invented_sum(term, symbol.base, t.item_sort(term.collection), before) + now - was
        self.assume(for_all(environment.scope, conj(total >= 0, total <= _GREATEST)))
        return total

    @_of.register
    def _fix(self, term: t.Fixpoint, environment: _Environment) -> Symbol:
        return self._fixpoint(term, environment)

    def _filtered(self, base: Row, condition: Predicate, sort: Sort, scope: tuple[Expr, ...]) -> Row:
        if isinstance(base, FilteredRow):
            first = base.condition
            return self._filtered(base.base, lambda item: conj(first(item), condition(item)), sort, scope)

        def some(wanted: Predicate) -> Expr:
            return base.some(lambda item: conj(condition(item), wanted(item)))

        if base.bound is not None:
            return self._unrolled_filter(base, condition, sort, some)
        invented = functools.cache(lambda: self._invented_filter(base, condition, scope))
        return FilteredRow(
            lambda: invented().size, lambda place: base.at(invented().origin(place)), None, some, base, condition
        )

    def _unrolled_filter(
        self, base: Row, condition: Predicate, sort: Sort, some: Callable[[Predicate], Expr]
    ) -> Row:
        places = [z3.IntVal(place) for place in range(base.bound or 0)]
        kept = [conj(below(place, base.length()), condition(base.at(place))) for place in places]
        before = [count(kept[:number]) for number in range(len(places))]
        items = [base.at(place) for place in places]

        def at(wanted: Expr) -> Symbol:
            tests = zip(kept, before, items, strict=True)
            pairs = [(conj(keep, same(number, wanted)), item) for keep, number, item in tests]
            return self.first(pairs, lambda test: test, sort)

        return Row(lambda: count(kept), remembered(at), base.bound, some)

    def _invented_filter(self, base: Row, condition: Predicate, scope: tuple[Expr, ...]) -> "_Invented":
        """Return the size of a filtered row, and where each of its places comes from.

        The places rise, only kept items are at them, and every kept item has one.
        """
        whole = z3.IntSort()
        size, origin = self.invent("kept", scope, whole)(), self.invent("origin", scope, whole, whole)
        place_of = self.invent("place", scope, whole, whole)
        with binding(whole, whole, above=scope) as (here, there):
            inside, within = conj(here >= 0, here < size), conj(here >= 0, here < base.length())
            came_from, goes_to = origin(here), place_of(here)
            is_kept = conj(came_from >= 0, came_from < base.length(), condition(base.at(came_from)))
            is_placed = conj(goes_to >= 0, goes_to < size, origin(goes_to) == here)
            rises = implies(conj(inside, here < there, there < size), came_from < origin(there))
            self.assume(
                for_all(scope, conj(size >= 0, size <= base.length())),
                for_all((*scope, here), implies(inside, is_kept)),
                for_all((*scope, here, there), rises),
                for_all((*scope, here), implies(conj(within, condition(base.at(here))), is_placed)),
            )
        new = _Invented(base, condition, scope, size, origin)
        for other in self._filters:
            self._compare(new, other)
        self._filters.append(new)
        return new

    def _compare(self, new: "_Invented", other: "_Invented") -> None:
        """Assume that two filters of one row that keep the same places are the same row.

        This follows from their axioms, but only by induction, which solvers do not do.
        """
        scope = tuple({each.get_id(): each for each in (*new.scope, *other.scope)}.values())
        whole = z3.IntSort()
        with binding(whole, above=scope) as (here,):
            item, length = new.base.at(here), new.base.length()
            if not (length.eq(other.base.length()) and is_same_symbol(item, other.base.at(here))):
                return
            differs = neg(same(new.condition(item), other.condition(item)))
            somewhere = some_place(length, None, lambda place: z3.substitute(differs, (here, place)))
            inside = conj(here >= 0, here < new.size)
            self.assume(
                for_all(scope, disj(somewhere, new.size == other.size)),
                for_all((*scope, here), disj(somewhere, neg(inside), new.origin(here) == other.origin(here))),
            )

    def _fixed(self, start: Table, was_set: Callable[[Expr], Expr], value: Symbol) -> Table:
        return Table(
            remembered(lambda key: disj(was_set(key), start.has(key))),
            remembered(lambda key: ite(was_set(key), value, start.at(key))),
        )

    def _fixpoint(self, term: t.Fixpoint, environment: _Environment) -> Table:
        start, keys = self._term(term.start, environment), self._term(term.keys, environment)
        value = self._term(term.value, environment)

        def condition(now: Table, key: Expr) -> Expr:
            return self._term(term.condition, environment.bind(term.map_var, now).bind(term.key_var, key))

        elements = self.elements(term.key_var.sort)
        if elements is None:
            return self._invented_fixpoint(start, keys, condition, value, term.key_var.sort, environment.scope)
        return self._unrolled_fixpoint(start, keys, condition, value, term.key_var.sort, elements)

    def _unrolled_fixpoint(
        self,
        start: Table,
        keys: Symbol,
        condition: Callable[[Table, Expr], Expr],
        value: Symbol,
        sort: Sort,
        elements: tuple[Expr, ...],
    ) -> Table:
        """Return the map after as many rounds as there are keys; in a round, all keys are looked at together."""

        def next_round(was_set: Callable[[Expr], Expr]) -> Callable[[Expr], Expr]:
            now = self._fixed(start, was_set, value)
            return remembered(
                lambda key: disj(was_set(key), conj(self.contains(keys, key, sort), condition(now, key)))
            )

        was_set: Callable[[Expr], Expr] = _never
        for _ in elements:
            is_set = next_round(was_set)
            if all(is_set(each).eq(was_set(each)) for each in elements):
                break
            was_set = is_set
        return self._fixed(start, was_set, value)

    def _invented_fixpoint(
        self,
        start: Table,
        keys: Symbol,
        condition: Callable[[Table, Expr], Expr],
        value: Symbol,
        sort: Sort,
        scope: tuple[Expr, ...],
    ) -> Table:
        """Return the map with the least set of keys that is closed under the condition.

        Closed: no key outside it fulfils the condition.  Least: each key in it has a rank, and fulfils the
        condition when only keys of lower ranks are set.
        """
        of_key = self.z3_sort(sort)
        was_set = self.invent("set", scope, of_key, z3.BoolSort())
        rank = self.invent("rank", scope, of_key, z3.IntSort())
        now = self._fixed(start, was_set, value)
        with binding(of_key, above=scope) as (key,):
            sooner = self._fixed(start, lambda other: conj(was_set(other), rank(other) < rank(key)), value)
            is_key = self.contains(keys, key, sort)
            justified = conj(is_key, condition(sooner, key), rank(key) >= 0)
            stays_open = implies(conj(is_key, neg(was_set(key))), neg(condition(now, key)))
            meant, patterns = (self.near(key), [self.near(key)]) if self._guarded else (TRUE, [])
            self.assume(
                for_all((*scope, key), implies(conj(meant, was_set(key)), justified), patterns),
                for_all((*scope, key), implies(meant, stays_open), patterns),
            )
        return now


_method_of: Final = vars(Translation)["_of"].dispatcher.dispatch


def _sorts(counted: _Counted) -> list[Any]:
    return [each.sort() for each in (*counted.scope, counted.item)]


def _with_base(term: t.Sum, symbol: StoredTable, environment: _Environment) -> _Environment | None:
    """Return what the names stand for before a key of the summed map was stored; None where more may have changed.

    What is summed must not look at the record of the map but for this map.
    """
    collection = term.collection
    if not (isinstance(collection, t.Get) and isinstance(collection.record, t.Var)):
        return None
    if _looks_at(term.value, collection.record, collection) or _is_under_a_quantifier(symbol.key, environment):
        return None
    record = environment.names[collection.record.name]
    base = Structure({**record.fields, collection.field: symbol.base})
    return attrs.evolve(environment, names={**environment.names, collection.record.name: base})


def _is_under_a_quantifier(key: Expr, environment: _Environment) -> bool:
    """Whether a key stands under a quantifier, where what is stored depends on what is bound."""
    return bool(environment.scope) or any(True for _ in bound_in(key))


def _looks_at(term: t.Term, record: t.Var, but: t.Term) -> bool:
    """Whether a term looks at a record otherwise than by one of its fields."""
    if term == but:
        return False
    return term == record or any(_looks_at(part, record, but) for part in t.parts_of(term))


def _field(collection: t.Term) -> str:
    """Return the field of a record that a collection is, or the name of the variable."""
    return collection.field if isinstance(collection, t.Get) else getattr(collection, "name", "")


def _patterns(size: Expr) -> list[Expr]:
    """Return where a solver that looks for values finds those of a sum: where it speaks of it."""
    return [size] if size.num_args() else []


def _never(_key: Expr) -> Expr:
    return FALSE


def _without_doubles(term: t.Equal) -> t.Term | None:
    """Return the sequence of which the term says that each item stands in it once: as many items as places."""
    if not (isinstance(term.left, t.Size) and isinstance(term.right, t.Size)):
        return None
    elements, sequence = term.left.collection, term.right.collection
    if not isinstance(elements, t.Elements) or elements.collection != sequence:
        return None
    return sequence if isinstance(sequence.sort, SequenceOf) else None


def _counts_nothing(term: t.Equal) -> bool:
    """Whether the term says that a collection has no items."""
    return isinstance(term.left, t.Size) and isinstance(term.right, t.Const) and term.right.value == 0
