"""The machines do exactly what the original's reducers did, refusals included; and the vectors notice if not."""

import collections

import attrs
import pytest

from mobstore.model import Serialization, SupervisorAuthorityRecord, from_json, to_json
from mobstore.model.machines import (
    LOOP,
    ROTATION,
    GuardRejected,
    NoMatchingTransition,
    Rejection,
    rotation_inputs,
)
from mobstore.model.values import (
    FlowFrameCommand,
    FlowRunCommand,
    FramePhase,
    LoopIterationCommand,
    LoopIterationState,
    LoopPhase,
    RunPhase,
    SupervisorPendingRotationRecord,
)
from mobstore.properties.vectors import FUNCTIONS, MACHINES, reproduce


def outcome(result):
    """What a vector shows, for the table of counts."""
    match result:
        case GuardRejected((Rejection(_, guard),)):
            return f"refused: {guard}"
        case NoMatchingTransition():
            return "refused: phase"
        case _:
            return "taken"


def expected_outcomes(machine):
    """Every transition taken, every guard refused, every input refused for the phase where a phase refuses it."""
    expected = set()
    for transition in machine.transitions:
        name = transition.input.__name__
        expected |= {(name, f"refused: {guard.id}") for guard in transition.guards}
        if not is_never(transition):
            expected.add((name, "taken"))
        phases = type(attrs.fields_dict(machine.state)["phase"].default)
        if len(transition.sources) < len(phases):
            expected.add((name, "refused: phase"))
    return expected


def is_never(transition):
    return transition.id == "ProjectFrameStepStatus"


@pytest.mark.parametrize("machine", MACHINES, ids=lambda machine: machine.name)
def test_every_vector_is_reproduced_and_everything_is_reached(machine, vectors):
    reached = collections.Counter()
    for state, input, expected in vectors(machine.name):
        before = to_json(state)
        result = machine.step(state, input)
        assert result.to_json() == expected, input
        assert to_json(state) == before
        reached[input.name, outcome(result)] += 1
    print(f"\n{machine.name} machine: {reached.total()} vectors")
    for (name, what), times in sorted(reached.items()):
        print(f"{times:6} {name:30} {what}")
    assert set(reached) == expected_outcomes(machine) - NEVER_REFUSED_IN_A_VECTOR


NEVER_REFUSED_IN_A_VECTOR = {("TerminalizeCanceled", "refused: phase")}
"""Held by the contract's words alone: the vectors take this input only while the run is Running."""

SOURCES = {
    "CreateRun": {RunPhase.ABSENT},
    "StartRun": {RunPhase.PENDING},
    "TerminalizeCanceled": set(RunPhase) - {RunPhase.COMPLETED, RunPhase.CANCELED},
    "ProjectFrameStepStatus": set(RunPhase),
    "StartRootFrame": {FramePhase.ABSENT},
    "StartBodyFrame": {FramePhase.ABSENT},
    "StartLoop": {LoopPhase.ABSENT},
}
"""From where the contract lets an input be taken, if not only from Running."""


@pytest.mark.parametrize("machine", MACHINES, ids=lambda machine: machine.name)
def test_sources_are_those_of_the_contract(machine):
    running = type(attrs.fields_dict(machine.state)["phase"].default).RUNNING
    for transition in machine.transitions:
        assert transition.sources == SOURCES.get(transition.id, {running}), transition.id


@pytest.mark.parametrize("machine", MACHINES, ids=lambda machine: machine.name)
def test_every_input_has_one_transition_of_its_name(machine):
    assert [transition.id for transition in machine.transitions] == [kind.__name__ for kind in machine.inputs]
    assert len(set(machine.inputs)) == len(machine.inputs)


def test_the_inputs_are_the_commands_of_the_authority_log():
    for machine, commands in zip(MACHINES, (FlowRunCommand, FlowFrameCommand, LoopIterationCommand), strict=True):
        assert [kind.__name__ for kind in machine.inputs] == [command.name for command in commands]


def test_one_vector_is_overruled_and_refused(rows):
    row = next(row for row in rows("loop") if row["state"]["current_iteration"] == 2**32 - 1)
    assert row["ok"]["next_state"]["current_iteration"] == 0
    result = LOOP.step(from_json(LoopIterationState, row["state"]), LOOP.read_input(row["input"]))
    assert result == GuardRejected((Rejection("BodyFrameCompleted", "Iteration"),))


@pytest.mark.parametrize("machine", MACHINES, ids=lambda machine: machine.name)
def test_inputs_have_their_json_forms(machine, rows):
    for row in rows(machine.name):
        assert machine.read_input(row["input"]).to_json() == row["input"]
    with pytest.raises(Serialization, match="no such input"):
        machine.read_input({"Nonsense": {}})


def read_pending(value):
    return from_json(SupervisorPendingRotationRecord, value)


def read_authority(value):
    return from_json(SupervisorAuthorityRecord, value)


def test_every_rotation_vector_is_reproduced(rows):
    reached = collections.Counter()
    for row in rows("rotation"):
        expected, answer = reproduce(row)
        assert answer == expected, row
        what = answer.get("result", "error" if "err" in answer else "") if isinstance(answer, dict) else answer
        reached[row["op"], str(what)] += 1
    print(f"\nrotation: {reached.total()} vectors")
    for (name, what), times in sorted(reached.items()):
        print(f"{times:6} {name:50} {what}")
    assert {name for name, _ in reached} == set(FUNCTIONS)
    assert ("authority.without_pending_rotation", "error") in reached


def rotation_vectors(rows):
    return [
        (
            read_authority(row["args"]["record"]),
            rotation_inputs.ApplyProcessLocalPendingRotation(read_pending(row["args"]["pending"])),
            row["ok"],
        )
        for row in rows("rotation")
        if row["op"].endswith("apply_process_local_pending_rotation")
    ]


def test_at_most_one_rotation_transition_fits(rows):
    taken = collections.Counter()
    singles = [attrs.evolve(ROTATION, transitions=(transition,)) for transition in ROTATION.transitions]
    for record, input, _ in rotation_vectors(rows):
        fitting = [single.transitions[0].id for single in singles if not is_refusal(single.step(record, input))]
        assert len(fitting) <= 1
        taken.update(fitting)
    assert set(taken) == {transition.id for transition in ROTATION.transitions}


def is_refusal(result):
    return isinstance(result, (GuardRejected, NoMatchingTransition))


def without(items, place):
    return items[:place] + items[place + 1 :]


def mutants_of(transition):
    """Every way to leave out one guard conjunct, one update, one effect, or the condition of one effect."""
    for place, guard in enumerate(transition.guards):
        yield f"guard {guard.name!r}", attrs.evolve(transition, guards=without(transition.guards, place))
    for field in transition.updates:
        kept = {name: term for name, term in transition.updates.items() if name != field}
        yield f"update {field!r}", attrs.evolve(transition, updates=kept)
    for place, emit in enumerate(transition.effects):
        name = emit.kind.__name__
        yield f"effect {name!r}", attrs.evolve(transition, effects=without(transition.effects, place))
        if emit.when is not None:
            always = attrs.evolve(emit, when=None)
            effects = (*transition.effects[:place], always, *transition.effects[place + 1 :])
            yield f"condition of {name!r}", attrs.evolve(transition, effects=effects)
    for phase in sorted(transition.sources or ()):
        yield f"source {phase.name}", attrs.evolve(transition, sources=transition.sources - {phase})


MUTANTS = [
    pytest.param(machine, transition, mutant, id=f"{machine.name}: {transition.id} without {what}")
    for machine in (*MACHINES, ROTATION)
    for transition in machine.transitions
    for what, mutant in mutants_of(transition)
]

NOT_RECORDED = "no vector starts in this phase: the contract says it, and test_sources_are_those_of_the_contract"
NO_NEW_READINESS = "what ends otherwise than completed makes no node ready, and no ready node unready"

HARMLESS = {
    "run: ProjectFrameStepStatus without source COMPLETED": NOT_RECORDED,
    "run: ProjectFrameStepStatus without source FAILED": NOT_RECORDED,
    "run: ProjectFrameStepStatus without source CANCELED": NOT_RECORDED,
    "run: TerminalizeCanceled without source ABSENT": NOT_RECORDED,
    "run: TerminalizeCanceled without source PENDING": NOT_RECORDED,
    "run: TerminalizeCanceled without source FAILED": NOT_RECORDED,
    "frame: FailNode without update 'ready_queue'": NO_NEW_READINESS,
    "frame: SkipNode without update 'ready_queue'": NO_NEW_READINESS,
    "frame: CancelNode without update 'ready_queue'": NO_NEW_READINESS,
    "loop: BodyFrameCompleted without guard 'there is a number for the next iteration'": (
        "the contract overrules the only vector: test_one_vector_is_overruled_and_refused"
    ),
}
"""The mutants that no vector notices, and why."""


def test_harmless_mutants_exist():
    assert set(HARMLESS) <= {param.id for param in MUTANTS}


def notices(machine, original, mutant, vector_list):
    """Whether a vector is no longer reproduced."""
    transitions = tuple(mutant if item is original else item for item in machine.transitions)
    broken = attrs.evolve(machine, transitions=transitions)
    for state, input, expected in vector_list:
        if type(input) is mutant.input and differs(broken, state, input, expected):
            return True
    return False


def differs(machine, state, input, expected):
    try:
        result = machine.step(state, input)
    except (IndexError, KeyError):
        return True  # a guard that kept a partial term from being looked at is gone
    if machine.name == "rotation":
        record = state if is_refusal(result) else result.next_state
        return {"result": not is_refusal(result), "record": to_json(record)} != expected
    return result.to_json() != expected


@pytest.mark.parametrize(("machine", "original", "mutant"), MUTANTS)
def test_vectors_notice_what_is_left_out(machine, original, mutant, vectors, rows, request):
    wanted = rotation_vectors(rows) if machine is ROTATION else vectors(machine.name)
    name = request.node.callspec.id
    assert notices(machine, original, mutant, wanted) != (name in HARMLESS), name
