"""Goals: what is to be proved, with a name for each thing that it is said of.

A goal *for every node ...* is proved of one node of which nothing is known.  To name that node here, and not to
leave it to the solver, has a use: what is given need not be said of every node, only of those that are near (that
one, those that it depends on, those that an input names).  A solver that is told of all of them follows the
dependencies of the dependencies, and comes to no end.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from typing import Any

import z3  # type: ignore[import-untyped]

from mobstore.model.machines import terms as t
from mobstore.model.machines.sorts import MapOf, Natural, Opaque, Optional, Record, SequenceOf, SetOf, Sort
from mobstore.properties._symbols import Expr, Row, Symbol, below, conj, disj, for_all, implies, neg, same
from mobstore.properties.symbolic import Translation


class Goal:
    """Makes the formula of a goal; ``named`` are the ids that it was made of.

    What it says inside of ids is said of those that are near, where it is ``guarded``.
    """

    def __init__(self, translation: Translation, names: Mapping[str, Symbol], *, guarded: bool = True) -> None:
        self._translation, self._guarded = translation, guarded
        self._names = dict(names)
        self._numbers = itertools.count()
        self.named: list[Expr] = []

    def of(self, term: t.Term) -> Expr:
        """Return a formula that is valid exactly when the term is."""
        if isinstance(term, t.And):
            return conj(*map(self.of, term.parts))
        if isinstance(term, t.Or):
            return disj(*map(self.of, term.parts))
        if isinstance(term, t.ForAll):
            return self._every(term.collection, term.var, term.condition)
        if isinstance(term, t.Not):
            return self._not(term.part)
        if isinstance(term, t.Equal) and isinstance(term.left.sort, (SetOf, MapOf)):
            return self._equal(self._translate(term.left), self._translate(term.right), term.left.sort)
        return self._translate(term)

    def _not(self, term: t.Term) -> Expr:
        if isinstance(term, t.Exists):
            return self._every(term.collection, term.var, t.Not(term.condition))
        if isinstance(term, t.And):
            return disj(*map(self._not, term.parts))
        if isinstance(term, t.Or):
            return conj(*map(self._not, term.parts))
        return neg(self._translate(term)) if not isinstance(term, t.Not) else self.of(term.part)

    def _translate(self, term: t.Term) -> Any:
        with self._translation.guarding(on=self._guarded):
            return self._translation.translate(term, self._names)

    def _fresh(self, sort: Sort) -> Expr:
        name = f"any{next(self._numbers)}"
        constant: Expr = self._translation.fresh(name, sort)
        if isinstance(sort, Opaque):
            self.named.append(constant)
        return constant

    def _every(self, collection: t.Term, var: t.Var, condition: t.Term) -> Expr:
        symbol = self._translate(collection)
        if isinstance(symbol, Row):
            place = self._fresh(Natural(64))
            inside, item = conj(place >= 0, below(place, symbol.length())), symbol.at(place)
            self.named += [item] if isinstance(var.sort, Opaque) else []
        else:
            item = self._fresh(var.sort)
            inside = symbol.has(item)
        outer = self._names.get(var.name)
        self._names[var.name] = item
        holds = self.of(condition)
        if outer is not None:
            self._names[var.name] = outer
        return implies(inside, holds)

    def _equal(self, left: Symbol, right: Symbol, sort: SetOf | MapOf) -> Expr:
        key = self._fresh(sort.key if isinstance(sort, MapOf) else sort.item)
        there = same(left.has(key), right.has(key))
        if isinstance(sort, SetOf):
            return there
        return conj(there, implies(left.has(key), self._translation.equal(left.at(key), right.at(key), sort.item)))


def neighbourhood(
    translation: Translation, named: list[Expr], records: list[tuple[Symbol, Record]]
) -> Iterator[Expr]:
    """Iterate over what is near: what was named, what stands in the sequences of the records, what depends."""
    fields = [(record.fields[name], of) for record, kind in records for name, of in kind.fields.items()]
    named = [*named, *itertools.chain.from_iterable(_ids(symbol, of) for symbol, of in fields)]
    yield from map(translation.near, named)
    place = z3.Int("place")
    for symbol, of in fields:
        if isinstance(of, SequenceOf) and isinstance(of.item, Opaque):
            item = symbol.at(place)
            yield for_all([place], translation.near(item), [item])
        elif isinstance(of, MapOf):
            held = [symbol.at(each) for each in named if each.sort() == translation.z3_sort(of.key)]
            if isinstance(of.item, SequenceOf) and isinstance(of.item.item, Opaque):
                items = [each.at(place) for each in held]
                yield from (for_all([place], translation.near(item), [item]) for item in items)
            yield from (translation.near(item) for each in held for item in _ids(each, of.item))


def _ids(symbol: Symbol, sort: Sort) -> Iterator[Expr]:
    if isinstance(sort, Opaque):
        yield symbol
    elif isinstance(sort, Optional):
        yield from _ids(symbol.item, sort.item)
