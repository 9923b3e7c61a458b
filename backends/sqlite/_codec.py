"""Between values and the text in the file's columns."""

from __future__ import annotations

import functools
import json
import types
import typing
from collections.abc import Callable
from enum import Enum
from typing import Annotated, Any, Final, TypeVar

import attrs

from mobstore.model import (
    ExternalBindingOverlayRecord,
    FrozenMap,
    ReadFailed,
    Serialization,
    SupervisorAuthorityRecord,
    from_text,
    to_text,
)

T = TypeVar("T")


def _plain(value: Any) -> Any:
    return sorted(value) if type(value) is frozenset else value.__dict__


_encode_plain: Final[Callable[[Any], str]] = json.JSONEncoder(
    ensure_ascii=False, separators=(",", ":"), allow_nan=False, check_circular=False, default=_plain
).encode


def encode(value: Any) -> str:
    """Return what `to_text` returns; a snapshot in a fifth of the time.

    A record that holds nothing but strings, integers, booleans and collections of them has in its ``__dict__``
    what the C encoder takes as it is.
    """
    kind: Any = type(value)
    return _encoder(kind)(value)


@functools.cache
def _encoder(cls: Any) -> Callable[[Any], str]:
    return _encode_plain if attrs.has(cls) and _is_plain(cls) else to_text


@functools.cache
def _is_plain(hint: Any) -> bool:
    """Whether values of this type are, or are records of, what JSON has; floats are not: they print otherwise."""
    origin = typing.get_origin(hint)
    if origin is Annotated:
        return _is_plain(hint.__origin__)
    if origin in (typing.Union, types.UnionType, tuple, frozenset, FrozenMap):
        return all(_is_plain(argument) for argument in typing.get_args(hint) if argument is not Ellipsis)
    if hint in (str, int, bool, types.NoneType):
        return True
    if not isinstance(hint, type) or hasattr(hint, "to_json") or "__slots__" in vars(hint):
        return False
    if issubclass(hint, (str, Enum)):
        return issubclass(hint, str)
    return attrs.has(hint) and all(
        _is_plain(typing.get_type_hints(hint, include_extras=True)[field.name]) and not field.metadata
        for field in attrs.fields(hint)
    )


class Texts:
    """The texts of records that a caller may hand back: what it read or wrote last, known by identity.

    Bounded; the records are held, so that an identity cannot pass to another one.
    """

    __slots__ = ("_held",)

    limit: Final = 256

    def __init__(self) -> None:
        self._held: dict[int, tuple[Any, str]] = {}

    def of(self, value: Any) -> str:
        """Return the text of a record."""
        held = self._held.get(id(value))
        if held is not None:
            return held[1]
        text = encode(value)
        self.remember(value, text)
        return text

    def remember(self, value: Any, text: str) -> None:
        """Keep the text from which a record was read."""
        held = self._held
        held[id(value)] = (value, text)
        if len(held) > self.limit:
            del held[next(iter(held))]


def read_secret(hint: Any, text: str) -> Any:
    """Read the text of a record that holds secrets.

    Raises:
        Serialization: it is not such a record; tells the path and the rule as far as no value stands in it.
    """
    try:
        return from_text(hint, text)
    except Serialization as error:
        detail = error.detail
    if "'" in detail or '"' in detail:
        path, _, rule = detail.partition(": ")
        detail = (
            f"{path}: {'not JSON' if rule.startswith('not JSON') else 'breaks its rule'} (the value is not shown)"
        )
    raise Serialization(detail)


_SECRET: Final = (SupervisorAuthorityRecord, ExternalBindingOverlayRecord)


def decode(hint: Any, text: str, shown: str, place: str) -> Any:
    """Read the text of a column.

    Raises:
        ReadFailed: it is not such a value; names the file ``shown``, the ``place`` in it, and the rule.
    """
    try:
        return read_secret(hint, text) if hint in _SECRET else from_text(hint, text)
    except Serialization as error:
        raise unreadable(shown, place, error) from None


def unreadable(shown: str, place: str, error: Serialization) -> ReadFailed:
    """Return the error for a row that breaks a rule of the contract."""
    return ReadFailed(f"{shown}: {place}{'' if error.detail[:1] in ':[' else '.'}{error.detail}")
