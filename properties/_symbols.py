"""Symbols: what stands for a value in formulas; it has the value's shape, and Z3 expressions as leaves.

The functions fold: what is made of constants is a constant, so that a formula of a known state comes to its
value without a solver.
"""

import contextlib
import contextvars
import functools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, TypeAlias

import attrs
import z3  # type: ignore[import-untyped]

Expr: TypeAlias = Any
"""A Z3 expression (the package has no types)."""
Symbol: TypeAlias = Any
"""What stands for a value: an `Expr`, `Option`, `Structure`, `Members`, `Table` or `Row`."""
Predicate: TypeAlias = Callable[[Symbol], Expr]

TRUE: Final = z3.BoolVal(True)  # noqa: FBT003 - the constant itself
FALSE: Final = z3.BoolVal(False)  # noqa: FBT003 - as above


_TRUE: Final = TRUE.ast.value
_FALSE: Final = FALSE.ast.value
_CONTEXT: Final = z3.main_ctx()
_HANDLE: Final = _CONTEXT.ref()
# Z3's classes look at the sort of each operand before they call its library, which looks again: that takes most of
# the time of building a formula.  So what is built most is built by the library's own functions; a wrong sort is an
# error of theirs.


def _asts(parts: Sequence[Expr]) -> Any:
    return (z3.Ast * len(parts))(*(part.ast for part in parts))


def _boolean(ast: Any) -> Expr:
    return z3.BoolRef(ast, _CONTEXT)


def _kind(part: Expr) -> int | None:
    """Return which function an expression applies; None of a quantifier."""
    if isinstance(part, z3.QuantifierRef):
        return None
    return int(z3.Z3_get_decl_kind(_HANDLE, z3.Z3_get_app_decl(_HANDLE, part.ast)))


def sort_of(part: Expr) -> int:
    """Return the identity of an expression's sort."""
    return int(z3.Z3_get_sort(_HANDLE, part.ast).value)


def applied(function: Any, range_: Any, arguments: Sequence[Expr]) -> Expr:
    """Return a function of arguments, whose value is an expression of class ``range_``."""
    return range_(z3.Z3_mk_app(_HANDLE, function.ast, len(arguments), _asts(arguments)), _CONTEXT)


def is_true(part: Expr) -> bool:
    """Whether an expression is the constant; Z3 has each expression once, and asking its API takes far longer."""
    return bool(part.ast.value == _TRUE)


def is_false(part: Expr) -> bool:
    """Whether an expression is the constant."""
    return bool(part.ast.value == _FALSE)


def is_number(part: Expr) -> bool:
    """Whether an expression is a number that is known."""
    return isinstance(part, z3.IntNumRef)


@attrs.frozen(eq=False)
class Option:
    """A value, where ``present`` holds."""

    present: Expr
    item: Symbol


@attrs.frozen(eq=False)
class Structure:
    """A record."""

    fields: Mapping[str, Symbol]


@attrs.frozen(eq=False)
class Members:
    """A set."""

    has: Callable[[Expr], Expr]


@attrs.frozen(eq=False)
class Table:
    """A map; ``at`` means nothing for a key that it has not."""

    has: Callable[[Expr], Expr]
    at: Callable[[Expr], Symbol]


@attrs.frozen(eq=False)
class StoredTable(Table):
    """The map ``base``, in which ``key`` has another value."""

    base: Table
    key: Expr


def stored(base: Table, key: Expr, value: Symbol) -> StoredTable:
    """Return a map in which a key has a value."""
    return StoredTable(
        remembered(lambda each: disj(same(each, key), base.has(each))),
        remembered(lambda each: ite(same(each, key), value, base.at(each))),
        base,
        key,
    )


@attrs.frozen(eq=False)
class Row:
    """A sequence; ``at`` means nothing beyond its size, which is ``bound`` at most, where that is known."""

    length: Callable[[], Expr]
    at: Callable[[Expr], Symbol]
    bound: int | None
    some: Callable[[Predicate], Expr]


@attrs.frozen(eq=False)
class FilteredRow(Row):
    """The items of ``base`` for which ``condition`` holds."""

    base: Row
    condition: Predicate


def conj(*parts: Expr) -> Expr:
    """Return that all parts hold."""
    kept = [part for part in parts if not is_true(part)]
    if any(is_false(part) for part in kept):
        return FALSE
    return _boolean(z3.Z3_mk_and(_HANDLE, len(kept), _asts(kept))) if len(kept) > 1 else kept[0] if kept else TRUE


def disj(*parts: Expr) -> Expr:
    """Return that one of the parts holds."""
    kept = [part for part in parts if not is_false(part)]
    if any(is_true(part) for part in kept):
        return TRUE
    return _boolean(z3.Z3_mk_or(_HANDLE, len(kept), _asts(kept))) if len(kept) > 1 else kept[0] if kept else FALSE


def neg(part: Expr) -> Expr:
    """Return that the part does not hold."""
    if is_true(part) or is_false(part):
        return FALSE if is_true(part) else TRUE
    return part.arg(0) if _kind(part) == z3.Z3_OP_NOT else _boolean(z3.Z3_mk_not(_HANDLE, part.ast))


def implies(condition: Expr, then: Expr) -> Expr:
    """Return that ``then`` holds if ``condition`` does."""
    return disj(neg(condition), then)


def is_value(part: Expr) -> bool:
    if is_number(part) or is_true(part) or is_false(part):
        return True
    return isinstance(part, z3.DatatypeRef) and _kind(part) == z3.Z3_OP_DT_CONSTRUCTOR


def same(left: Expr, right: Expr) -> Expr:
    """That two leaves are equal."""
    if left.ast.value == right.ast.value:
        return TRUE
    known = is_value(right)
    if known and is_value(left):
        return FALSE
    if known and _kind(left) == z3.Z3_OP_ITE:
        # Which of its values a choice has is said of the condition alone: what does not matter drops out.
        condition, then, otherwise = left.children()
        return choice(condition, same(then, right), same(otherwise, right))
    return _boolean(z3.Z3_mk_eq(_HANDLE, left.ast, right.ast))


def choice(condition: Expr, then: Expr, otherwise: Expr) -> Expr:
    """Return that ``then`` holds where the condition does, and ``otherwise`` elsewhere."""
    if then.ast.value == otherwise.ast.value:
        return then
    if is_true(then) or is_false(otherwise):
        return disj(condition, otherwise) if is_true(then) else conj(condition, then)
    if is_false(then) or is_true(otherwise):
        return conj(neg(condition), otherwise) if is_false(then) else disj(neg(condition), then)
    return _either(condition, then, otherwise)


def _either(condition: Expr, then: Expr, otherwise: Expr) -> Expr:
    kind = next(each for each in (z3.BoolRef, z3.ArithRef, type(then)) if isinstance(then, each))
    return kind(z3.Z3_mk_ite(_HANDLE, condition.ast, then.ast, otherwise.ast), _CONTEXT)


def is_same_symbol(left: Symbol, right: Symbol) -> bool:
    """Whether two symbols are the same expressions (of sets, maps and sequences: the same object)."""
    if isinstance(left, Structure):
        return all(is_same_symbol(part, right.fields[name]) for name, part in left.fields.items())
    if isinstance(left, Option):
        return is_same_symbol(left.present, right.present) and is_same_symbol(left.item, right.item)
    return bool(left.eq(right)) if isinstance(left, z3.ExprRef) else left is right


def folded(part: Expr, *operands: Expr) -> Expr:
    return z3.simplify(part) if all(is_number(operand) for operand in operands) else part


def below(left: Expr, right: Expr) -> Expr:
    return folded(left < right, left, right)


def ite(condition: Expr, then: Symbol, otherwise: Symbol) -> Symbol:
    """Return ``then`` where the condition holds, else ``otherwise``; both have the same shape."""
    if is_true(condition) or is_false(condition) or then is otherwise:
        return otherwise if is_false(condition) else then
    choose = functools.partial(ite, condition)
    if isinstance(then, Option):
        return Option(choose(then.present, otherwise.present), choose(then.item, otherwise.item))
    if isinstance(then, Structure):
        return Structure({name: choose(part, otherwise.fields[name]) for name, part in then.fields.items()})
    if isinstance(then, Members):
        return Members(lambda item: choose(then.has(item), otherwise.has(item)))
    if isinstance(then, Table):
        return Table(
            remembered(lambda key: choose(then.has(key), otherwise.has(key))),
            remembered(lambda key: choose(then.at(key), otherwise.at(key))),
        )
    if isinstance(then, Row):
        return _either_row(condition, then, otherwise)
    return then if then.ast.value == otherwise.ast.value else _either(condition, then, otherwise)


def _either_row(condition: Expr, then: Row, otherwise: Row) -> Row:
    known = then.bound is not None and otherwise.bound is not None

    def at(place: Expr) -> Symbol:
        # An empty row has no place at which something stands: there, what the other one has will do.
        if 0 in (then.bound, otherwise.bound):
            return (otherwise if then.bound == 0 else then).at(place)
        return ite(condition, then.at(place), otherwise.at(place))

    return Row(
        lambda: ite(condition, then.length(), otherwise.length()),
        at,
        max(then.bound or 0, otherwise.bound or 0) if known else None,
        lambda wanted: disj(conj(condition, then.some(wanted)), conj(neg(condition), otherwise.some(wanted))),
    )


def remembered(function: Callable[[Expr], Symbol]) -> Callable[[Expr], Symbol]:
    """Return the function with a memory, by the identity of the expression (which it keeps alive)."""
    known: dict[int, tuple[Expr, Symbol]] = {}

    def remember(argument: Expr) -> Symbol:
        key = argument.ast.value
        if key not in known:
            known[key] = argument, function(argument)
        return known[key][1]

    return remember


_BOUND: Final = "?"
_depth: Final = contextvars.ContextVar("depth", default=0)
"""How many bound variables are around what is being built."""


@contextlib.contextmanager
def binding(*sorts: Any, above: Iterable[Expr] = ()) -> Iterator[list[Expr]]:
    """Give variables for the quantifier whose body is built meanwhile.

    They are named by their depth, so that a formula built twice is the same expression; and by a greater one
    than the variables ``above``, which the quantifier closes over as well.
    """
    first = max([_depth.get(), *(int(each.decl().name().removeprefix(_BOUND)) + 1 for each in above)])
    token = _depth.set(first + len(sorts))
    try:
        yield [z3.Const(f"{_BOUND}{first + place}", sort) for place, sort in enumerate(sorts)]
    finally:
        _depth.reset(token)


def bound_in(symbol: Symbol) -> Iterator[Expr]:
    """Iterate over the bound variables in the leaves of a symbol."""
    if isinstance(symbol, Option):
        yield from bound_in(symbol.present)
        yield from bound_in(symbol.item)
    elif isinstance(symbol, Structure):
        for part in symbol.fields.values():
            yield from bound_in(part)
    elif isinstance(symbol, z3.ExprRef):
        yield from _bound_in_leaf(symbol)


def _bound_in_leaf(leaf: Expr) -> Iterator[Expr]:
    seen: set[int] = set()
    left = [leaf]
    while left:
        part = left.pop()
        if part.ast.value in seen:
            continue
        seen.add(part.ast.value)
        parts = part.children()
        if not parts and z3.is_const(part) and part.decl().name().startswith(_BOUND):
            yield part
        left += reversed(parts)


def some_value(sort: Any, condition: Callable[[Expr], Expr], pattern: Callable[[Expr], Expr] | None = None) -> Expr:
    """That the condition holds for a value; a solver that looks for values looks for those in the pattern."""
    with binding(sort) as (variable,):
        body = condition(variable)
    if is_false(body) or is_true(body):
        return body
    return z3.Exists([variable], body, patterns=[] if pattern is None else [pattern(variable)])


def for_all(variables: Iterable[Expr], body: Expr, patterns: Iterable[Expr] = ()) -> Expr:
    listed = list(variables)
    return z3.ForAll(listed, body, patterns=list(patterns)) if listed else body


def some_place(size: Expr, bound: int | None, condition: Callable[[Expr], Expr]) -> Expr:
    """That the condition holds for a place below ``size``."""
    if bound is None:
        return some_value(z3.IntSort(), lambda place: conj(place >= 0, place < size, condition(place)))
    places = [z3.IntVal(place) for place in range(bound)]
    return disj(*(conj(below(place, size), condition(place)) for place in places))


def row(size: Expr, at: Callable[[Expr], Symbol], bound: int | None) -> Row:
    at = remembered(at)
    return Row(lambda: size, at, bound, lambda wanted: some_place(size, bound, lambda place: wanted(at(place))))


def count(flags: Iterable[Expr]) -> Expr:
    total, open_parts = 0, []
    for flag in flags:
        if is_true(flag):
            total += 1
        elif not is_false(flag):
            open_parts.append(z3.If(flag, z3.IntVal(1), z3.IntVal(0)))
    return z3.Sum([z3.IntVal(total), *open_parts]) if open_parts else z3.IntVal(total)
