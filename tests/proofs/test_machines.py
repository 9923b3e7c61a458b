"""The invariants of the machines are inductive, and the proofs of that catch what is broken."""

import pytest
import z3

from mobstore.model.machines import AUTHORITY, FRAME, LOOP, RUN
from mobstore.model.machines import terms as t
from mobstore.model.values import FlowFrameState, FlowRunState
from mobstore.properties.invariants import INVARIANTS, Scope
from mobstore.properties.proofs import machines
from mobstore.properties.proofs.goals import Goal
from mobstore.properties.proofs.obligation import UNBOUNDED, Aim
from mobstore.properties.proofs.registry import SUBJECT, chosen
from mobstore.properties.proofs.requirements import REQUIREMENTS
from mobstore.properties.proofs.settlement import countermodel_of, settle
from mobstore.properties.proofs.solvers import Verdict
from mobstore.properties.symbolic import Translation

SOME = (
    "inductive/loop.*/BodyFrameCompleted",
    "inductive/authority.*/CommitRotation",
    "inductive/run.*/PumpNodeScheduler",
    "inductive/frame.*/FailNode",
    "first/loop",
    "first/authority",
    "taken/loop",
    "applies/authority",
    "own/authority",
)
"""``mobstore prove`` settles the others as well; `make check` runs it."""


@pytest.mark.parametrize("pattern", SOME)
def test_obligations_about_the_machines_hold(pattern):
    """In both solvers."""
    for obligation in chosen([pattern]):
        result = settle(obligation)
        assert result.verdict is Verdict.HOLDS, (result.name, result.findings, str(result.countermodel))


def test_nothing_that_holds_always_needs_a_bound():
    """Only examples have one."""
    assert all(each.scope.is_unbounded for each in machines.obligations(SUBJECT) if each.aim is Aim.VALID)


def test_what_an_invariant_rests_on_is_proved_itself():
    """It is an invariant of one state of the same machine; and so is what a requirement rests on."""
    one_state = {each.name: each.scope for each in INVARIANTS if not each.scope.is_step}
    machine_of = {each.name: each.scope.machine for each in INVARIANTS}
    machine_of |= {each.name: each.machine for each in REQUIREMENTS}
    for key, premises in machines.RESTS_ON.items():
        name, _, transition = key.partition("/")
        machine = machine_of[name]
        assert not transition or transition in [each.id for each in machine.transitions]
        for premise in premises:
            assert one_state[premise].machine is machine


OF_MACHINES = [each for each in INVARIANTS if each.scope.machine is not None]


@pytest.mark.parametrize("invariant", OF_MACHINES, ids=lambda each: each.name)
def test_a_broken_machine_is_refuted(invariant):
    """By a state in which every invariant holds, and a step from it that Python confirms."""
    broken = invariant.broken.machine
    whole = {item.id: item for item in invariant.scope.machine.transitions}
    changed = [each for each in broken.transitions if each != whole[each.id]]
    about = [obligation for each in changed for obligation in machines.of_transition(broken, each)]
    # Another invariant may see it sooner.
    about.sort(key=lambda each: each.name.split("/")[1] != f"{broken.name}.{invariant.name}")
    found = next(filter(None, map(countermodel_of, about)), None)
    assert found is not None, invariant.broken.what
    assert found.confirmed, str(found)


RUN_STATE, FRAME_STATE = t.fields_of("s", FlowRunState), t.fields_of("s", FlowFrameState)


@pytest.mark.parametrize(
    ("term", "valid"),
    [
        (t.for_all(RUN_STATE.step_status, lambda step: t.member(step, RUN_STATE.step_status)), True),
        (t.for_all(RUN_STATE.step_status, lambda step: t.member(step, RUN_STATE.tracked_steps)), False),
        (t.for_all(RUN_STATE.ready_frames, lambda frame: t.member(frame, RUN_STATE.ready_frames)), True),
        (t.implies(t.exists(RUN_STATE.tracked_steps, lambda step: step.eq(step)), t.Or(())), False),
        (~t.exists(RUN_STATE.tracked_steps, lambda step: ~step.eq(step)), True),
        (t.Elements(RUN_STATE.ready_frames).eq(t.Elements(RUN_STATE.ready_frames)), True),
        (t.Elements(RUN_STATE.ready_frames).eq(RUN_STATE.ready_frame_membership), False),
        (RUN_STATE.step_status.eq(t.store(RUN_STATE.step_status, "x", None)), False),
        (t.each_once(t.Tail(RUN_STATE.ready_frames)), False),
        (t.implies(t.each_once(RUN_STATE.ready_frames), t.each_once(t.Tail(RUN_STATE.ready_frames))), True),
    ],
)
def test_a_goal_is_valid_exactly_when_its_term_is(term, valid):
    """The names it gives take nothing away, and add nothing."""
    translation = Translation()
    names = {"s": translation.fresh("s", Scope.RUN.variables[0].sort)}
    formed = translation.well_formed(names["s"], Scope.RUN.variables[0].sort)
    for formula in (Goal(translation, names).of(term), translation.translate(term, names)):
        solver = z3.Solver()
        solver.add(*translation.axioms, formed, z3.Not(formula))
        assert (solver.check() == z3.unsat) is valid


def test_guarding_proves_nothing_that_is_not_so():
    """A false goal stays false when little is near."""
    broken = next(each for each in INVARIANTS if each.name == "nodes-move-on").broken.machine
    transition = next(each for each in broken.transitions if each.id == "CompleteNode")
    for obligation in machines.of_transition(broken, transition):
        if "nodes-move-on" in obligation.name:
            assert obligation.scope is UNBOUNDED
            assert settle(obligation, limit=30).verdict is Verdict.REFUTED


def test_every_transition_but_the_refused_one_can_be_taken():
    names = {each.name for each in machines.obligations(SUBJECT)}
    for machine in (RUN, FRAME, LOOP, AUTHORITY):
        for transition in machine.transitions:
            never = transition.id == "ProjectFrameStepStatus"
            assert (f"taken/{machine.name}/{transition.id}" in names) is not never
