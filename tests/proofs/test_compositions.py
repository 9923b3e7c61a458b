"""Every commit of the table keeps the invariants of a run, which is proved; one that is broken is refuted."""

import attrs
import pytest

from mobstore.model.callers.commits import COMMITS, flow
from mobstore.model.machines import frame_inputs, loop_inputs, run_inputs
from mobstore.model.machines import terms as t
from mobstore.model.values import StepStatus
from mobstore.properties.companions import COMPANIONS
from mobstore.properties.invariants import Scope, of_scope
from mobstore.properties.proofs import cases, compositions
from mobstore.properties.proofs.registry import SUBJECT, chosen
from mobstore.properties.proofs.settlement import settle
from mobstore.properties.proofs.solvers import Verdict

SOME = (
    "composed/*/grant-body",
    "composed/slots-are-exact/release-slot",
    "composed/running-steps-have-slots",
    "composed/completed-run-has-completed-steps/end-run",
    "composed/ended-run-has-no-work-out/cancel-run",
    "composed/parent-node-waits-for-its-loop/start-loop",
    "repeated",
    "relied",
    "created",
)
"""``mobstore prove`` settles the others as well; `make check` runs it."""


@pytest.mark.parametrize("pattern", SOME)
def test_obligations_about_commits_hold_without_a_bound(pattern):
    """In both solvers."""
    for obligation in chosen([pattern]):
        result = settle(obligation)
        assert result.is_unbounded
        assert result.verdict is Verdict.HOLDS, (result.name, result.findings, str(result.countermodel))


def test_every_commit_and_every_invariant_of_a_run_has_its_obligation():
    """But those that follow from another one."""
    names = {each.name for each in compositions.obligations(SUBJECT)}
    for invariant in (*of_scope(Scope.COMPOSITION), *COMPANIONS):
        if invariant.name in compositions.FOLLOWS:
            assert f"composed/{invariant.name}" in names
        else:
            assert {f"composed/{invariant.name}/{commit}" for commit in COMMITS} <= names


def test_what_is_given_can_be_so():
    """Each commit is made in runs that drivers come to, in which all holds that is given, and afterwards, too."""
    for commit in COMMITS.values():
        first = next(cases.made(commit))
        for run in (first[0], first[3]):
            assert all(each.holds(run) for each in compositions.OF_RUNS), commit.name
        assert cases.broken_by(commit) is None


def test_what_one_rests_on_is_proved_itself():
    """Of the run, or of the machines."""
    proved = {each.name for scope in Scope if not scope.is_step for each in of_scope(scope)}
    proved |= {each.name for each in COMPANIONS}
    for name, premises in compositions.RESTS_ON.items():
        assert {name, *premises} <= proved


def without(name, input=None, requirement=None):
    commit = COMMITS[name]
    inputs = tuple(each for each in commit.inputs if each.input is not input)
    requires = tuple(each for each in commit.requires if each.name != requirement)
    assert (inputs, requires) != (commit.inputs, commit.requires)
    return attrs.evolve(commit, inputs=inputs, requires=requires)


BROKEN = {
    "keeps the slot of a loop's node": (
        without("start-loop", run_inputs.NodeExecutionReleased),
        "slots-are-exact",
    ),
    "gives the slot of a completed step back twice": (
        without("release-slot", frame_inputs.RecordNodeOutput),
        "slots-are-exact",
    ),
    "leaves work out in a canceled run": (
        without("cancel-run", run_inputs.CancelStep),
        "ended-run-has-no-work-out",
    ),
    "counts a body that ended": (
        without("fail-body", run_inputs.FrameTerminated),
        "frame-count-is-that-of-active-loops",
    ),
    "ends a loop, not its parent node": (
        without("complete-loop", frame_inputs.CompleteNode),
        "parent-node-waits-for-its-loop",
    ),
    "starts a body that its loop does not know": (
        without("grant-body", loop_inputs.BodyFrameStarted),
        "ledger-follows-the-loops",
    ),
    "nests loops as deep as it likes": (
        without("start-loop", requirement="it may be nested so deep"),
        "depth-within-maximum",
    ),
}


@pytest.mark.parametrize(("commit", "invariant"), BROKEN.values(), ids=BROKEN)
def test_a_broken_commit_is_refuted(commit, invariant):
    """By no proof in both solvers, and a run that drivers come to, after which the invariant does not hold."""
    (obligation,) = (
        each for each in compositions.of_commit(commit) if each.name == f"composed/{invariant}/{commit.name}"
    )
    result = settle(obligation, limit=0.5)
    assert result.verdict is Verdict.REFUTED
    assert result.countermodel is not None
    assert result.countermodel.confirmed, str(result.countermodel)
    assert commit.name in result.countermodel.call


def test_an_input_that_does_more_is_not_repeated_at_once():
    """What it comes to many times over is known of one that stores a constant, and of no other."""
    changed = attrs.evolve(COMMITS["cancel-run"].inputs[0], input=run_inputs.FailStep)
    commit = attrs.evolve(COMMITS["cancel-run"], inputs=(changed, *COMMITS["cancel-run"].inputs[1:]))
    obligation = next(each for each in compositions.of_commit(commit) if each.name.startswith("composed/ended"))
    with pytest.raises((TypeError, ValueError)):
        settle(obligation)


def test_an_input_that_is_due_by_what_it_does_itself_does_not_come_to_that():
    """One that is repeated as long as nothing was canceled is taken once, not for each step."""
    first, *rest = COMMITS["cancel-run"].inputs

    def is_canceled(step):
        return t.at(flow.step_status, step, None).eq(StepStatus.CANCELED)

    once = attrs.evolve(first, when=~t.exists(flow.step_status, is_canceled))
    commit = attrs.evolve(COMMITS["cancel-run"], inputs=(once, *rest))
    (obligation,) = (each for each in compositions.of_commit(commit) if each.name.startswith("repeated/"))
    assert settle(obligation, limit=30).verdict is Verdict.REFUTED
