"""The messages of the wire: JSON lines, a request a line and an answer a line (``specs/wire.md``).

    {"id": 1, "store": "run", "op": "get_run", "args": {"run_id": "..."}}
    {"id": 1, "ok": null}

`CALLS` is the table of every call that may be made: the operations of the five stores as they are, what a
subscription is asked, and the calls that control the program itself.  Reading a message is checking it: its
parts are converted by the annotations of the very records that they stand for, from which the published schema
is made as well.
"""

from __future__ import annotations

import functools
import re
import types
import typing
from collections.abc import Iterable, Mapping
from typing import Any, Final

import attrs

from mobstore.backends.capabilities import Capabilities
from mobstore.model import (
    KINDS,
    OPERATIONS,
    Document,
    FlowRunState,
    FrameSnapshot,
    LoopSnapshot,
    MobEvent,
    MobRun,
    MobStoreError,
    Serialization,
    Timestamp,
    converter,
    from_json,
    to_json,
    to_text,
)
from mobstore.model._json import dump_json, load_json
from mobstore.model._records import U32, U64, record

VERSION: Final = 1
"""The version of the protocol, which both sides say in ``control hello``."""


@record
class Drain:
    """Ask a subscription for what has come; wait at most ``wait_ms`` milliseconds for the first event."""

    subscription: U64
    wait_ms: U32


@record
class Drained:
    """The events that came, in order, after ``lagged`` older ones that were missed."""

    events: tuple[MobEvent, ...]
    lagged: U64


@record
class Hello:
    """Begin to speak: the version of the protocol that the suite speaks."""

    protocol: U32


@record
class Greeting:
    """What a program is: the version that it speaks, its name, what it does not do, what it can do beside calls.

    Attributes:
        clock: it takes ``control clock``.
        crash: it takes ``control crash``, and keeps what it answered.
        handles: requests may name a ``handle``, each of which is a way of its own to the same storage.
    """

    protocol: U32
    name: str
    capabilities: Capabilities = Capabilities()
    clock: bool = False
    crash: bool = False
    handles: bool = False


@record
class Reset:
    """Empty the storage: what was there before is gone, subscriptions included."""


@record
class Reopen:
    """Drop the handle and open the same storage again."""


@record
class Crash:
    """Die without closing anything, as when the process is killed; then recover, or end and be started again."""


@record
class Clock:
    """From now on the store's own time stands at ``now``."""

    now: Timestamp


@attrs.frozen(eq=False)
class Call:
    """A call of the table: the record of its arguments, and what its answer is (an annotation)."""

    store: str
    op: str
    arguments: type[Any]
    answer: Any

    def read_answer(self, value: Any) -> Any:
        """Return the answer that plain JSON stands for; raises `Serialization` when it stands for none."""
        hint: Any = types.NoneType if self.answer is None else self.answer
        return converter(hint)(value)

    def __str__(self) -> str:
        return f"{self.store}.{self.op}"


# A number that is answered is one that is counted with: a cursor, a revision, how many.
_COUNTED: Final[Mapping[Any, Any]] = {
    int: U64,
    int | None: U64 | None,
    tuple[Document, int] | None: tuple[Document, U64] | None,
}

CALLS: Final[Mapping[tuple[str, str], Call]] = {
    (call.store, call.op): call
    for call in (
        *(
            Call(store, op, operation, _COUNTED.get(operation.answer, operation.answer))
            for (store, op), operation in OPERATIONS.items()
        ),
        Call("event", "drain", Drain, Drained),
        Call("control", "hello", Hello, Greeting),
        Call("control", "reset", Reset, None),
        Call("control", "reopen", Reopen, None),
        Call("control", "crash", Crash, None),
        Call("control", "clock", Clock, None),
    )
}
"""Every call by (store, op)."""

_BY_ARGUMENTS: Final[Mapping[type[Any], Call]] = {call.arguments: call for call in CALLS.values()}


def call_of(arguments: Any) -> Call:
    """Return the call whose arguments these are."""
    return _BY_ARGUMENTS[type(arguments)]


class ProtocolViolation(Exception):
    """A message that is not one of the protocol's; the text says which rule it breaks, and shows no secret."""


@attrs.frozen
class Request:
    """A request that was read; ``arguments`` is the record of them."""

    id: int
    call: Call
    arguments: Any
    handle: int = 0


@attrs.frozen
class Refusal:
    """A request that has no form: it is answered with the error, under its id if it has one."""

    id: int | None
    error: Serialization


def request_line(id: int, arguments: Any, handle: int = 0) -> bytes:
    """Return the line of a request."""
    call = call_of(arguments)
    through = f'"handle":{handle},' if handle else ""
    fields = ((field.name, getattr(arguments, field.name)) for field in attrs.fields(type(arguments)))
    shown = ",".join(f'"{name}":{_text_of(value)}' for name, value in fields)
    return f'{{"id":{id},"store":"{call.store}","op":"{call.op}",{through}"args":{{{shown}}}}}\n'.encode()


class _Same:
    """A value as itself, to be found again by its identity."""

    __slots__ = ("value",)

    def __init__(self, value: object) -> None:
        self.value = value

    def __hash__(self) -> int:
        return id(self.value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and self.value is other.value


_REMEMBERED: Final = 64
"""Texts, and values of texts, that each side remembers: as many as one look at all of a store takes."""
_KEPT: Final = (FlowRunState, FrameSnapshot, LoopSnapshot, MobRun)
"""What is handed over again and again: a caller puts a snapshot and then expects it, or reads a run twice."""


@functools.lru_cache(_REMEMBERED)
def _kept_text(kept: _Same) -> str:
    return to_text(kept.value)


def _text_of(value: Any) -> str:
    if isinstance(value, _KEPT):
        return _kept_text(_Same(value))
    return f"[{','.join(map(_text_of, value))}]" if isinstance(value, tuple) else to_text(value)


# The form in which most programs write; what stands at its end is the same text whenever it is the same value.
_PLAIN_REQUEST: Final = re.compile(
    rb'\{"id": ?(0|[1-9]\d{0,18}), ?"store": ?"(\w+)", ?"op": ?"(\w+)", ?'
    rb'(?:"handle": ?(0|[1-9]\d{0,8}), ?)?"args": ?'
)


def read_request(line: bytes) -> Request | Refusal:
    """Read the line of a request."""
    match = _PLAIN_REQUEST.match(line)
    call = None if match is None else CALLS.get((match[2].decode(), match[3].decode()))
    if match is None or call is None or not line.endswith(b"}\n"):
        return _other_request(line)
    try:
        return Request(int(match[1]), call, _arguments(call, line[match.end() : -2]), int(match[4] or 0))
    except Serialization as error:
        return Refusal(int(match[1]), error)


@functools.lru_cache(_REMEMBERED)
def _arguments(call: Call, text: bytes) -> Any:
    return from_json(call.arguments, load_json(_text(text)))


def _other_request(line: bytes) -> Request | Refusal:
    id: int | None = None
    try:
        request = load_json(_text(line))
        if not isinstance(request, Mapping):
            raise Serialization(": a request is an object")
        id = _id(request)
        if unknown := set(request) - {"id", "store", "op", "handle", "args"}:
            raise Serialization(f": a request has no field {min(unknown)!r}")
        call = CALLS.get((request.get("store"), request.get("op")))  # type: ignore[arg-type]
        if call is None:
            raise Serialization(f": there is no call {request.get('store')!s:.40}.{request.get('op')!s:.40}")
        handle: int = converter(U32)(request.get("handle", 0))
        return Request(id, call, from_json(call.arguments, request.get("args")), handle)
    except Serialization as error:
        return Refusal(id, error)


def _text(line: bytes) -> str:
    try:
        return line.decode()
    except UnicodeDecodeError as error:
        raise Serialization(f": not UTF-8: {error.reason} at byte {error.start}") from None


def _id(message: Mapping[str, Any]) -> int:
    id = message.get("id")
    if type(id) is not int or id < 0:
        raise Serialization(".id: not an unsigned integer")
    return id


def answer_line(id: int, value: Any) -> bytes:
    """Return the line of an answer."""
    return f'{{"id":{id},"ok":{_text_of(value)}}}\n'.encode()


def error_line(id: int | None, error: MobStoreError) -> bytes:
    """Return the line of an error."""
    return dump_json({"id": id, "err": error_json(error)}).encode() + b"\n"


def error_json(error: MobStoreError) -> dict[str, object]:
    """Return the JSON form of an error."""
    return {"kind": error.kind, "message": str(error), **error.fields()}


@attrs.frozen
class Response:
    """An answer or an error, of which only the outer form was read yet; ``text`` is the JSON within it."""

    id: int
    text: bytes
    failed: bool


# The form in which most programs write: what stands within it need not be parsed to find whose answer it is.
_PLAIN: Final = re.compile(rb'\{"id": ?(0|[1-9]\d{0,18}), ?"(ok|err)": ?(?=[^\s,}])')


def read_response(line: bytes) -> Response:
    """Read the outer form of the line of an answer.

    Raises:
        ProtocolViolation: it is none.
    """
    match = _PLAIN.match(line)
    if match is not None and line.endswith(b"}\n"):
        return Response(int(match[1]), line[match.end() : -2], match[2] == b"err")
    return _other_response(line)


def _other_response(line: bytes) -> Response:
    message = _json(line)
    if not isinstance(message, Mapping):
        raise ProtocolViolation(f"wrote a line that is no answer, which is an object: {shown(line)}")
    if message.get("id") is None and "err" in message:
        raise ProtocolViolation(f"could not read what it was sent: {shown(line)}")
    if set(message) not in ({"id", "ok"}, {"id", "err"}):
        fields = ", ".join(sorted(message))
        raise ProtocolViolation(f"wrote an answer with the fields {fields:.80}: an answer has id, and ok or err")
    try:
        id = _id(message)
    except Serialization:
        raise ProtocolViolation(f"wrote an answer whose id is no unsigned integer: {shown(line)}") from None
    return Response(id, dump_json(message.get("ok", message.get("err"))).encode(), "err" in message)


def _json(line: bytes) -> Any:
    try:
        return load_json(_text(line))
    except Serialization as error:
        rule = error.detail.lstrip(": ")
        raise ProtocolViolation(f"wrote a line that is no JSON ({rule}): {shown(line)}") from None


_SECRETS: Final = (b"secret_key", b"bootstrap_token")


def shown(line: bytes) -> str:
    """Return a line as people can be shown it: short, and without secrets."""
    if any(secret in line for secret in _SECRETS):
        return "(not shown: it holds secrets)"
    text = repr(line.rstrip(b"\n").decode(errors="replace"))
    return text if len(text) <= 100 else f"{text[:97]}..."


def read_answer(call: Call, response: Response) -> Any:
    """Return what a call answers.

    Raises:
        MobStoreError: the call ended with it.
        ProtocolViolation: the answer is none of this call's.
    """
    if response.failed:
        raise _error(call, _json(response.text))
    return _answer(call, response.text)


@functools.lru_cache(_REMEMBERED)
def _answer(call: Call, text: bytes) -> Any:
    value = _json(text)
    try:
        answer = call.read_answer(value)
    except Serialization as error:
        raise ProtocolViolation(
            f"answered {call} with what is no answer to it: {error.within('ok').detail}"
        ) from None
    # Another form would be another record to the next reader: a set out of order, a time with an offset.
    if not isinstance(answer, (bool, int, str, type(None))):
        published = to_json(answer)
        place = None if published == value else _first_difference(published, value)
        if place is not None:
            raise ProtocolViolation(f"answered {call} in another form than the published one, at {place}")
    return answer


def _error(call: Call, value: Any) -> MobStoreError:
    """Return the error that stands in an answer."""
    if not isinstance(value, Mapping) or not isinstance(value.get("message"), str):
        raise ProtocolViolation(f"answered {call} with an error that has no kind and message")
    kind = KINDS.get(value.get("kind"))  # type: ignore[arg-type]
    if kind is None:
        raise ProtocolViolation(
            f"answered {call} with an error of kind {value.get('kind')!r:.60}, which does not exist"
        )
    hints = error_fields(kind)
    if {"kind", "message", *hints} != set(value):
        rule = ", ".join(("kind", "message", *hints))
        raise ProtocolViolation(f"answered {call} with a {kind.kind} whose fields are not {rule}")
    try:
        return kind.of(value["message"], {name: converter(hint)(value[name]) for name, hint in hints.items()})
    except Serialization as error:
        raise ProtocolViolation(
            f"answered {call} with a {kind.kind} that is none: {error.within('err').detail}"
        ) from None


def error_fields(kind: type[MobStoreError]) -> Mapping[str, Any]:
    """Return the fields that an error of a kind has beside kind and message, with their annotations."""
    hints = typing.get_type_hints(kind.__init__)
    return {name: _COUNTED.get(hint, hint) for name, hint in hints.items() if name not in ("detail", "return")}


def _first_difference(expected: Any, actual: Any, path: str = "$") -> str | None:
    """Return the path to the first place at which two JSON values differ."""
    pairs: Iterable[tuple[str, Any, Any]]
    if isinstance(expected, dict) and isinstance(actual, dict) and set(expected) == set(actual):
        pairs = ((f"{path}.{key}", expected[key], actual[key]) for key in expected)
    elif isinstance(expected, list) and isinstance(actual, list) and len(expected) == len(actual):
        pairs = ((f"{path}[{place}]", *both) for place, both in enumerate(zip(expected, actual, strict=True)))
    else:
        same = type(expected) is type(actual) and expected == actual
        return None if same else path
    return next((found for place, left, right in pairs if (found := _first_difference(left, right, place))), None)
