"""Terms: the small, typed, closed language in which guards, updates, effects and invariants are written.

A term is a frozen value, so a transition is data: `mobstore.model.machines.evaluation` turns it into a Python
function, and a solver translation or an exporter reads the same nodes.  The rules of the language:

1. Every term has a sort, and building one checks the sorts of its parts.
2. Every term is total, except ``Head`` of an empty sequence, ``The`` of nothing, and ``At`` without a default
   of a key that is not there.  Those stand only where what is around them rules that out (``And``, ``Or`` and
   ``If`` look at their parts from left to right, and no further than needed).
3. Natural numbers saturate: they stop at 0 and at the greatest of their sort.
4. Quantifiers and maps range over a sequence, a set, or the keys of a map: always something finite at hand.
5. ``Fixpoint`` sets keys of a map, each at most once, so it ends after at most as many rounds as keys.  Its
   condition may only become true, never false, when more keys are set; then the order does not matter.

Terms compare by structure, so ``==`` is not an operator of the language: write ``a.eq(b)``.  The operators are
``&``, ``|``, ``~``, ``<``, ``<=``, ``+``, ``-``, ``record.field`` (as ``get``) and those methods.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeAlias, TypeVar, dataclass_transform

import attrs

from mobstore.model.machines.sorts import (
    BOOLEAN,
    Enumeration,
    MapOf,
    Natural,
    Optional,
    Record,
    SequenceOf,
    SetOf,
    Sort,
    sort_of,
)

T = TypeVar("T")
Like: TypeAlias = Any
"""A term, or a plain value that a constant of the sort wanted stands for."""


class Term:
    """A node of the language; its ``sort`` says what it stands for."""

    __slots__ = ()

    @property
    def sort(self) -> Sort:
        """What kind of value the term stands for."""
        raise NotImplementedError

    def eq(self, other: Like) -> Term:
        """Both are the same value."""
        return Equal(self, _comparable(other, self.sort))

    def ne(self, other: Like) -> Term:
        """They are different values."""
        return Not(self.eq(other))

    def one_of(self, *values: Like) -> Term:
        """It is one of ``values``."""
        return Or(tuple(self.eq(value) for value in values))

    def get(self, field: str) -> Term:
        """Return the field of a record."""
        return Get(self, field)

    def __and__(self, other: Like) -> Term:
        return And((self, as_sort(other, BOOLEAN)))

    def __or__(self, other: Like) -> Term:
        return Or((self, as_sort(other, BOOLEAN)))

    def __invert__(self) -> Term:
        return Not(self)

    def __lt__(self, other: Like) -> Term:
        return Less(self, _comparable(other, self.sort))

    def __le__(self, other: Like) -> Term:
        return Not(Less(_comparable(other, self.sort), self))

    def __gt__(self, other: Like) -> Term:
        return Less(_comparable(other, self.sort), self)

    def __ge__(self, other: Like) -> Term:
        return Not(Less(self, _comparable(other, self.sort)))

    def __add__(self, other: Like) -> Term:
        return Plus(self, as_sort(other, self.sort))

    def __sub__(self, other: Like) -> Term:
        return Minus(self, as_sort(other, self.sort))


def as_sort(value: Like, sort: Sort) -> Term:
    """Return ``value`` as a term of ``sort``: a constant, or a term, made optional when that is wanted.

    Raises:
        TypeError: a term of another sort.
    """
    if not isinstance(value, Term):
        return Const(value, sort)
    if value.sort == sort:
        return value
    if isinstance(sort, Optional) and value.sort == sort.item:
        return Some(value)
    msg = f"a term of {value.sort} where one of {sort} is wanted: {value}"
    raise TypeError(msg)


def _comparable(value: Like, sort: Sort) -> Term:
    """Return ``value`` as a term that may be compared with one of ``sort``: numbers compare whatever their size."""
    if isinstance(value, Term) and isinstance(value.sort, Natural) and isinstance(sort, Natural):
        return value
    return as_sort(value, sort)


def _want(term: Term, *kinds: type[Sort]) -> Any:
    if not isinstance(term.sort, kinds):
        msg = f"a term of {term.sort} where one of {' or '.join(kind.__name__ for kind in kinds)} is wanted"
        raise TypeError(msg)
    return term.sort


def item_sort(collection: Term) -> Sort:
    """Return the sort of what one meets in a sequence, a set, or the keys of a map."""
    sort = _want(collection, SequenceOf, SetOf, MapOf)
    return sort.key if isinstance(sort, MapOf) else sort.item


@dataclass_transform(frozen_default=True, field_specifiers=(attrs.field,))
def _node(cls: type[T]) -> type[T]:
    """Make a node: a frozen value that compares by structure (attrs' own stub would have it ordered, too)."""
    return attrs.frozen(cls)


@_node
class Var(Term):
    """What a binder, or the transition around the term, gives a name."""

    name: str
    sort: Sort


@_node
class Const(Term):
    """A value of the model."""

    value: Any
    sort: Sort


@_node
class Get(Term):
    """The field of a record."""

    record: Term
    field: str

    @property
    def sort(self) -> Sort:
        """The sort of the field."""
        return _want(self.record, Record).fields[self.field]  # type: ignore[no-any-return]


@_node
class Make(Term):
    """A record of its fields, all of them, in order."""

    kind: type
    fields: tuple[Term, ...]

    @property
    def sort(self) -> Sort:
        """The record's sort."""
        return Record(self.kind)


@_node
class Some(Term):
    """A value where there might be none."""

    item: Term

    @property
    def sort(self) -> Sort:
        """Optional, of the sort of the value."""
        return Optional(self.item.sort)


@_node
class The(Term):
    """The value of an optional term that has one."""

    option: Term

    @property
    def sort(self) -> Sort:
        """The sort of the value."""
        return _want(self.option, Optional).item  # type: ignore[no-any-return]


class _Truth(Term):
    __slots__ = ()

    @property
    def sort(self) -> Sort:
        """A truth."""
        return BOOLEAN


@_node
class Present(_Truth):
    """An optional term has a value."""

    option: Term


@_node
class Not(_Truth):
    """The part does not hold."""

    part: Term = attrs.field(converter=functools.partial(as_sort, sort=BOOLEAN))


@_node
class And(_Truth):
    """All parts hold."""

    parts: tuple[Term, ...]


@_node
class Or(_Truth):
    """One of the parts holds."""

    parts: tuple[Term, ...]


@_node
class Equal(_Truth):
    """Both are the same value."""

    left: Term
    right: Term


@_node
class Less(_Truth):
    """The left number (or id, as text) is below the right one."""

    left: Term
    right: Term


@_node
class If(Term):
    """One of two terms, as a condition says."""

    condition: Term
    then: Term
    otherwise: Term

    @property
    def sort(self) -> Sort:
        """The sort of both."""
        return self.then.sort


@_node
class Plus(Term):
    """A sum that stops at the greatest number of its sort."""

    left: Term
    right: Term

    @property
    def sort(self) -> Sort:
        """The sort of the left number."""
        return self.left.sort


@_node
class Minus(Term):
    """A difference that stops at 0."""

    left: Term
    right: Term

    @property
    def sort(self) -> Sort:
        """The sort of the left number."""
        return self.left.sort


@_node
class Size(Term):
    """How many items a sequence, a set or a map has."""

    collection: Term

    @property
    def sort(self) -> Sort:
        """A number."""
        return Natural(64)


@_node
class Member(_Truth):
    """The item is in the sequence or the set, or is a key of the map."""

    item: Term
    collection: Term


@_node
class Increasing(_Truth):
    """Each item of a sequence is above the one before it."""

    sequence: Term


class _SameSort(Term):
    __slots__ = ()

    @property
    def sort(self) -> Sort:
        """The sort of the first part."""
        return getattr(self, _field_names(type(self))[0]).sort  # type: ignore[no-any-return]


@_node
class Insert(_SameSort):
    """A set with one item more."""

    items: Term
    item: Term


@_node
class Discard(_SameSort):
    """A set without an item."""

    items: Term
    item: Term


@_node
class Elements(Term):
    """The set of what is in a sequence, or of the keys of a map."""

    collection: Term

    @property
    def sort(self) -> Sort:
        """A set."""
        return SetOf(item_sort(self.collection))


@_node
class Head(Term):
    """The first item of a sequence that has one."""

    sequence: Term

    @property
    def sort(self) -> Sort:
        """The sort of the items."""
        return item_sort(self.sequence)


@_node
class Tail(_SameSort):
    """A sequence without its first item."""

    sequence: Term


@_node
class Append(_SameSort):
    """A sequence with one item more, at its end."""

    sequence: Term
    item: Term


@_node
class Filter(_SameSort):
    """The items of a sequence for which a condition holds, in their order."""

    sequence: Term
    var: Var
    condition: Term


@_node
class At(Term):
    """What a map has for a key, or the default."""

    map: Term
    key: Term
    default: Term | None

    @property
    def sort(self) -> Sort:
        """The sort of the map's values."""
        return _want(self.map, MapOf).item  # type: ignore[no-any-return]


@_node
class Store(_SameSort):
    """A map in which a key has a value."""

    map: Term
    key: Term
    value: Term


@_node
class MapTo(Term):
    """The map of the keys (of a sequence, a set or a map) to a value each."""

    keys: Term
    var: Var
    value: Term
    sort: Sort


@_node
class ForAll(_Truth):
    """A condition holds for every item."""

    collection: Term
    var: Var
    condition: Term


@_node
class Exists(_Truth):
    """A condition holds for some item."""

    collection: Term
    var: Var
    condition: Term


@_node
class Sum(Term):
    """The sum of a number for every item (of a sequence: for every place)."""

    collection: Term
    var: Var
    value: Term

    @property
    def sort(self) -> Sort:
        """A number."""
        return Natural(64)


@_node
class Fixpoint(Term):
    """A map in which keys were set to ``value``, again and again, as long as the condition held for one.

    ``map_var`` and ``key_var`` stand in the condition for the map so far and the key looked at.
    """

    start: Term
    keys: Term
    map_var: Var
    key_var: Var
    condition: Term
    value: Term

    @property
    def sort(self) -> Sort:
        """The map's sort."""
        return self.start.sort


def _field_names(kind: Any) -> tuple[str, ...]:
    return tuple(field.name for field in attrs.fields(kind))


def parts_of(term: Term) -> Iterator[Term]:
    """Iterate over the terms that a term is built of, variables that it binds included."""
    for field in _field_names(type(term)):
        part = getattr(term, field)
        if isinstance(part, Term):
            yield part
        elif isinstance(part, tuple):
            yield from (item for item in part if isinstance(item, Term))


def names_in(term: Term) -> set[str]:
    """Return the names of all variables in a term, bound ones included."""
    names = {term.name} if isinstance(term, Var) else set()
    return names.union(*map(names_in, parts_of(term)))


def _bind(sort: Sort, body: Callable[[Term], Term]) -> tuple[Var, Term]:
    """Name the variable of a binder after the parameter of ``body``, by a name that nothing inside has."""
    wanted: str = body.__code__.co_varnames[0]
    used = names_in(body(Var("", sort)))
    name, number = wanted, 2
    while name in used:
        name, number = f"{wanted}{number}", number + 1
    var = Var(name, sort)
    return var, body(var)


def var(name: str, hint: Any) -> Var:
    """Return the variable of a name, of the sort of an annotation."""
    return Var(name, sort_of(hint))


def nothing(sort: Sort) -> Term:
    """Return the constant that stands for no value where one of ``sort`` might be."""
    return Const(None, Optional(sort))


def every(parts: Iterable[Term]) -> Term:
    """Return that all of ``parts`` hold."""
    return And(tuple(parts))


def implies(condition: Term, then: Term) -> Term:
    """Return that ``then`` holds if ``condition`` does."""
    return Or((Not(condition), then))


def iff(left: Term, right: Term) -> Term:
    """Return that both hold, or neither."""
    return Equal(left, as_sort(right, BOOLEAN))


def if_(condition: Term, then: Like, otherwise: Like) -> Term:
    """Return ``then`` (a term, or a member of an enumeration) where the condition holds, else ``otherwise``."""
    first = then if isinstance(then, Term) else Const(then, Enumeration(type(then)))
    return If(condition, first, as_sort(otherwise, first.sort))


def member(item: Like, collection: Term) -> Term:
    """Return that the item is in the collection (or is a key of the map)."""
    return Member(as_sort(item, item_sort(collection)), collection)


def is_empty(collection: Term) -> Term:
    """Return that the collection has no items."""
    return Size(collection).eq(0)


def each_once(sequence: Term) -> Term:
    """Return that no item stands in the sequence twice."""
    return Size(Elements(sequence)).eq(Size(sequence))


def insert(items: Term, item: Like) -> Term:
    """Return the set with ``item``."""
    return Insert(items, as_sort(item, item_sort(items)))


def discard(items: Term, item: Like) -> Term:
    """Return the set without ``item``."""
    return Discard(items, as_sort(item, item_sort(items)))


def append(sequence: Term, item: Like) -> Term:
    """Return the sequence with ``item`` at its end."""
    return Append(sequence, as_sort(item, item_sort(sequence)))


_REQUIRED = object()


def at(map: Term, key: Like, default: Like = _REQUIRED) -> Term:
    """Return what the map has for the key; without a default, the key must be known to be there."""
    sort = _want(map, MapOf)
    fallback = None if default is _REQUIRED else as_sort(default, sort.item)
    return At(map, as_sort(key, sort.key), fallback)


def store(map: Term, key: Like, value: Like) -> Term:
    """Return the map in which ``key`` has ``value``."""
    sort = _want(map, MapOf)
    return Store(map, as_sort(key, sort.key), as_sort(value, sort.item))


def filtered(sequence: Term, condition: Callable[[Term], Term]) -> Term:
    """Return the items of a sequence for which the condition holds, in their order."""
    return Filter(sequence, *_bind(item_sort(sequence), condition))


def map_to(keys: Term, like: Term, value: Callable[[Term], Like]) -> Term:
    """Return the map of each of ``keys`` to its value, of the sort of the map ``like``."""
    sort = _want(like, MapOf)
    return MapTo(keys, *_bind(sort.key, lambda key: as_sort(value(key), sort.item)), sort)


def for_all(collection: Term, condition: Callable[[Term], Term]) -> Term:
    """Return that the condition holds for every item."""
    return ForAll(collection, *_bind(item_sort(collection), condition))


def exists(collection: Term, condition: Callable[[Term], Term]) -> Term:
    """Return that the condition holds for some item."""
    return Exists(collection, *_bind(item_sort(collection), condition))


def count(collection: Term, condition: Callable[[Term], Term]) -> Term:
    """Return for how many items (of a sequence: places) the condition holds."""
    number = Natural(64)
    one, none = Const(1, number), Const(0, number)
    return total(collection, lambda item: If(condition(item), one, none))


def total(collection: Term, value: Callable[[Term], Term]) -> Term:
    """Return the sum of ``value`` for every item."""
    return Sum(collection, *_bind(item_sort(collection), value))


def fixpoint(start: Term, keys: Term, condition: Callable[[Term, Term], Term], value: Like) -> Term:
    """Return the map with ``value`` set for keys as long as ``condition(map, key)`` holds for one."""
    sort = _want(start, MapOf)
    used = names_in(condition(Var("", sort), Var("", sort.key))) | {"key"}
    map_var = Var(next(name for name in ("now", "now2", "now3") if name not in used), sort)
    key_var, body = _bind(sort.key, lambda key: condition(map_var, key))
    return Fixpoint(start, keys, map_var, key_var, body, as_sort(value, sort.item))


class Fields:
    """The fields of a record as terms: ``fields_of(record).name``."""

    __slots__ = ("_record",)

    def __init__(self, record: Term) -> None:
        self._record = record

    def __getattr__(self, name: str) -> Term:
        return Get(self._record, name)


def fields_of(name: str, kind: type) -> Fields:
    """Return the fields of the record that the variable ``name`` stands for."""
    return Fields(Var(name, Record(kind)))
