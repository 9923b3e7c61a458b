"""Sorts: what kind of value a term stands for, read from the annotations of the records."""

import enum
import functools
import types
import typing
from collections.abc import Mapping
from typing import Annotated, Any, Final

import attrs

from mobstore.model._collections import FrozenMap, Log, OrderedTrieMap, TrieMap
from mobstore.model._records import UnsignedInt


@attrs.frozen
class Sort:
    """What kind of value a term stands for; sorts are equal when they mean the same values."""


@attrs.frozen
class Boolean(Sort):
    """True and False."""


@attrs.frozen
class Natural(Sort):
    """The integers from 0 to 2**bits - 1; addition and subtraction stop at these ends."""

    bits: int

    @property
    def maximum(self) -> int:
        """The greatest of them."""
        return (1 << self.bits) - 1


@attrs.frozen
class Opaque(Sort):
    """Values that are only compared: ids (ordered, as text), keys, times."""

    name: str


@attrs.frozen
class Enumeration(Sort):
    """The members of an enumeration."""

    kind: type[enum.Enum]


@attrs.frozen
class Optional(Sort):
    """A value of a sort, or nothing."""

    item: Sort


@attrs.frozen
class SequenceOf(Sort):
    """Finite sequences."""

    item: Sort


@attrs.frozen
class SetOf(Sort):
    """Finite sets."""

    item: Sort


@attrs.frozen
class MapOf(Sort):
    """Finite maps; ``hint`` is the annotation of the field they were read from."""

    key: Sort
    item: Sort
    hint: Any = attrs.field(eq=False, repr=False)


@attrs.frozen
class Record(Sort):
    """The instances of a record class."""

    kind: type

    @property
    def fields(self) -> Mapping[str, Sort]:
        """The sort of each field, in order."""
        return _fields(self.kind)


BOOLEAN: Final = Boolean()


@functools.cache
def _fields(kind: type) -> Mapping[str, Sort]:
    hints = typing.get_type_hints(kind, include_extras=True)
    return types.MappingProxyType({field.name: sort_of(hints[field.name]) for field in attrs.fields(kind)})


@functools.cache
def sort_of(hint: Any) -> Sort:
    """Return the sort of the values that an annotation describes.

    Raises:
        TypeError: no sort stands for it; a bare class that is no record is `Opaque`.
    """
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is Annotated:
        rule = arguments[1]
        return Natural(rule.bits) if isinstance(rule, UnsignedInt) else Natural(32)
    if origin in (typing.Union, types.UnionType):
        return _optional(arguments)
    if origin is tuple and arguments[1:] == (...,):
        return SequenceOf(sort_of(arguments[0]))
    if origin is frozenset:
        return SetOf(sort_of(arguments[0]))
    if origin in (FrozenMap, TrieMap, OrderedTrieMap):
        return MapOf(sort_of(arguments[0]), sort_of(arguments[1]), hint)
    if isinstance(hint, type):
        return _plain(hint)
    msg = f"no sort stands for {hint!r}"
    raise TypeError(msg)


def _optional(options: tuple[Any, ...]) -> Sort:
    some = [option for option in options if option is not types.NoneType]
    if len(some) == len(options):
        return Opaque("|".join(option.__name__ for option in some))
    return Optional(sort_of(some[0]) if len(some) == 1 else _optional(tuple(some)))


def _plain(hint: type) -> Sort:
    if hint is bool:
        return BOOLEAN
    if issubclass(hint, Log):
        return SequenceOf(sort_of(hint.item))
    if issubclass(hint, enum.Enum):
        return Enumeration(hint)
    if attrs.has(hint) and not hasattr(hint, "of"):
        return Record(hint)
    return Opaque(hint.__name__)
