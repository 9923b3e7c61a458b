"""The JSON Schema of the wire's messages, made from the calls and from the annotations of the records.

What a schema cannot say stands in its descriptions: that a set is sorted, how deep JSON may be nested, which
numbers a document may hold.  The annotations say it all; who reads a message converts by them.
"""

from __future__ import annotations

import enum
import functools
import json
import types
import typing
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Final, TypeAlias

import attrs

from mobstore.backends.capabilities import ALLOWED
from mobstore.backends.wire import protocol
from mobstore.model import (
    KINDS,
    MAX_DEPTH,
    Document,
    FrozenMap,
    Log,
    OrderedTrieMap,
    Payload,
    RunId,
    SecretKey,
    SparseList,
    Timestamp,
    TrieMap,
)
from mobstore.model._records import SKIP_NONE, UnsignedInt
from mobstore.model.values import (
    KEY_BYTES,
    PROTOCOL_VERSION,
    BootstrapToken,
    FlowAuthorityInput,
    OtherMachineInput,
    OverlayNormalized,
)

Schema: TypeAlias = dict[str, Any]

_UUID: Final = "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"
_TIME: Final = r"^[+-]?\d{4,6}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3}(\d{3}(\d{3})?)?)?Z$"
_ANY_JSON: Final = f"any JSON nested at most {MAX_DEPTH} deep, whose integers fit in 64 bits; kept as a value"

_PLAIN: Final[Mapping[Any, Schema]] = {
    str: {"type": "string"},
    bool: {"type": "boolean"},
    types.NoneType: {"type": "null"},
    RunId: {"type": "string", "pattern": _UUID},
    Timestamp: {"type": "string", "pattern": _TIME, "description": "UTC; 0, 3, 6 or 9 digits of fraction"},
    SecretKey: {
        "type": "array",
        "items": {"type": "integer", "minimum": 0, "maximum": 255},
        "minItems": KEY_BYTES,
        "maxItems": KEY_BYTES,
    },
    BootstrapToken: {"type": "string"},
    Document: {"description": _ANY_JSON},
    Payload: {"description": f"{_ANY_JSON}, with the keys of every object in order"},
}


class _Definitions:
    """The schemas of the records, each of which stands once under ``$defs``."""

    def __init__(self) -> None:
        self.made: dict[str, Schema] = {}

    def of(self, hint: Any) -> Schema:
        """Return the schema of what an annotation describes."""
        origin, arguments = typing.get_origin(hint), typing.get_args(hint)
        if origin is Annotated:
            return _annotated(arguments[1])
        if origin in (typing.Union, types.UnionType):
            return {"anyOf": [self.of(option) for option in arguments]}
        if origin is not None:
            return _GENERIC[origin](self, *arguments)
        if hint in _PLAIN:
            return _PLAIN[hint]
        if issubclass(hint, (Log, SparseList)):
            return {"type": "array", "items": self.of(hint.item)}
        return self._named(hint.__name__, functools.partial(self._class, hint))

    def _named(self, name: str, make: Callable[[], Schema]) -> Schema:
        if name not in self.made:
            self.made[name] = {}  # a record may hold another of its own kind
            self.made[name] = make()
        return {"$ref": f"#/$defs/{name}"}

    def _class(self, kind: Any) -> Schema:
        if issubclass(kind, enum.Enum):
            return {"enum": [member.value for member in kind]}
        if kind is OverlayNormalized:
            return {"const": OverlayNormalized().to_json()}
        if kind is OtherMachineInput:
            others = {"not": {"enum": [item.__name__ for item in typing.get_args(FlowAuthorityInput)]}}
            fields = self.fields(kind)
            return {**fields, "properties": {**fields["properties"], "input": {"type": "string", **others}}}
        if hasattr(kind, "input"):
            return _object({"input": {"const": kind.__name__}, "payload": self.fields(kind)})
        if hasattr(kind, "matches_json"):
            return _object({kind.__name__.removeprefix("Overlay"): self.fields(kind)})
        return self.fields(kind)

    def fields(self, kind: Any) -> Schema:
        """Return the schema of the object of a record's fields."""
        hints = typing.get_type_hints(kind, include_extras=True)
        fields = {field.name: self._field(field, hints[field.name]) for field in attrs.fields(kind)}
        skipped = [field.name for field in attrs.fields(kind) if field.metadata.get(SKIP_NONE)]
        return _object(fields, optional=skipped)

    def _field(self, field: Any, hint: Any) -> Schema:
        if ALLOWED in field.metadata:
            return {"type": "array", "items": {"enum": list(field.metadata[ALLOWED])}, "uniqueItems": True}
        return self.of(hint)

    def tuple_of(self, *items: Any) -> Schema:
        """Return the schema of a tuple."""
        if items[-1] is Ellipsis:
            return {"type": "array", "items": self.of(items[0])}
        length = len(items)
        each = [self.of(item) for item in items]
        return {"type": "array", "prefixItems": each, "minItems": length, "maxItems": length}

    def set_of(self, item: Any) -> Schema:
        """Return the schema of a set, which is a sorted list."""
        return {"type": "array", "items": self.of(item), "uniqueItems": True, "description": "sorted"}

    def map_of(self, _key: Any, item: Any) -> Schema:
        """Return the schema of a mapping from strings, sorted by its keys."""
        return {"type": "object", "additionalProperties": self.of(item)}

    def ordered_map_of(self, _key: Any, item: Any) -> Schema:
        """Return the schema of a mapping whose order counts."""
        schema = self.map_of(_key, item)
        return {**schema, "description": "in the order in which the keys were first put, whatever they look like"}


_GENERIC: Final[Mapping[Any, Callable[..., Schema]]] = {
    tuple: _Definitions.tuple_of,
    frozenset: _Definitions.set_of,
    FrozenMap: _Definitions.map_of,
    TrieMap: _Definitions.map_of,
    OrderedTrieMap: _Definitions.ordered_map_of,
}


def _annotated(rule: Any) -> Schema:
    if isinstance(rule, UnsignedInt):
        return {"type": "integer", "minimum": 0, "maximum": 2**rule.bits - 1}
    return {"const": PROTOCOL_VERSION}


def _object(properties: Schema, optional: list[str] | None = None) -> Schema:
    required = [name for name in properties if name not in (optional or ())]
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def schema() -> Schema:
    """Return the schema; a message is valid by ``#/$defs/request``, ``/answer`` or ``/error``.

    The answer to one call is valid by ``#/$defs/STORE.OP``, which describes what stands under ``ok``.
    """
    definitions = _Definitions()
    id = {"type": "integer", "minimum": 0}
    requests, answers = [], {}
    for call in protocol.CALLS.values():
        arguments = _object({}) if not attrs.fields(call.arguments) else definitions.fields(call.arguments)
        names = {"store": {"const": call.store}, "op": {"const": call.op}}
        handle = {"type": "integer", "minimum": 0, "maximum": 2**32 - 1}
        requests.append(_object({"id": id, **names, "handle": handle, "args": arguments}, ["handle"]))
        answers[str(call)] = definitions.of(types.NoneType if call.answer is None else call.answer)
    errors = [
        _object(
            {
                "kind": {"const": kind.kind},
                "message": {"type": "string"},
                **{name: definitions.of(hint) for name, hint in protocol.error_fields(kind).items()},
            }
        )
        for kind in KINDS.values()
    ]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"The wire of mobstore, version {protocol.VERSION}",
        "description": "Made from the operations by `mobstore.properties.generate`: do not edit. wire.md explains.",
        "anyOf": [{"$ref": f"#/$defs/{name}"} for name in ("request", "answer", "error")],
        "$defs": {
            "request": {"oneOf": requests},
            "answer": _object({"id": id, "ok": {"description": "the answer of the call: see STORE.OP"}}),
            "error": _object({"id": {"anyOf": [id, {"type": "null"}]}, "err": {"oneOf": errors}}),
            **answers,
            **dict(sorted(definitions.made.items())),
        },
    }


def schema_text() -> str:
    """Return the schema as the text that is published."""
    return json.dumps(schema(), indent=1, ensure_ascii=False) + "\n"
