"""Requests that are none: what a program must refuse, over the wire, with ``Serialization`` and without a change.

In Python the ports' own types refuse such arguments before a backend sees them; a program in another language has
to do it itself (``specs/wire.md``).
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from typing import Any, Final, TypeAlias

from mobstore.backends.wire import Program, protocol
from mobstore.model import MAX_DEPTH, Serialization
from mobstore.model._json import Json
from mobstore.properties import smoke

BadRequest: TypeAlias = tuple[str, dict[str, Any]]
"""What is wrong, and the message without its id."""

_WRONG: Final = {"no": "such"}
_SURROGATE: Final = "\ud800"


def bad_requests() -> Iterator[BadRequest]:
    """Yield requests that each break one rule."""
    for operation in smoke.CALLS:
        message = json.loads(protocol.request_line(0, operation))
        del message["id"]
        name, arguments = f"{operation.store}.{operation.call}", message["args"]
        yield f"{name} with an argument that does not exist", _with(message, {**arguments, "no_such": None})
        for argument in arguments:
            held = getattr(operation, argument)
            left = {key: item for key, item in arguments.items() if key != argument}
            # What may be null may be absent as well: so the records of the model are read.
            if not _is_request(_with(message, left)):
                yield f"{name} without {argument}", _with(message, left)
            for what, wrong in _wrong_values(held):
                yield f"{name}: {what} for {argument}", _with(message, {**arguments, argument: wrong})
    yield "a call that does not exist", {"store": "run", "op": "no_such_call", "args": {}}


def _is_request(message: dict[str, Any]) -> bool:
    return isinstance(protocol.read_request(_line(0, message)), protocol.Request)


def _line(number: int, message: dict[str, Any]) -> bytes:
    return json.dumps({"id": number, **message}).encode() + b"\n"


def _with(message: dict[str, Any], arguments: dict[str, Any]) -> dict[str, Any]:
    return {**message, "args": arguments}


def _wrong_values(value: Any) -> Iterator[tuple[str, Any]]:
    if not isinstance(value, Json):
        yield "an object", _WRONG
        if isinstance(value, str):
            yield "half of a surrogate pair", _SURROGATE
        if isinstance(value, int) and not isinstance(value, bool):
            yield "a negative number", -1
            yield "a fraction", 0.5
        return
    deep: Any = None
    for _ in range(MAX_DEPTH + 1):
        deep = [deep]
    yield "JSON that is nested too deep", deep
    yield "an integer of 65 bits", [2**64]
    yield "half of a surrogate pair", [_SURROGATE]


def session(message: dict[str, Any], command: str) -> str:
    """Return the command of a shell that sends a program a request and shows what it answers."""
    line = json.dumps({"id": 1, **message})
    return f"printf '%s\\n' {shlex.quote(line)} | {command}"


def refused(program: Program, message: dict[str, Any]) -> str:
    """Send a request that is none; return what it came to, or nothing when it was refused as it must be.

    Raises:
        ProgramFailure: the program failed.
    """
    call = protocol.CALLS["run", "get_run"]
    response = program.exchange(lambda number: _line(number, message), call)
    text = response.text.decode(errors="replace")
    if not response.failed:
        return f"answered {text:.80}"
    kind = json.loads(text).get("kind")
    return "" if kind == Serialization.kind else f"ended with {kind}"
