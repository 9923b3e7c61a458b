"""Records are immutable, checked on construction, and have the original's JSON forms."""

import json
import lzma
import pickle
from importlib import resources

import attrs
import pytest

from mobstore.model import (
    ExternalBindingOverlayRecord,
    FlowRunState,
    FrameSnapshot,
    MobRun,
    NewMobEvent,
    RunId,
    SecretKey,
    Serialization,
    SpecRevisionConflict,
    SupervisorAuthorityRecord,
    from_json,
    from_text,
    operations,
    to_json,
    to_text,
)
from mobstore.model.values import BootstrapToken, FlowAuthorityInput, OtherMachineInput
from mobstore.properties import pools


def recorded(name):
    folder = resources.files("mobstore.properties") / "recordings"
    return [json.loads(line) for line in lzma.open(str(folder / f"{name}.jsonl.xz"), "rt")]


def recorded_runs():
    sequences = recorded("workflow") + recorded("small-runs")
    steps = [step for sequence in sequences for step in sequence["steps"] if step["op"] == "get_run"]
    runs = [step["answer"]["ok"] for step in steps if "answer" in step and step["answer"]["ok"]]
    return [run for run in runs if not str(run["completed_at"]).startswith("<")]


def test_runs_of_the_original_are_read_and_written_alike():
    """Every recorded run comes back with the same keys in the same order."""
    runs = recorded_runs()
    assert len(runs) > 100
    for run in runs:
        assert json.dumps(to_json(from_json(MobRun, run))) == json.dumps(run)


@pytest.mark.parametrize(
    "value",
    [*pools.RUNS, *pools.AUTHORITIES, *pools.OVERLAYS, *pools.EVENTS, *pools.STEP_ENTRIES, *pools.FAILURE_ENTRIES],
)
def test_what_is_written_is_read_back(value):
    """Text and JSON both ways."""
    assert from_text(type(value), to_text(value)) == value
    assert from_json(type(value), to_json(value)) == value
    assert to_text(from_text(type(value), to_text(value))) == to_text(value)


@pytest.mark.parametrize("value", [*pools.RUNS, *pools.AUTHORITIES, *pools.OVERLAYS, *pools.ACCEPTED_INPUTS])
def test_records_cannot_be_changed(value):
    """Setting any field raises, and the record is as it was."""
    before = to_text(value)
    for field in attrs.fields(type(value)):
        with pytest.raises(attrs.exceptions.FrozenInstanceError):
            setattr(value, field.name, None)
    assert to_text(value) == before


@pytest.mark.parametrize("value", [*pools.RUNS, *pools.AUTHORITIES, *pools.OVERLAYS, *pools.EVENTS])
def test_records_can_be_sent_to_another_process(value):
    """A pickle is equal."""
    assert pickle.loads(pickle.dumps(value)) == value


def test_absent_fields_get_their_defaults():
    """Fields that the original may leave out, and those that may be null, may be absent."""
    run = to_json(pools.RUNS[0])
    optional = {
        "frames",
        "loops",
        "loop_iteration_ledger",
        "schema_version",
        "root_step_outputs",
        "loop_iteration_outputs",
        "flow_authority_inputs",
        "completed_at",
    }
    for name in run:
        less = {key: value for key, value in run.items() if key != name}
        if name in optional:
            assert from_json(MobRun, less) == from_json(MobRun, {**less, name: run[name]})
        else:
            with pytest.raises(Serialization, match=f"MobRun needs the field '{name}'"):
                from_json(MobRun, less)


def test_defaults_that_are_left_out_of_json():
    """A supervisor without pending rotation, and a failure without report, have no such key."""
    assert "pending_rotation" not in to_json(pools.AUTHORITIES[0])
    assert list(to_json(pools.FAILURE_ENTRIES[0])) == ["step_id", "reason", "timestamp"]
    assert list(to_json(pools.FAILURE_ENTRIES[2])) == ["step_id", "reason", "error_report", "error", "timestamp"]


@pytest.mark.parametrize(
    ("kind", "value", "message"),
    [
        (FlowRunState, {"phase": "running"}, "phase: 'running' is not one of Absent, Pending"),
        (FlowRunState, {"failure_count": 2**32}, "failure_count: 4294967296 is not an unsigned 32-bit integer"),
        (FlowRunState, {"failure_count": True}, "failure_count: True is not an unsigned 32-bit integer"),
        (FlowRunState, {"failure_count": 1.0}, "failure_count: 1.0 is not an unsigned 32-bit integer"),
        (FlowRunState, {"step_status": {"s": "x"}}, r"step_status\['s'\]: 'x' is not one of Dispatched"),
        (FlowRunState, {"step_status": []}, "step_status: a list is not an object"),
        (FlowRunState, {"tracked_steps": "abc"}, "tracked_steps: 'abc' is not a list"),
        (FlowRunState, {"tracked_steps": ["a", 5]}, r"tracked_steps\[1\]: 5 is not a string"),
        (FlowRunState, {"phse": "Running"}, "FlowRunState has no field 'phse'"),
        (FrameSnapshot, {"kernel_state": {"iteration": -1}}, "kernel_state.iteration: -1 is not an unsigned"),
        (FrameSnapshot, None, "None is not a FrameSnapshot"),
        (NewMobEvent, {"mob_id": "\ud800", "kind": {}}, "mob_id: '.ud800' has a lone surrogate at 0: not UTF-8"),
        (NewMobEvent, {"mob_id": "m", "kind": {}, "timestamp": 5}, "timestamp: 5 is not a time"),
    ],
)
def test_a_bad_value_is_named_with_its_place_and_rule(kind, value, message):
    """The error says where, what and why."""
    with pytest.raises(Serialization, match=message):
        from_json(kind, value)


def test_secrets_show_nowhere():
    """Neither in a repr, nor in the error about a bad one."""
    key, token = SecretKey.of(bytes(range(32))), BootstrapToken.of("very-secret")
    authority = SupervisorAuthorityRecord(key, "peer", 0)
    overlay = attrs.evolve(pools.OVERLAYS[0], bootstrap_token=token)
    operation = operations.PutSupervisorAuthority("mob", authority)
    for shown in map(repr, (key, token, authority, overlay, operation)):
        assert "hidden" in shown
        assert "very-secret" not in shown
        assert "\\x01" not in shown
        assert "1, 2, 3" not in shown
    for bad in (b"super-secret", list(b"super-secret"), "super-secret", [1] * 31 + [256], None):
        with pytest.raises(Serialization, match="32 bytes") as error:
            SupervisorAuthorityRecord(bad, "peer", 0)
        assert "super" not in str(error.value)
        assert "115, 117" not in str(error.value)
    with pytest.raises(Serialization) as error:
        from_json(ExternalBindingOverlayRecord, {**to_json(overlay), "bootstrap_token": ["very-secret"]})
    assert "very-secret" not in str(error.value)


@pytest.mark.parametrize("version", [0, 1, 3, "2", None, 2.0, True])
def test_only_protocol_version_two_exists(version):
    """With the recorded text."""
    with pytest.raises(Serialization, match=r"unsupported supervisor bridge protocol version .* \(supported \[2\]"):
        SupervisorAuthorityRecord(SecretKey.of(bytes(32)), "peer", 0, version)


@pytest.mark.parametrize(
    "text",
    [
        "11111111-0000-4000-8000-00000000ABCD",
        "111111110000400080000000" + "0000abcd",
        "{11111111-0000-4000-8000-00000000abcd}",
        "urn:uuid:11111111-0000-4000-8000-00000000abcd",
    ],
)
def test_any_text_form_of_a_uuid_is_a_run_id(text):
    """It becomes the hyphenated lower-case form."""
    assert RunId(text) == "11111111-0000-4000-8000-00000000abcd"
    assert type(to_json(RunId(text))) is str


@pytest.mark.parametrize("value", ["", "not-a-uuid", 5, None, b"11111111-0000-4000-8000-00000000abcd", "\ud800"])
def test_what_is_no_uuid_is_no_run_id(value):
    """And the error says so."""
    with pytest.raises(Serialization, match="is not a UUID"):
        RunId(value)


def test_every_recorded_authority_input_is_typed():
    """The ten flow-authority inputs have classes; all others are kept by name, to be refused."""
    seen = set()
    for family in ("workflow", "workflow-badauth", "edges"):
        for step in (step for sequence in recorded(family) for step in sequence["steps"]):
            for item in step["args"].get("authority_inputs", []):
                operation = from_json(operations.CasFlowStateWithAuthority, {**_FLOW, "authority_inputs": [item]})
                (value,) = operation.authority_inputs
                seen.add(type(value).__name__)
                assert to_json(value) == item
                assert isinstance(value, OtherMachineInput) == (item["input"] not in _TYPED)
    assert seen == {*_TYPED, "OtherMachineInput"} - {"RunFlow"} | ({"RunFlow"} & seen)


_FLOW = {"run_id": str(pools.RUN_IDS[0]), "expected": {}, "next": {}}
_TYPED = {kind.__name__ for kind in FlowAuthorityInput.__args__}


def test_errors_carry_what_their_json_form_has():
    """Kind, message and fields; they compare by them and can be sent to another process."""
    error = SpecRevisionConflict("m", 7, 1)
    assert str(error) == "spec revision conflict for mob m: expected Some(7), actual 1"
    assert error.fields() == {"mob_id": "m", "expected": 7, "actual": 1}
    assert pickle.loads(pickle.dumps(error)) == error
    assert pickle.loads(pickle.dumps(Serialization("x"))) == Serialization("x") != Serialization("y")
