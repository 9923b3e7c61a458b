"""JSON as the stores keep it: exact, bounded, and printed as the original prints it (contract, section 2)."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final, NoReturn, Self, TypeAlias

import attrs

from mobstore.model._errors import Serialization

MAX_DEPTH: Final = 100
"""Containers inside one another that a document may have (contract, section 9)."""

JsonValue: TypeAlias = "bool | int | float | str | Sequence[JsonValue] | Mapping[str, JsonValue] | None"
"""What Python's ``json`` module reads; integers fit in 64 bits, floats are finite, keys are strings."""

_MIN_INT: Final = -(2**63)
_MAX_INT: Final = 2**64 - 1
_EXPONENT: Final = re.compile(r"\de[+-]\d")
_STRING_OR_EXPONENT: Final = re.compile(r'"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?e[+-]\d+')


def dump_json(value: object) -> str:
    """Return compact JSON text of plain values, in their order, with floats as the original prints them.

    Sets print as sorted lists.  The value is not checked: `check_json` does that.
    """
    text = _ENCODER.encode(value)
    if ("e+" in text or "e-" in text) and _EXPONENT.search(text):
        return _STRING_OR_EXPONENT.sub(_reprint, text)
    return text


def _reprint(match: re.Match[str]) -> str:
    token = match[0]
    return token if token[0] == '"' else print_float(float(token))


def print_float(value: float) -> str:
    """Return the shortest text that reads back as ``value``, laid out as Rust's ``ryu`` lays it out."""
    mantissa, _, exponent = repr(value).partition("e")
    if not exponent:
        return mantissa
    power = int(exponent)
    if power == -5:
        # Python turns to exponents below 1e-4, ryu below 1e-5.
        sign = "-" if mantissa[0] == "-" else ""
        return f"{sign}0.0000{mantissa.lstrip('-').replace('.', '')}"
    return f"{mantissa}e{power}"


def load_json(text: str) -> Any:
    """Read JSON text strictly: no NaN or infinity, bounded depth, 64-bit integers, finite floats.

    Raises:
        Serialization: the text is not such JSON.
    """
    try:
        value = _DECODER.decode(text)
    except RecursionError:
        raise Serialization(f": nested deeper than {MAX_DEPTH}") from None
    except ValueError as error:
        raise Serialization(f": not JSON: {error}") from None
    return value


def _refuse_constant(name: str) -> NoReturn:
    raise Serialization(f": {name} does not exist in JSON")


# Made once: with arguments of its own, each `json.dumps` and `json.loads` makes another.
_ENCODER: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False, default=sorted)
_DECODER: Final = json.JSONDecoder(parse_constant=_refuse_constant)


def check_json(value: object, depth: int = 0) -> None:
    """Refuse what is not JSON, or would not come back as it went in.

    Raises:
        Serialization: names the value and the rule it breaks.
    """
    kind = type(value)
    if kind is str:
        check_text(value)  # type: ignore[arg-type]
    elif kind is int:
        if not _MIN_INT <= value <= _MAX_INT:  # type: ignore[operator]
            raise Serialization(": an integer outside of 64 bits has no exact JSON number")
    elif kind is float:
        if not math.isfinite(value):  # type: ignore[arg-type]
            raise Serialization(f": {value!r} does not exist in JSON")
    elif value is None or kind is bool:
        return
    elif depth == MAX_DEPTH:
        raise Serialization(f": nested deeper than {MAX_DEPTH}")
    elif isinstance(value, Mapping):
        for key, item in value.items():
            if type(key) is not str:
                raise Serialization(f": the object key {key!r} is not a string")
            check_text(key)
            check_json(item, depth + 1)
    elif isinstance(value, (list, tuple)):
        for item in value:
            check_json(item, depth + 1)
    else:
        raise Serialization(f": a {kind.__name__} is not a JSON value")


def check_text(text: str) -> None:
    """Refuse text that UTF-8 cannot carry.

    Raises:
        Serialization: the text has a lone surrogate.
    """
    if text.isascii():
        return
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise Serialization(f": {text[:40]!r} has a lone surrogate at {error.start}: not UTF-8") from None


@attrs.frozen(eq=False, repr=False)
class Json:
    """A JSON value as immutable text.  Two are equal when their JSON values are: key order never matters.

    An integer and a float are different values, and so are ``0.0`` and ``-0.0``: nothing is lost.
    """

    text: str

    @classmethod
    def of(cls, value: Json | JsonValue) -> Self:
        """Return ``value`` checked and as text.

        Raises:
            Serialization: it is not JSON, or is nested deeper than 100.
        """
        if type(value) is cls:
            return value
        plain = value.value if isinstance(value, Json) else value
        check_json(plain)
        return cls._from_checked(plain)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read JSON text, under the same rules as `of`."""
        return cls.of(load_json(text))

    @classmethod
    def _from_checked(cls, plain: object) -> Self:
        return cls(dump_json(plain))

    @property
    def value(self) -> Any:
        """The JSON value, as fresh lists and dicts that are the caller's own."""
        return json.loads(self.text)

    @property
    def canonical(self) -> str:
        """The text with the keys of every object in order."""
        return dump_json(sort_keys(json.loads(self.text)))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Json):
            return NotImplemented
        return self.text == other.text or self.canonical == other.canonical

    def __hash__(self) -> int:
        return hash(self.canonical)

    def __repr__(self) -> str:
        return f"{type(self).__name__}.of({self.value!r})"


class Document(Json):
    """JSON that the store keeps as given: a definition, a profile, an event's kind, a member reference."""


class Payload(Json):
    """JSON that the original keeps with sorted keys: parameters, outputs, error reports."""

    @classmethod
    def _from_checked(cls, plain: object) -> Self:
        return cls(dump_json(sort_keys(plain)))

    @property
    def canonical(self) -> str:
        """The text itself: its keys are in order."""
        return self.text


def sort_keys(value: Any) -> Any:
    """Return plain JSON with the keys of every object in order."""
    if type(value) in _SCALARS:
        return value
    if isinstance(value, Mapping):
        return {key: sort_keys(value[key]) for key in sorted(value)}
    if isinstance(value, (list, tuple)):
        return [sort_keys(item) for item in value]
    return value


_SCALARS: Final = frozenset((str, int, float, bool, type(None)))
