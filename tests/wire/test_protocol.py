"""The messages of the wire: what is written is read again, and is what the published schema says."""

import json

import jsonschema
import pytest

from mobstore.backends.capabilities import Capabilities
from mobstore.backends.wire import protocol
from mobstore.backends.wire.protocol import CALLS, Greeting, ProtocolViolation, Refusal
from mobstore.model import KINDS, OPERATIONS, State, Timestamp, evolve, step
from mobstore.model import operations as ops
from mobstore.properties import pools, smoke
from mobstore.properties.schema import schema

SCHEMA = schema()
CONTROL = (
    protocol.Hello(1),
    protocol.Reset(),
    protocol.Reopen(),
    protocol.Crash(),
    protocol.Clock(pools.TIMES[1]),
    protocol.Drain(1, 100),
)


def validator(name):
    return jsonschema.Draft202012Validator({"$ref": f"#/$defs/{name}", "$defs": SCHEMA["$defs"]})


REQUEST = validator("request")
BRANCHES = {
    call: jsonschema.Draft202012Validator({**branch, "$defs": SCHEMA["$defs"]})
    for call, branch in zip(CALLS.values(), SCHEMA["$defs"]["request"]["oneOf"], strict=True)
}
"""What the schema says of each call, for it is slow to try all of them."""


def answers():
    """Every answer of the smoke calls, and those of the other calls of the table."""
    state = State()
    for operation in smoke.CALLS:
        state, answer = step(state, operation, 1_767_225_600_000_000_001)
        yield protocol.call_of(operation), answer
    yield CALLS["control", "hello"], Greeting(1, "me", Capabilities(refused=["cas_start_loop"]), crash=True)
    yield CALLS["event", "drain"], protocol.Drained((), 3)
    yield CALLS["event", "prune"], 0
    yield CALLS["run", "get_run"], None


@pytest.mark.parametrize("arguments", [*smoke.CALLS, *CONTROL], ids=lambda item: type(item).__name__)
def test_a_request_is_read_as_it_was_written(arguments):
    """Compact or not, whatever the order of its fields, and valid by the schema."""
    line = protocol.request_line(7, arguments, 3)
    message = json.loads(line)
    REQUEST.validate(message)
    shuffled = json.dumps(dict(reversed(message.items())), indent=None).encode() + b"\n"
    for written in (line, shuffled, json.dumps(message).encode() + b"\n"):
        request = protocol.read_request(written)
        assert (request.id, request.handle, request.arguments) == (7, 3, arguments)
    assert protocol.read_request(protocol.request_line(7, arguments)).handle == 0


def test_an_answer_is_read_as_it_was_written():
    """Compact or not, and valid by the schema."""
    for call, answer in answers():
        line = protocol.answer_line(8, answer)
        message = json.loads(line)
        validator("answer").validate(message)
        validator(str(call)).validate(message["ok"])
        shuffled = json.dumps(dict(reversed(message.items()))).encode() + b"\n"
        for written in (line, shuffled):
            response = protocol.read_response(written)
            assert (response.id, protocol.read_answer(call, response)) == (8, answer)


def test_every_call_of_the_contract_is_in_the_table():
    """With the subscription's second half, and five that control the program."""
    assert set(CALLS) - set(OPERATIONS) == {
        ("event", "drain"),
        *(("control", op) for op in ("hello", "reset", "reopen", "crash", "clock")),
    }


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.kind)
def test_an_error_is_read_as_it_was_written(kind):
    """With the fields of its kind, whatever it says."""
    values = {"mob_id": "m", "expected": None, "actual": 2**63, "operation": "cas_start_loop"}
    fields = {name: values[name] for name in protocol.error_fields(kind)}
    error = kind.of("any words", fields)
    line = protocol.error_line(1, error)
    validator("error").validate(json.loads(line))
    with pytest.raises(kind) as caught:
        protocol.read_answer(CALLS["spec", "put_spec"], protocol.read_response(line))
    assert (caught.value, caught.value.fields()) == (error, fields)


def _spoiled(message):
    """Messages that are none any more, by one change each."""
    for name in message:
        yield {key: value for key, value in message.items() if key != name}
    yield {**message, "more": 1}
    yield {**message, "id": -1}
    yield {**message, "id": 1.5}
    yield {**message, "op": "no_such_call"}
    for name in message["args"]:
        yield {**message, "args": {**message["args"], name: {"no": "such"}}}
    yield {**message, "args": {**message["args"], "more": None}}


FREE = ("definition", "profile", "output", "step_output")


@pytest.mark.parametrize("operation", smoke.CALLS, ids=lambda item: item.call)
def test_what_is_no_request_is_refused_as_the_schema_refuses_it(operation):
    """By both, whatever is wrong with it."""
    message = json.loads(protocol.request_line(7, operation))
    for spoiled in _spoiled(message):
        changed = next(
            (name for name in message["args"] if spoiled.get("args", {}).get(name) == {"no": "such"}), ""
        )
        read = protocol.read_request(json.dumps(spoiled).encode() + b"\n")
        assert BRANCHES[protocol.call_of(operation)].is_valid(spoiled) == (changed in FREE), spoiled
        assert isinstance(read, Refusal) == (changed not in FREE), spoiled


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        (b"nonsense\n", "not JSON"),
        (b'{"id":1,"store":"run"\n', "not JSON"),
        (b"\xff\n", "not UTF-8"),
        (b"[1]\n", "a request is an object"),
        (b'{"id":1,"store":"spec","op":"list_specs","args":{"x":1}}\n', "has no field 'x'"),
        (b'{"id":1,"store":"run","op":"get_run","args":{"run_id":"x"}}\n', "run_id: 'x' is not a UUID"),
        (b'{"id":1,"store":"no","op":"such","args":{}}\n', "there is no call no.such"),
        (b'{"id":1,"store":"spec","op":"get_spec","args":{"mob_id":"\\ud800"}}\n', "lone surrogate"),
        (b'{"id":1,"store":"spec","op":"get_spec","handle":-1,"args":{"mob_id":""}}\n', "unsigned 32-bit"),
        (b'{"id":1,"store":"spec","op":"put_spec","args":{"mob_id":"","definition":NaN}}\n', "NaN"),
    ],
)
def test_a_request_that_is_none_is_refused_with_the_rule(line, rule):
    """As `Serialization`, under its id where it has one."""
    refused = protocol.read_request(line)
    assert rule in str(refused.error)
    assert refused.id == (1 if b'"id":1' in line and b"args" in line else None)


FORM = "in another form than the published one, at "


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"run_id": "11111111-0000-4000-8000-00000000000A".upper()}, "$.run_id"),
        ({"created_at": "2026-01-01T01:00:00+01:00"}, "$.created_at"),
        ({"loops": ...}, "$"),
        ({"flow_state.tracked_steps": ["s2", "s1"]}, "$.flow_state.tracked_steps[0]"),
    ],
)
def test_an_answer_in_another_form_is_none(change, place):
    """Another program that reads these files would take it for another record."""
    message = json.loads(protocol.answer_line(1, evolve(pools.RUNS[3], {"created_at": Timestamp(0)})))
    for path, value in change.items():
        *outer, last = path.split(".")
        held = message["ok"]
        for name in outer:
            held = held[name]
        held.pop(last)
        if value is not ...:
            held[last] = value
    with pytest.raises(ProtocolViolation) as caught:
        protocol.read_answer(CALLS["run", "get_run"], protocol.read_response(json.dumps(message).encode() + b"\n"))
    assert str(caught.value) == f"answered run.get_run {FORM}{place}"


def test_numbers_and_booleans_are_not_taken_for_one_another():
    """``1`` is no answer where ``true`` is, nor the reverse, nor ``1.0`` or ``-1`` where a number is."""
    for operation, text in (
        (ops.LatestCursor, b"true"),
        (ops.LatestCursor, b"1.0"),
        (ops.LatestCursor, b"-1"),
        (ops.CasRunStatus, b"1"),
        (ops.Clear, b"true"),
    ):
        response = protocol.read_response(b'{"id":1,"ok":' + text + b"}\n")
        call = CALLS[operation.store, operation.call]
        with pytest.raises(ProtocolViolation, match=f"answered {call} with what is no answer to it: ok: "):
            protocol.read_answer(call, response)


def test_capabilities_name_what_exists():
    """Wrappers, optional calls, calls."""
    for field, name in (("refused", "cas_run_status"), ("unsupported", "run.get_run"), ("not_yet", "run.no")):
        message = json.loads(protocol.answer_line(1, Greeting(1, "me")))
        message["ok"]["capabilities"][field] = [name]
        assert not validator("control.hello").is_valid(message["ok"])
        with pytest.raises(ProtocolViolation, match=f"ok.capabilities.{field}: '{name}' is not"):
            protocol.read_answer(
                CALLS["control", "hello"], protocol.read_response(json.dumps(message).encode() + b"\n")
            )
