"""Bad input: what a caller may get wrong, and the error that each must get (contract, sections 2, 3 and 9)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

from mobstore.backends._stores import Stores
from mobstore.model import Document, NewMobEvent, Timestamp, from_json
from mobstore.model.values import (
    ExternalBindingOverlayRecord,
    FlowRunState,
    OverlayNormalized,
    SecretKey,
    SupervisorAuthorityRecord,
)
from mobstore.properties import pools

BadCall: TypeAlias = tuple[str, Callable[[Stores], Any], str]
"""What is wrong, the call, and the kind of error that it must end with."""


def _nested(depth: int) -> Any:
    value: Any = 0
    for _ in range(depth):
        value = [value]
    return value


def bad_calls() -> Iterator[BadCall]:
    """Yield calls that must be refused without any effect."""
    yield from _bad_ids()
    yield from _bad_json()
    yield from _bad_numbers()
    yield from _bad_records()


def _bad_ids() -> Iterator[BadCall]:
    yield "a lone surrogate in an id", lambda s: s.specs.put_spec("\ud800", {}), "Serialization"
    yield "a mob id that is no string", lambda s: s.specs.put_spec(5, {}), "Serialization"  # type: ignore[arg-type]
    yield "a run id that is no UUID", lambda s: s.runs.get_run("not-a-uuid"), "Serialization"
    yield (
        "a status that does not exist",
        lambda s: s.runs.cas_run_status(pools.RUN_IDS[0], "Running", "failed"),  # type: ignore[arg-type]
        "Serialization",
    )


def _bad_json() -> Iterator[BadCall]:
    for what, value in (
        ("JSON nested 101 deep", _nested(101)),
        ("JSON nested 100,000 deep", _nested(100_000)),
        ("NaN", {"a": [float("nan")]}),
        ("an infinity", float("-inf")),
        ("an integer of 65 bits", 2**64),
        ("an integer of 10,000 digits", 10**10_000),
        ("an object key that is no string", {1: 2}),
        ("a lone surrogate in a string", ["\udfff"]),
        ("a lone surrogate in a key", {"\udfff": 1}),
        ("a set", {1, 2}),
    ):
        yield f"{what} as an output", _output(value), "Serialization"
        yield f"{what} as a definition", _definition(value), "Serialization"


def _output(value: Any) -> Callable[[Stores], Any]:
    return lambda stores: stores.runs.put_step_output(pools.RUN_IDS[0], "s1", value)


def _definition(value: Any) -> Callable[[Stores], Any]:
    return lambda stores: stores.specs.put_spec("mob", value)


def _bad_numbers() -> Iterator[BadCall]:
    yield "a negative cursor", lambda s: s.events.poll(-1, 1), "Serialization"
    yield "a cursor above 2^63-1", lambda s: s.events.poll(2**63, 1), "Internal"
    yield "a limit above 2^63-1", lambda s: s.events.poll(0, 2**63), "Internal"
    yield "a boolean for a revision", lambda s: s.specs.put_spec("mob", {}, True), "Serialization"  # noqa: FBT003
    yield (
        "a generation above 2^63-1",
        lambda s: s.metadata.upsert_external_binding_overlay("mob", _overlay(2**63)),
        "Internal",
    )
    yield (
        "a generation above 2^63-1 to delete",
        lambda s: s.metadata.delete_external_binding_overlay("mob", "worker", 2**64 - 1),
        "Internal",
    )
    yield "a loop output index above 1,000,000", _output_at(1_000_001), "Internal"
    yield "a loop output index of 2^64-1", _output_at(2**64 - 1), "Internal"


def _overlay(generation: int) -> ExternalBindingOverlayRecord:
    return ExternalBindingOverlayRecord("worker", generation, None, None, OverlayNormalized(), pools.TIMES[0])


def _output_at(index: int) -> Callable[[Stores], Any]:
    frame = pools.RUNS[3].frames["root"]
    return lambda stores: stores.runs.cas_complete_step_and_record_output(
        pools.RUNS[3].run_id, "root", frame, pools.FRAMES[2], "s1", 1, ("loop", index)
    )


def _bad_records() -> Iterator[BadCall]:
    for length in (0, 31, 33):
        yield f"a secret key of {length} bytes", _authority(bytes(length), 2), "Serialization"
    for version in (0, 1, 3):
        yield f"protocol version {version}", _authority(bytes(32), version), "Serialization"
    yield "a time without a zone", _event_at("2026-01-01T00:00:00"), "Serialization"
    yield "a time with ten digits of fraction", _event_at("2026-01-01T00:00:00.1234567890Z"), "Serialization"
    yield "a day that does not exist", _event_at("2026-02-30T00:00:00Z"), "Serialization"
    yield (
        "a counter above 2^32-1",
        lambda s: s.runs.cas_flow_state(
            pools.RUNS[3].run_id, pools.RUNS[3].flow_state, from_json(FlowRunState, {"failure_count": 2**32})
        ),
        "Serialization",
    )
    yield (
        "an event that is not terminal",
        lambda s: s.events.append_terminal_event_if_absent(pools.EVENTS[0]),
        "Internal",
    )
    yield (
        "an input that is no flow authority",
        lambda s: s.runs.cas_flow_state_with_authority(
            pools.RUNS[3].run_id, pools.RUNS[3].flow_state, pools.FLOW_STATES[0], pools.REFUSED_INPUTS[:1]
        ),
        "Internal",
    )


def _authority(key: bytes, version: int) -> Callable[[Stores], Any]:
    return lambda stores: stores.metadata.put_supervisor_authority(
        "mob", SupervisorAuthorityRecord(SecretKey.of(key), "peer", 0, version)
    )


def _event_at(time: str) -> Callable[[Stores], Any]:
    return lambda stores: stores.events.append(
        NewMobEvent("mob", Document.of({"type": "mob_reset"}), timestamp=Timestamp.parse(time))
    )
