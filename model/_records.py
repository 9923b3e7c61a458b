"""Records: immutable values whose fields are checked, and which know their JSON form.

One declaration says everything: the annotations of a `record` class are its types, the rules that its
constructor enforces, and its JSON form in both directions.  A field takes either the value itself or the JSON
that stands for it, so reading JSON is nothing but calling the constructor.
"""

import enum
import functools
import operator
import types
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Annotated, Any, Final, TypeAlias, TypeVar, dataclass_transform

import attrs

from mobstore.model._collections import FrozenMap, Log, OrderedTrieMap, SparseList, TrieMap
from mobstore.model._errors import Serialization
from mobstore.model._json import Json, check_text, dump_json, load_json
from mobstore.model._time import Timestamp

T = TypeVar("T")
Convert: TypeAlias = Callable[[Any], Any]

SKIP_NONE: Final = "mobstore.skip_none"
"""Metadata of a field that its JSON form leaves out when it is None."""
REQUIRED: Final = "mobstore.required"
"""Metadata of a field that has a default for callers, but may not be absent from JSON."""


@attrs.frozen
class UnsignedInt:
    """The rule of an unsigned integer of ``bits`` bits."""

    bits: int

    def convert(self, value: Any) -> int:
        """Return ``value`` when it is such an integer."""
        if type(value) is not int or not 0 <= value < 1 << self.bits:
            _refuse(value, f"an unsigned {self.bits}-bit integer")
        return value


U32: TypeAlias = Annotated[int, UnsignedInt(32)]
U64: TypeAlias = Annotated[int, UnsignedInt(64)]


@dataclass_transform(frozen_default=True, field_specifiers=(attrs.field,))
def record(cls: type[T]) -> type[T]:
    """Make ``cls`` a frozen attrs class whose fields are converted and checked by their annotations.

    Without slots: attrs then fills the instance's dict, which takes half the time, and `evolve` can copy it.
    """
    return attrs.frozen(cls, field_transformer=_with_converters, slots=False)


def evolve(value: T, changes: Mapping[str, Any]) -> T:
    """Return a copy of a record with some fields replaced by values that need no check any more."""
    new = object.__new__(type(value))
    object.__setattr__(new, "__dict__", {**value.__dict__, **changes})
    return new


def _with_converters(cls: type, fields: list[Any]) -> list[Any]:
    hints = typing.get_type_hints(cls, include_extras=True)
    return [
        attribute.evolve(converter=_field_converter(attribute.name, hints[attribute.name])) for attribute in fields
    ]


def _field_converter(name: str, hint: Any) -> Convert:
    convert = converter(hint)
    fast = hint if isinstance(hint, type) and hint is not str else None

    def convert_field(value: Any) -> Any:
        if type(value) is fast:
            return value
        try:
            return convert(value)
        except Serialization as error:
            raise error.within(name) from None

    return convert_field


def _refuse(value: object, wanted: str) -> typing.NoReturn:
    raise Serialization(f": {_shown(value)} is not {wanted}")


def _shown(value: object) -> str:
    """A value that people can recognise; collections only by their type, for they may hold secrets."""
    if value is None or isinstance(value, (str, int, float)):
        text = repr(value)
        return text if len(text) <= 80 else f"{text[:77]}..."
    return f"a {type(value).__name__}"


@functools.cache
def converter(hint: Any) -> Convert:
    """Return the function that turns a value, or its JSON, into what ``hint`` describes.

    The function raises `Serialization` with the path to what is at fault and the rule it breaks.
    """
    if isinstance(hint, typing.NewType):
        return converter(hint.__supertype__)
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is Annotated:
        return arguments[1].convert  # type: ignore[no-any-return]
    if origin in (typing.Union, types.UnionType):
        return _union_converter(arguments)
    if origin is not None:
        return _GENERIC[origin](*arguments)
    if hint in _PLAIN:
        return _PLAIN[hint]
    if issubclass(hint, enum.Enum):
        return _enum_converter(hint)
    if issubclass(hint, Log):
        return _sequence_converter(hint, hint.item)
    if issubclass(hint, SparseList):
        return _sparse_converter(hint, hint.item)
    if hasattr(hint, "of"):
        return hint.of  # type: ignore[no-any-return]
    return functools.partial(from_json, hint)


def _text(value: Any) -> str:
    if type(value) is not str and not isinstance(value, str):
        _refuse(value, "a string")
    if not value.isascii():
        check_text(value)
    return value


def _bool(value: Any) -> bool:
    if type(value) is not bool:
        _refuse(value, "a boolean")
    return value


def _none(value: Any) -> None:
    if value is not None:
        _refuse(value, "null")


_PLAIN: dict[Any, Convert] = {str: _text, bool: _bool, types.NoneType: _none}


def _enum_converter(kind: type[enum.Enum]) -> Convert:
    members = {member.value: member for member in kind}

    def convert(value: Any) -> Any:
        member = members.get(value) if isinstance(value, str) else None
        if member is None:
            _refuse(value, f"one of {', '.join(members)}")
        return member

    return convert


def _union_converter(options: tuple[Any, ...]) -> Convert:
    some = [option for option in options if option is not types.NoneType]
    if len(some) == len(options):
        return _tagged_converter(options)
    convert = converter(some[0]) if len(some) == 1 else _tagged_converter(tuple(some))

    def convert_optional(value: Any) -> Any:
        return None if value is None else convert(value)

    return convert_optional


def _tagged_converter(options: tuple[Any, ...]) -> Convert:
    """A union of records: each says itself whether JSON is its own (``matches_json``), and reads it."""

    def convert(value: Any) -> Any:
        if isinstance(value, options):
            return value
        for option in options:
            if option.matches_json(value):
                return option.read_json(value)
        return _refuse(value, f"one of {', '.join(option.__name__ for option in options)}")

    return convert


def _items(value: Any, convert: Convert) -> list[Any]:
    if isinstance(value, (str, Mapping)) or not isinstance(value, Iterable):
        _refuse(value, "a list")
    items = value if type(value) in (list, tuple) else list(value)
    try:
        return [convert(item) for item in items]
    except Serialization as error:
        raise _placed(error, convert, ((f"[{place}]", item) for place, item in enumerate(items))) from None


def _entries(value: Any, convert_key: Convert, convert: Convert) -> list[tuple[Any, Any]]:
    if not isinstance(value, Mapping):
        _refuse(value, "an object")
    try:
        return [(convert_key(key), convert(item)) for key, item in value.items()]
    except Serialization as error:
        convert_both = functools.partial(_entry, convert_key, convert)
        raise _placed(error, convert_both, ((f"[{_shown(item[0])}]", item) for item in value.items())) from None


def _entry(convert_key: Convert, convert: Convert, item: tuple[Any, Any]) -> None:
    convert_key(item[0])
    convert(item[1])


def _placed(error: Serialization, convert: Convert, items: Iterable[tuple[str, Any]]) -> Serialization:
    """Return the error of the first item that is at fault, with its place, which costs nothing where none is."""
    for place, item in items:
        try:
            convert(item)
        except Serialization as found:
            return found.within(place)
    return error


def _tuple_converter(*hints: Any) -> Convert:
    if hints[-1] is not Ellipsis:
        return functools.partial(_fixed_tuple, tuple(converter(hint) for hint in hints))
    convert = converter(hints[0])

    def convert_tuple(value: Any) -> tuple[Any, ...]:
        return tuple(_items(value, convert))

    return convert_tuple


def _fixed_tuple(converters: tuple[Convert, ...], value: Any) -> tuple[Any, ...]:
    if isinstance(value, str) or not isinstance(value, Sequence) or len(value) != len(converters):
        _refuse(value, f"a list of {len(converters)}")
    return tuple(convert(item) for convert, item in zip(converters, value, strict=True))


def _frozenset_converter(hint: Any) -> Convert:
    convert = converter(hint)

    def convert_set(value: Any) -> frozenset[Any]:
        return frozenset(_items(value, convert))

    return convert_set


def _frozen_map_converter(key: Any, item: Any) -> Convert:
    convert_key, convert_item = converter(key), converter(item)

    def convert(value: Any) -> FrozenMap[Any, Any]:
        if type(value) is FrozenMap and value.checked_by is convert:
            return value
        return FrozenMap(_entries(value, convert_key, convert_item), convert)

    return convert


def _trie_map_converter(kind: type, key: Any, item: Any) -> Convert:
    convert_key, convert_item = converter(key), converter(item)

    def convert(value: Any) -> Any:
        return value if type(value) is kind else kind(_entries(value, convert_key, convert_item))

    return convert


def _sequence_converter(kind: type, item: Any) -> Convert:
    convert_item = converter(item)

    def convert(value: Any) -> Any:
        return value if type(value) is kind else kind(_items(value, convert_item))

    return convert


def _sparse_converter(kind: type, item: Any) -> Convert:
    """A sparse list is made from a list, or from a mapping of the places that were written."""
    convert_dense, convert_item = _sequence_converter(kind, item), converter(item)

    def convert(value: Any) -> Any:
        if type(value) is list:
            # Mostly holes, and perhaps a million of them: what counts is what was written, and the length.
            last = len(value) - 1
            value = {place: each for place, each in enumerate(value) if each != {} or place == last}
        if not isinstance(value, Mapping):
            return convert_dense(value)
        return kind(dict(_entries(value, _place, convert_item)))

    return convert


def _place(value: Any) -> int:
    if type(value) is not int or value < 0:
        _refuse(value, "a place in a list")
    return value


_GENERIC: dict[Any, Callable[..., Convert]] = {
    tuple: _tuple_converter,
    frozenset: _frozenset_converter,
    FrozenMap: _frozen_map_converter,
    TrieMap: functools.partial(_trie_map_converter, TrieMap),
    OrderedTrieMap: functools.partial(_trie_map_converter, OrderedTrieMap),
}


def from_json(cls: type[T], value: Any) -> T:
    """Build a record from the JSON object that stands for it (or return the record that it already is).

    Raises:
        Serialization: a field is missing, unknown, or breaks its rule; the message has the path to it.
    """
    if isinstance(value, cls):
        return value
    if not isinstance(value, Mapping):
        _refuse(value, f"a {cls.__name__}")
    absent: dict[str, Any] = _absent_values(cls)  # type: ignore[arg-type]
    for name in value:
        if name not in absent:
            raise Serialization(f": {cls.__name__} has no field {_shown(name)}")
    fields = {name: value.get(name, default) for name, default in absent.items()}
    missing = [name for name, item in fields.items() if item is attrs.NOTHING]
    if missing:
        raise Serialization(f": {cls.__name__} needs the field {missing[0]!r}")
    return cls(**fields)


@functools.cache
def _absent_values(cls: Any) -> dict[str, Any]:
    """What each field is when JSON does not have it; `attrs.NOTHING` when it must have it.

    A field that may be null may also be absent: so the original reads it.
    """
    hints = typing.get_type_hints(cls, include_extras=True)
    return {attribute.name: _absent_value(attribute, hints[attribute.name]) for attribute in attrs.fields(cls)}


def _absent_value(attribute: Any, hint: Any) -> Any:
    if attribute.default is not attrs.NOTHING and REQUIRED not in attribute.metadata:
        return attribute.default
    return None if types.NoneType in typing.get_args(hint) else attrs.NOTHING


def to_json(value: Any) -> Any:
    """Return the plain JSON value (dicts, lists, strings, numbers) that stands for a value of the model."""
    return _WRITERS[type(value)](value)


def _writer(kind: type) -> Convert:
    """Return the function that turns values of one type into plain JSON."""
    if issubclass(kind, enum.Enum):
        return operator.attrgetter("value")
    if issubclass(kind, (str, Timestamp)):
        return str
    if kind is types.NoneType or issubclass(kind, int):
        return _same
    if issubclass(kind, Json):
        return operator.attrgetter("value")
    if issubclass(kind, bytes):
        return list
    if issubclass(kind, Mapping):
        return _mapping_json
    if issubclass(kind, frozenset):
        return sorted
    if issubclass(kind, SparseList):
        return _sparse_json
    if issubclass(kind, Sequence):
        return _list_json
    return operator.methodcaller("to_json") if hasattr(kind, "to_json") else fields_to_json


class _Writers(dict[type, Convert]):
    def __missing__(self, kind: type) -> Convert:
        self[kind] = _writer(kind)
        return self[kind]


_WRITERS: Final = _Writers()
"""What turns values of each type into plain JSON, found out when the first one is met."""


def _same(value: Any) -> Any:
    return value


def _mapping_json(value: Mapping[Any, Any]) -> dict[Any, Any]:
    return {key: _WRITERS[type(item)](item) for key, item in value.items()}


def _list_json(value: Sequence[Any]) -> list[Any]:
    return [_WRITERS[type(item)](item) for item in value]


def _sparse_json(value: SparseList[Any]) -> list[Any]:
    filled: list[Any] = [{} for _ in range(len(value))]
    for place, item in value.written():
        filled[place] = to_json(item)
    return filled


def fields_to_json(value: Any) -> dict[str, Any]:
    """Return the JSON object of a record's fields, in their order."""
    result = {}
    for attribute in attrs.fields(type(value)):
        item = getattr(value, attribute.name)
        if item is not None or not attribute.metadata.get(SKIP_NONE):
            result[attribute.name] = to_json(item)
    return result


def to_text(value: Any) -> str:
    """Return the compact JSON text of a value, byte for byte what the original writes."""
    return dump_json(to_json(value))


def from_text(hint: Any, text: str) -> Any:
    """Read JSON text as what ``hint`` describes.

    Raises:
        Serialization: the text is not JSON, or not such a value.
    """
    return converter(hint)(load_json(text))
