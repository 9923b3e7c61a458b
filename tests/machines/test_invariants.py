"""Every invariant holds on random walks, has something to say at its witness, and catches its broken machine."""

import collections
import functools
import random

import attrs
import pytest

from mobstore.model import FrozenMap, from_json
from mobstore.model.machines import AUTHORITY, FRAME, LOOP, RUN, Transitioned
from mobstore.model.machines.sorts import Enumeration, Record
from mobstore.model.values import SupervisorPendingRotationRecord
from mobstore.properties.invariants import INVARIANTS, first_state, last_step

STEPS = ("s1", "s2", "s3")
NODES = ("n1", "n2", "n3", "n4", "n5")
POOLS = {
    "step_id": (*STEPS, "ghost"),
    "node_id": (*NODES, "ghost"),
    "frame_id": ("f1", "f2", "f3"),
    "loop_instance_id": ("l1", "l2"),
    "target_id": ("t1",),
    "retry_key": ("k1",),
    "depth": (0, 1),
    "target_count": (1, 2),
    "append_failure_ledger": (False,),
    "ready_queue": ((),),
    "max_iterations": (0, 1, 2, 3),
    "parent_frame_id": ("f0", "f9"),
    "parent_node_id": ("n0",),
    "loop_id": ("loop",),
    "remote_peers": ((), ("x",), ("x", "y")),
    "restored": ((), ("x",), ("x", "y", "z")),
}


def some(rng, items):
    return tuple(sorted(rng.sample(items, rng.randrange(len(items) + 1))))


def create_run(rng):
    return {
        "step_ids": STEPS,
        "ordered_steps": STEPS,
        "step_has_conditions": FrozenMap(),
        "step_dependencies": FrozenMap({"s2": ("s1",)}),
        "step_dependency_modes": FrozenMap(),
        "step_branches": FrozenMap(),
        "step_collection_policies": FrozenMap(),
        "step_quorum_thresholds": FrozenMap(),
        "escalation_threshold": rng.choice((0, 2)),
        "max_step_retries": 1,
        "max_active_nodes": rng.choice((0, 1, 2)),
        "max_active_frames": rng.choice((0, 1, 2)),
        "max_frame_depth": 1,
    }


def start_frame(rng):
    """A graph without circles: a node depends on nodes before it."""
    return {
        "frame_id": rng.choice(POOLS["frame_id"]),
        "tracked_nodes": NODES,
        "ordered_nodes": tuple(rng.sample(NODES, len(NODES))),
        "node_kind": FrozenMap({node: rng.choice(("Step", "Loop")) for node in NODES}),
        "node_dependencies": FrozenMap({node: some(rng, NODES[:place]) for place, node in enumerate(NODES)}),
        "node_dependency_modes": FrozenMap({node: rng.choice(("All", "Any")) for node in NODES}),
        "node_branches": FrozenMap({node: rng.choice((None, None, "b1", "b2")) for node in NODES}),
    }


def start_body(rng):
    return {**start_frame(rng), "loop_instance_id": rng.choice(("l1", "l2")), "iteration": rng.randrange(3)}


WHOLE = {"CreateRun": create_run, "StartRootFrame": start_frame, "StartBodyFrame": start_body}

ENDING = {
    *("TerminalizeCompleted", "TerminalizeFailed", "TerminalizeCanceled"),
    *("BodyFrameFailed", "BodyFrameCanceled", "UntilConditionMet", "CancelLoop"),
}
"""Drawn less often, so that walks get somewhere."""


def argument(rng, state, name, sort):
    """An argument that often fits the state: without that, walks would be refused all the time."""
    if name == "iteration":
        return rng.choice((state.current_iteration, state.last_completed_iteration, rng.randrange(3)))
    if name == "loop_instance_id" and getattr(state, name, "") and rng.random() < 0.9:
        return state.loop_instance_id
    if name == "node_id" and hasattr(state, "node_status") and rng.random() < 0.7:
        return rng.choice([node for node, now in state.node_status.items() if now == "Running"] or ["n1"])
    if name == "attempt":
        return attempt(rng, state)
    if isinstance(sort, Enumeration):
        return rng.choice(list(sort.kind))
    return rng.choice(POOLS[name])


def attempt(rng, state):
    standing = state.pending_rotation
    if standing is not None and rng.random() < 0.6:
        peers = tuple(sorted({*standing.accepted_peer_ids, rng.choice("xyz")}))
        return attrs.evolve(standing, accepted_peer_ids=peers)
    key, epoch = rng.randrange(3), state.epoch + rng.choice((0, 1, 1, 1, 2))
    return from_json(
        SupervisorPendingRotationRecord,
        {
            "secret_key": [key] * 32,
            "public_peer_id": f"peer-{key}",
            "epoch": epoch,
            "accepted_peer_ids": [rng.choice("xyz") for _ in range(rng.randrange(3))],
        },
    )


def draw_input(rng, machine, state):
    kind = rng.choice(machine.inputs)
    while kind.__name__ in ENDING and rng.random() < 0.8:
        kind = rng.choice(machine.inputs)
    if getattr(state, "phase", None) in ("Absent", "Pending") and rng.random() < 0.5:
        kind = machine.inputs[state.phase == "Pending"]
    if kind.__name__ in WHOLE:
        return kind(**WHOLE[kind.__name__](rng))
    return kind(**{name: argument(rng, state, name, sort) for name, sort in Record(kind).fields.items()})


def tries(machine, seed, length=100):
    """The states of one random walk, what was tried there, and what the machine answered."""
    rng = random.Random(seed)
    state = first_state(machine)
    for _ in range(length):
        input = draw_input(rng, machine, state)
        result = machine.step(state, input)
        yield state, input, result
        if isinstance(result, Transitioned):
            state = result.next_state


def walk(machine, seed):
    """The pairs of states of one random walk, refused inputs left out."""
    return (
        (state, result.next_state) for state, _, result in tries(machine, seed) if isinstance(result, Transitioned)
    )


def states_of(invariant, before, after):
    return (before, after) if invariant.scope.is_step else (after,)


OF_MACHINES = [invariant for invariant in INVARIANTS if invariant.scope.machine is not None]
WALKS = 150


@functools.cache
def pairs(machine):
    return [pair for seed in range(WALKS) for pair in walk(machine, seed)]


def by_name(invariant):
    return invariant.name


def test_names_are_unique():
    assert len({invariant.name for invariant in INVARIANTS}) == len(INVARIANTS)
    assert all(invariant.sentence.endswith(".") for invariant in INVARIANTS)


@pytest.mark.parametrize("invariant", OF_MACHINES, ids=by_name)
def test_holds_at_its_witness_and_has_something_to_say_there(invariant):
    before, after = last_step(invariant.scope.machine, invariant.witness)
    states = states_of(invariant, before, after)
    assert invariant.applies(*states)
    assert invariant.holds(*states)


@pytest.mark.parametrize("invariant", OF_MACHINES, ids=by_name)
def test_holds_on_random_walks(invariant):
    machine = invariant.scope.machine
    assert invariant.scope.is_step or invariant.holds(first_state(machine))
    said = 0
    for before, after in pairs(machine):
        states = states_of(invariant, before, after)
        assert invariant.holds(*states), states
        said += invariant.applies(*states)
    assert said > 0 or "blank" in invariant.name


@pytest.mark.parametrize("invariant", OF_MACHINES, ids=by_name)
def test_catches_its_broken_machine(invariant):
    for seed in range(4 * WALKS):
        for before, after in walk(invariant.broken.machine, seed):
            if not invariant.holds(*states_of(invariant, before, after)):
                return
    pytest.fail(f"{invariant.name} does not notice: {invariant.broken.what}")


MACHINES = [RUN, FRAME, LOOP, AUTHORITY]


@functools.cache
def all_tries(machine):
    return [item for seed in range(WALKS) for item in tries(machine, seed)]


@pytest.mark.parametrize("machine", MACHINES, ids=lambda machine: machine.name)
def test_walks_take_every_transition(machine):
    taken = collections.Counter(
        result.transition_id for _, _, result in all_tries(machine) if isinstance(result, Transitioned)
    )
    print(f"\n{machine.name}: {dict(taken)}")
    never = {"ProjectFrameStepStatus"}
    assert set(taken) == {transition.id for transition in machine.transitions} - never


GUARDS = [
    pytest.param(machine, transition, guard, id=f"{transition.id}: {guard.name}")
    for machine in MACHINES
    for transition in machine.transitions
    for guard in transition.guards
]
OF_INPUT = "it compares the input with the state, and no state shows which input came"
REDUNDANT = "a node without a status does not run: the next guard refuses it, under another name"
ELSEWHERE = "what is written is not about steps that are tracked; the recorded vectors hold it"
NOT_HELD = {
    **{
        f"{transition.id}: {guard.name}": OF_INPUT
        for transition in LOOP.transitions
        for guard in transition.guards
        if guard.name == "the input means this instance"
        or (guard.name == "the input means this iteration" and transition.id != "BodyFrameCompleted")
    },
    **{f"{kind}Node: the node has a status": REDUNDANT for kind in ("Complete", "Fail", "Skip", "Cancel")},
    "BodyFrameCanceled: the stage is BodyFrameActive": "a loop may be canceled in every stage",
    "CommitRotation: every remote peer accepted it": OF_INPUT,
    "AbandonRotation: every peer that accepted it was brought back": OF_INPUT,
    "RecordTargetCanceled: the step is tracked": ELSEWHERE,
    "RecordTargetFailure: the step is tracked": ELSEWHERE,
    "ProjectFrameStepStatus: never: frames do not write step statuses": "it would write nothing",
    "AdmitNextReadyNode: the node's kind is known": "a node of no kind is only found in a frame that was made so",
    "BodyFrameCompleted: there is a number for the next iteration": "walks are shorter than 2**32 iterations",
}
"""The guards that no invariant misses in one step from a reachable state, and why."""


@pytest.mark.parametrize(("machine", "transition", "guard"), GUARDS)
def test_an_invariant_holds_every_guard(machine, transition, guard, request):
    """One step of the machine without the guard, from a state that the whole machine reaches, is noticed."""
    kept = tuple(item for item in transition.guards if item is not guard)
    broken = attrs.evolve(machine, transitions=(attrs.evolve(transition, guards=kept),))
    tried = [item for item in all_tries(machine) if type(item[1]) is transition.input]
    name = request.node.callspec.id
    assert any(notices(broken, state, input) for state, input, _ in tried) != (name in NOT_HELD), name


def notices(broken, state, input):
    try:
        result = broken.step(state, input)
    except (AttributeError, IndexError, KeyError):
        return True  # the guard kept a partial term from being looked at
    return isinstance(result, Transitioned) and not all(
        invariant.holds(*states_of(invariant, state, result.next_state))
        for invariant in OF_MACHINES
        if invariant.scope.machine.state is broken.state
    )
