"""Terms as TLA+ expressions.  What a value is in TLA+:

ids, keys, times and members of enumerations are strings; a value that may be missing is a sequence of at most
one item; a map is a function on its keys, a record a record, a set a set, a sequence a sequence.  TLC's numbers
end at 2^31 - 1; the greatest of larger sorts are cut to that, and no scope comes near it.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

import attrs

from mobstore.model.machines import terms as t
from mobstore.model.machines.sorts import (
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

GREATEST: Final = 2**31 - 1
"""TLC's greatest number."""

PRELUDE: Final = r"""
Get(m, k, else) == IF k \in DOMAIN m THEN m[k] ELSE else
Items(q) == {q[n] : n \in 1..Len(q)}
Put(m, k, v) == [x \in DOMAIN m \cup {k} |-> IF x = k THEN v ELSE m[x]]
PutAll(m, ks, v) == [x \in DOMAIN m \cup ks |-> IF x \in ks THEN v ELSE m[x]]
Plus(a, b, greatest) == IF b > greatest - a THEN greatest ELSE a + b
Minus(a, b) == IF a < b THEN 0 ELSE a - b
RECURSIVE SumOf(_, _)
SumOf(f, ks) == IF ks = {} THEN 0 ELSE LET k == CHOOSE k \in ks : TRUE IN f[k] + SumOf(f, ks \ {k})
"""
"""What the expressions use, beside the standard modules."""


def text(value: Any) -> str:
    """Return the TLA+ string that stands for an id, a key or a time."""
    shown = value.hex() if isinstance(value, bytes) else str(getattr(value, "value", value))
    return '"' + shown.replace("→", " to ").replace("\\", "\\\\").replace('"', '\\"') + '"'


@functools.singledispatch
def literal(sort: Sort, _value: Any) -> str:
    """Return the expression of a value of the model."""
    msg = f"no TLA+ for values of {sort}"
    raise TypeError(msg)


@literal.register
def _boolean(_sort: Boolean, value: Any) -> str:
    return "TRUE" if value else "FALSE"


@literal.register
def _natural(_sort: Natural, value: Any) -> str:
    return str(min(value, GREATEST))


@literal.register(Opaque)
@literal.register(Enumeration)
def _text(_sort: Sort, value: Any) -> str:
    return text(value)


@literal.register
def _optional(sort: Optional, value: Any) -> str:
    return "<<>>" if value is None else f"<<{literal(sort.item, value)}>>"


@literal.register
def _sequence(sort: SequenceOf, value: Any) -> str:
    return f"<<{', '.join(literal(sort.item, item) for item in value)}>>"


@literal.register
def _set(sort: SetOf, value: Any) -> str:
    return f"{{{', '.join(sorted(literal(sort.item, item) for item in value))}}}"


@literal.register
def _map(sort: MapOf, value: Any) -> str:
    return function_of_pairs((literal(sort.key, key), literal(sort.item, item)) for key, item in value.items())


def function_of_pairs(pairs: Iterable[tuple[str, str]]) -> str:
    """Return the function of its keys and values."""
    shown = " @@ ".join(f"({key} :> {value})" for key, value in pairs)
    return f"({shown})" if shown else "[x \\in {} |-> 0]"


@literal.register
def _record(sort: Record, value: Any) -> str:
    fields = (f"{name} |-> {literal(of, getattr(value, name))}" for name, of in sort.fields.items())
    return f"[{', '.join(fields)}]"


def ids_in(sort: Sort, value: Any) -> Iterable[str]:
    """Iterate over the ids in a value, as text."""
    if isinstance(sort, Opaque):
        yield text(value)
    elif isinstance(sort, Optional):
        yield from () if value is None else ids_in(sort.item, value)
    elif isinstance(sort, Record):
        for name, of in sort.fields.items():
            yield from ids_in(of, getattr(value, name))
    elif isinstance(sort, (SequenceOf, SetOf)):
        for item in value:
            yield from ids_in(sort.item, item)
    elif isinstance(sort, MapOf):
        for key, item in value.items():
            yield from ids_in(sort.key, key)
            yield from ids_in(sort.item, item)


@attrs.frozen(eq=False)
class Writer:
    """Writes terms; ``names`` are what its variables are called in TLA+."""

    names: Mapping[str, str] = attrs.field(factory=dict)
    _numbers: Any = attrs.field(factory=lambda: itertools.count(1))

    def write(self, term: t.Term) -> str:
        """Return the expression of a term."""
        return _write(term, self)

    def all(self, terms: Iterable[t.Term]) -> list[str]:
        """Return the expressions of several terms."""
        return [_write(term, self) for term in terms]

    def keys(self, collection: t.Term) -> str:
        """Return the set of what is in a sequence, a set, or the keys of a map."""
        shown = self.write(collection)
        if isinstance(collection.sort, SequenceOf):
            return f"Items({shown})"
        return f"DOMAIN {shown}" if isinstance(collection.sort, MapOf) else shown

    def number(self) -> int:
        """Return a number that no other name has."""
        found: int = next(self._numbers)
        return found


@functools.singledispatch
def _write(term: t.Term, _writer: Writer) -> str:
    msg = f"no TLA+ of {type(term).__name__}"
    raise TypeError(msg)


def _template(kind: type, template: str) -> None:
    def write(term: t.Term, writer: Writer) -> str:
        return template.format(*writer.all(t.parts_of(term)))

    _write.register(kind, write)


for _kind, _text_of in {
    t.Some: "<<{}>>",
    t.The: "{}[1]",
    t.Present: "({} # <<>>)",
    t.Not: "(~{})",
    t.Equal: "({} = {})",
    t.If: "(IF {} THEN {} ELSE {})",
    t.Minus: "Minus({}, {})",
    t.Insert: "({} \\cup {{{}}})",
    t.Discard: "({} \\ {{{}}})",
    t.Head: "Head({})",
    t.Append: "Append({}, {})",
    t.Store: "Put({}, {}, {})",
}.items():
    _template(_kind, _text_of)


@_write.register
def _var(term: t.Var, writer: Writer) -> str:
    return writer.names.get(term.name, term.name)


@_write.register
def _const(term: t.Const, _writer: Writer) -> str:
    return literal(term.sort, term.value)


@_write.register
def _get(term: t.Get, writer: Writer) -> str:
    return f"{writer.write(term.record)}.{term.field}"


@_write.register
def _make(term: t.Make, writer: Writer) -> str:
    parts = zip(Record(term.kind).fields, writer.all(term.fields), strict=True)
    return f"[{', '.join(f'{name} |-> {shown}' for name, shown in parts)}]"


_AND: Final = " /\\ "
_OR: Final = " \\/ "


@_write.register
def _and(term: t.And, writer: Writer) -> str:
    return _joined(_AND, writer.all(term.parts)) or "TRUE"


@_write.register
def _or(term: t.Or, writer: Writer) -> str:
    return _joined(_OR, writer.all(term.parts)) or "FALSE"


def _joined(sign: str, parts: Sequence[str]) -> str:
    return f"({sign.join(parts)})" if len(parts) > 1 else "".join(parts)


@_write.register
def _less(term: t.Less, writer: Writer) -> str:
    left, right = writer.all((term.left, term.right))
    return _below(term.left.sort, left, right)


def _below(sort: Sort, left: str, right: str) -> str:
    return f"({left} < {right})" if isinstance(sort, Natural) else f"(Rank[{left}] < Rank[{right}])"


@_write.register
def _plus(term: t.Plus, writer: Writer) -> str:
    assert isinstance(term.sort, Natural)
    left, right = writer.all((term.left, term.right))
    return f"Plus({left}, {right}, {min(term.sort.maximum, GREATEST)})"


@_write.register
def _size(term: t.Size, writer: Writer) -> str:
    if isinstance(term.collection.sort, SequenceOf):
        return f"Len({writer.write(term.collection)})"
    return f"Cardinality({writer.keys(term.collection)})"


@_write.register
def _member(term: t.Member, writer: Writer) -> str:
    return f"({writer.write(term.item)} \\in {writer.keys(term.collection)})"


@_write.register
def _increasing(term: t.Increasing, writer: Writer) -> str:
    shown, place = writer.write(term.sequence), f"Place{writer.number()}"
    here, there = f"{shown}[{place}]", f"{shown}[{place} + 1]"
    return f"(\\A {place} \\in 1..(Len({shown}) - 1) : {_below(t.item_sort(term.sequence), here, there)})"


@_write.register
def _elements(term: t.Elements, writer: Writer) -> str:
    return writer.keys(term.collection)


@_write.register
def _tail(term: t.Tail, writer: Writer) -> str:
    shown = writer.write(term.sequence)
    return f"SubSeq({shown}, 2, Len({shown}))"


@_write.register
def _filter(term: t.Filter, writer: Writer) -> str:
    return f"SelectSeq({writer.write(term.sequence)}, LAMBDA {term.var.name} : {writer.write(term.condition)})"


@_write.register
def _at(term: t.At, writer: Writer) -> str:
    items, key = writer.write(term.map), writer.write(term.key)
    if term.default is None:
        return f"{items}[{key}]"
    return f"Get({items}, {key}, {writer.write(term.default)})"


@_write.register
def _map_to(term: t.MapTo, writer: Writer) -> str:
    return f"[{term.var.name} \\in {writer.keys(term.keys)} |-> {writer.write(term.value)}]"


def _quantified(sign: str) -> Callable[[Any, Writer], str]:
    def write(term: Any, writer: Writer) -> str:
        return f"(\\{sign} {term.var.name} \\in {writer.keys(term.collection)} : {writer.write(term.condition)})"

    return write


_write.register(t.ForAll, _quantified("A"))
_write.register(t.Exists, _quantified("E"))


@_write.register
def _sum(term: t.Sum, writer: Writer) -> str:
    if isinstance(term.collection.sort, SequenceOf):
        shown, place = writer.write(term.collection), f"Place{writer.number()}"
        value = attrs.evolve(writer, names={**writer.names, term.var.name: f"{shown}[{place}]"}).write(term.value)
        return f"SumOf([{place} \\in 1..Len({shown}) |-> {value}], 1..Len({shown}))"
    keys = writer.keys(term.collection)
    return f"SumOf([{term.var.name} \\in {keys} |-> {writer.write(term.value)}], {keys})"


@_write.register
def _fixpoint(term: t.Fixpoint, writer: Writer) -> str:
    number = writer.number()
    start, value, keys = writer.write(term.start), writer.write(term.value), writer.keys(term.keys)
    now, key = term.map_var.name, term.key_var.name
    ready = f"{{{key} \\in Left{number} : {writer.write(term.condition)}}}"
    return (
        f"(LET RECURSIVE Fix{number}(_, _) Fix{number}({now}, Left{number}) == LET Set{number} == {ready} IN "
        f"IF Set{number} = {{}} THEN {now} "
        f"ELSE Fix{number}(PutAll({now}, Set{number}, {value}), Left{number} \\ Set{number}) "
        f"IN Fix{number}({start}, {keys}))"
    )
