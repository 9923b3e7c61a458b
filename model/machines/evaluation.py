"""Evaluation: terms as Python functions.

A term is written out as one Python expression and compiled once, as attrs does with the methods that it makes:
closures of closures take several times as long, and a workflow of a thousand steps runs thousands of
transitions over maps of a thousand nodes.  Only names that this module chose, and names of fields and
variables, which are identifiers, ever stand in that text; constants are handed over beside it.
"""

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import attrs

from mobstore.model._collections import FrozenMap
from mobstore.model._records import converter
from mobstore.model.machines import terms as t
from mobstore.model.machines.sorts import MapOf, Natural, Sort


def _fixpoint(
    start: Mapping[Any, Any],
    keys: Iterable[Any],
    condition: Callable[[Any, Any], bool],
    value: Any,
    checked_by: Any,
) -> Mapping[Any, Any]:
    now, left = dict(start), list(dict.fromkeys(keys))
    while True:
        waiting = []
        for key in left:
            if condition(now, key):
                now[key] = value
            else:
                waiting.append(key)
        if len(waiting) == len(left):
            return start if now == start else FrozenMap(now, checked_by)
        left = waiting


def _increasing(items: Sequence[Any]) -> bool:
    return all(items[place] < items[place + 1] for place in range(len(items) - 1))


_HELPERS = {
    "_fixpoint": _fixpoint,
    "_increasing": _increasing,
    "_map": FrozenMap,
    "all": all,
    "any": any,
    "dict": dict,
    "frozenset": frozenset,
    "len": len,
    "max": max,
    "min": min,
    "sum": sum,
    "tuple": tuple,
}


class Writer:
    """Writes terms as Python expressions, and keeps the constants that stand in them."""

    def __init__(self) -> None:
        self.names: dict[str, Any] = {"__builtins__": {}, **_HELPERS}

    def constant(self, value: Any) -> str:
        """Return a name that stands for ``value``."""
        name = f"_c{len(self.names)}"
        self.names[name] = value
        return name

    def write(self, term: t.Term) -> str:
        """Return the expression of a term."""
        return _write(term, self)

    def writes(self, terms: Iterable[t.Term]) -> list[str]:
        """Return the expressions of several terms."""
        return [_write(term, self) for term in terms]

    def checked_by(self, sort: Sort) -> str:
        """Return what marks a map of this sort as checked, so that records need not look at it again."""
        return self.constant(converter(sort.hint)) if isinstance(sort, MapOf) else "None"

    def define(self, name: str, parameters: Iterable[str], body: Iterable[str]) -> Callable[..., Any]:
        """Return the function of these lines."""
        lines = [f"def {name}({', '.join(parameters)}):", *(f"    {line}" for line in body)]
        exec(compile("\n".join(lines), f"<{name}>", "exec"), self.names)  # noqa: S102 - see the module's docstring
        return self.names[name]  # type: ignore[no-any-return]


@functools.singledispatch
def _write(term: t.Term, _writer: Writer) -> str:
    msg = f"no evaluation of {type(term).__name__}"
    raise TypeError(msg)


@_write.register
def _var(term: t.Var, _writer: Writer) -> str:
    return term.name


@_write.register
def _const(term: t.Const, writer: Writer) -> str:
    if term.value is None or isinstance(term.value, bool) or type(term.value) is int:
        return repr(term.value)
    return writer.constant(term.value)


@_write.register
def _get(term: t.Get, writer: Writer) -> str:
    return f"{writer.write(term.record)}.{term.field}"


@_write.register
def _make(term: t.Make, writer: Writer) -> str:
    return f"{writer.constant(term.kind)}({', '.join(writer.writes(term.fields))})"


@_write.register(t.Some)
@_write.register(t.The)
def _same(term: t.Term, writer: Writer) -> str:
    return writer.write(next(t.parts_of(term)))


def _template(kind: type, template: str) -> None:
    """Let the parts of ``kind``, in order, fill the holes of a template."""

    def write(term: t.Term, writer: Writer) -> str:
        return template.format(*writer.writes(t.parts_of(term)))

    _write.register(kind, write)


for _kind, _text in {
    t.Present: "({} is not None)",
    t.Not: "(not {})",
    t.Equal: "({} == {})",
    t.Less: "({} < {})",
    t.Size: "len({})",
    t.Member: "({} in {})",
    t.Increasing: "_increasing({})",
    t.Insert: "({} | {{{}}})",
    t.Discard: "({} - {{{}}})",
    t.Elements: "frozenset({})",
    t.Head: "{}[0]",
    t.Tail: "{}[1:]",
    t.Append: "(*{}, {})",
    t.Minus: "max({} - {}, 0)",
    t.Store: "{}.set({}, {})",
    t.ForAll: "all([{2} for {1} in {0}])",
    t.Exists: "any([{2} for {1} in {0}])",
    t.Sum: "sum([{2} for {1} in {0}])",
}.items():
    _template(_kind, _text)


@_write.register
def _and(term: t.And, writer: Writer) -> str:
    return f"({' and '.join(writer.writes(term.parts)) or 'True'})"


@_write.register
def _or(term: t.Or, writer: Writer) -> str:
    return f"({' or '.join(writer.writes(term.parts)) or 'False'})"


@_write.register
def _if(term: t.If, writer: Writer) -> str:
    condition, then, otherwise = writer.writes((term.condition, term.then, term.otherwise))
    return f"({then} if {condition} else {otherwise})"


@_write.register
def _plus(term: t.Plus, writer: Writer) -> str:
    left, right = writer.writes((term.left, term.right))
    sort = term.sort
    assert isinstance(sort, Natural)
    return f"min({left} + {right}, {sort.maximum})"


@_write.register
def _filter(term: t.Filter, writer: Writer) -> str:
    items, var, condition = writer.writes((term.sequence, term.var, term.condition))
    return f"tuple([{var} for {var} in {items} if {condition}])"


@_write.register
def _at(term: t.At, writer: Writer) -> str:
    items, key = writer.writes((term.map, term.key))
    return f"{items}[{key}]" if term.default is None else f"{items}.get({key}, {writer.write(term.default)})"


@_write.register
def _map_to(term: t.MapTo, writer: Writer) -> str:
    keys, var, value = writer.writes((term.keys, term.var, term.value))
    return f"_map([({var}, {value}) for {var} in dict.fromkeys({keys})], {writer.checked_by(term.sort)})"


@_write.register
def _fix(term: t.Fixpoint, writer: Writer) -> str:
    start, keys, condition, value = writer.writes((term.start, term.keys, term.condition, term.value))
    test = f"lambda {term.map_var.name}, {term.key_var.name}: {condition}"
    return f"_fixpoint({start}, {keys}, {test}, {value}, {writer.checked_by(term.sort)})"


@functools.cache
def function_of(parameters: tuple[t.Var, ...], body: t.Term) -> Callable[..., Any]:
    """Return the Python function of a term whose variables are ``parameters``."""
    writer = Writer()
    return writer.define("function", (var.name for var in parameters), [f"return {writer.write(body)}"])


@attrs.frozen
class Function:
    """A named term of parameters; calling it evaluates the term."""

    name: str
    parameters: tuple[t.Var, ...]
    body: t.Term

    def __call__(self, *arguments: Any) -> Any:
        """Return the value of the term for these arguments."""
        return function_of(self.parameters, self.body)(*arguments)
