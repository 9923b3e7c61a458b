"""Bad input: what a caller may get wrong, and the error that each must get (contract, sections 2, 3 and 9)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import attrs

from mobstore.model import Document, NewMobEvent, Timestamp, from_json
from mobstore.model.values import (
    ExternalBindingOverlayRecord,
    FlowRunState,
    OverlayNormalized,
    SecretKey,
    SupervisorAuthorityRecord,
)
from mobstore.properties import pools


@attrs.frozen
class BadCall:
    """What is wrong; the call, as Python source over ``stores`` and the names of this module; how it must end.

    The source is what is made and what is printed, for some of it cannot even be written down as a value.
    """

    what: str
    source: str
    kind: str

    def make(self, stores: Any) -> Any:
        """Make the call."""
        return eval(self.source, globals(), {"stores": stores})  # noqa: S307 - our own source

    def program(self, factory: str) -> str:
        """Return a test that makes the call, and asserts that it is refused and changes nothing."""
        return (
            "import pytest\n"
            "from mobstore.model import *\n"
            "from mobstore.properties import pools, smoke\n"
            f"from {__name__} import *\n"
            "from mobstore.properties.refinement import visible_state\n"
            "from mobstore.properties.subject import *\n"
            "\n\n"
            "def test_counterexample() -> None:\n"
            f"    stores = {factory}.open(ManualClock())\n"
            "    call_port(stores, smoke.CALLS[0])  # creates a run\n"
            "    before = visible_state(stores)\n"
            f"    with pytest.raises({self.kind}):  # {self.what}\n"
            f"        {self.source}\n"
            "    assert visible_state(stores) == before\n"
        )


def bad_calls() -> Iterator[BadCall]:
    """Yield calls that must be refused without any effect."""
    for what, source in _NOT_OF_THE_TYPE.items():
        yield BadCall(what, source, "Serialization")
    for what, value in _NO_JSON.items():
        yield BadCall(f"{what} as an output", f'stores.runs.put_step_output(RUN, "s1", {value})', "Serialization")
        yield BadCall(f"{what} as a definition", f'stores.specs.put_spec("mob", {value})', "Serialization")
    for what, source in _OUT_OF_RANGE.items():
        yield BadCall(what, source, "Internal")


RUN: Final = pools.RUN_IDS[0]
FULL: Final = pools.RUNS[3]


def nested(depth: int) -> Any:
    """Return a list in a list in a list."""
    value: Any = 0
    for _ in range(depth):
        value = [value]
    return value


def authority(key: bytes, version: int) -> SupervisorAuthorityRecord:
    """Return the record of an authority."""
    return SupervisorAuthorityRecord(SecretKey.of(key), "peer", 0, version)


def event_at(time: str) -> NewMobEvent:
    """Return an event of some time."""
    return NewMobEvent("mob", Document.of({"type": "mob_reset"}), timestamp=Timestamp.parse(time))


def overlay(generation: int) -> ExternalBindingOverlayRecord:
    """Return the overlay of an agent."""
    return ExternalBindingOverlayRecord("worker", generation, None, None, OverlayNormalized(), pools.TIMES[0])


def output_at(stores: Any, index: int) -> Any:
    """Record an output of an iteration."""
    frame, done = FULL.frames["root"], pools.FRAMES[2]
    place = ("loop", index)
    return stores.runs.cas_complete_step_and_record_output(FULL.run_id, "root", frame, done, "s1", 1, place)


def failures(count: int) -> FlowRunState:
    """Return a flow state with a counter of failures."""
    return from_json(FlowRunState, {"failure_count": count})


_NOT_OF_THE_TYPE: Final = {
    "a lone surrogate in an id": r'stores.specs.put_spec("\ud800", {})',
    "a mob id that is no string": "stores.specs.put_spec(5, {})",
    "a run id that is no UUID": 'stores.runs.get_run("not-a-uuid")',
    "a status that does not exist": 'stores.runs.cas_run_status(RUN, "Running", "failed")',
    "a negative cursor": "stores.events.poll(-1, 1)",
    "a boolean for a revision": 'stores.specs.put_spec("mob", {}, True)',
    **{
        f"a secret key of {length} bytes": (
            f'stores.metadata.put_supervisor_authority("mob", authority(bytes({length}), 2))'
        )
        for length in (0, 31, 33)
    },
    **{
        f"protocol version {version}": (
            f'stores.metadata.put_supervisor_authority("mob", authority(bytes(32), {version}))'
        )
        for version in (0, 1, 3)
    },
    "a time without a zone": 'stores.events.append(event_at("2026-01-01T00:00:00"))',
    "a time with ten digits of fraction": 'stores.events.append(event_at("2026-01-01T00:00:00.1234567890Z"))',
    "a day that does not exist": 'stores.events.append(event_at("2026-02-30T00:00:00Z"))',
    "a counter above 2^32-1": "stores.runs.cas_flow_state(FULL.run_id, FULL.flow_state, failures(2**32))",
}

_NO_JSON: Final = {
    "JSON nested 101 deep": "nested(101)",
    "JSON nested 100,000 deep": "nested(100_000)",
    "NaN": '{"a": [float("nan")]}',
    "an infinity": 'float("-inf")',
    "an integer of 65 bits": "2**64",
    "an integer of 10,000 digits": "10**10_000",
    "an object key that is no string": "{1: 2}",
    "a lone surrogate in a string": r'["\udfff"]',
    "a lone surrogate in a key": r'{"\udfff": 1}',
    "a set": "{1, 2}",
}

_OUT_OF_RANGE: Final = {
    "a cursor above 2^63-1": "stores.events.poll(2**63, 1)",
    "a limit above 2^63-1": "stores.events.poll(0, 2**63)",
    "a generation above 2^63-1": 'stores.metadata.upsert_external_binding_overlay("mob", overlay(2**63))',
    "a generation above 2^63-1 to delete": (
        'stores.metadata.delete_external_binding_overlay("mob", "worker", 2**64 - 1)'
    ),
    "a loop output index above 1,000,000": "output_at(stores, 1_000_001)",
    "a loop output index of 2^64-1": "output_at(stores, 2**64 - 1)",
    "an event that is not terminal": "stores.events.append_terminal_event_if_absent(pools.EVENTS[0])",
    "an input that is no flow authority": (
        "stores.runs.cas_flow_state_with_authority("
        "FULL.run_id, FULL.flow_state, pools.FLOW_STATES[0], pools.REFUSED_INPUTS[:1])"
    ),
}
