"""The obligations about the changing calls hold, are about the code that runs, and catch what is broken."""

from pathlib import Path

import pytest

from mobstore.model.operations import OPERATIONS
from mobstore.model.wrappers import ROWS
from mobstore.properties.mutants import MUTANTS
from mobstore.properties.proofs import calls, settlement
from mobstore.properties.proofs._execution import STEP
from mobstore.properties.proofs.obligation import ASSUMPTIONS
from mobstore.properties.proofs.registry import SUBJECT, Subject, chosen, obligations
from mobstore.properties.proofs.sentences import SENTENCE_OF
from mobstore.properties.proofs.solvers import Verdict

SOURCE = Path(STEP.__file__).read_text("utf-8")
OF_CALL = {}
for _each in chosen(["call"]):
    OF_CALL.setdefault(_each.name.split("/")[1], []).append(_each)

SOME = (
    "cas_run_status",
    "cas_start_loop_with_authority",
    "cas_complete_step_and_record_output",
    "put_step_output",
    "create_run",
    "delete_spec",
    "put_external_binding_overlay_if_absent",
)
"""``mobstore prove`` settles the others as well; `make check` runs it."""


@pytest.mark.parametrize("call", SOME)
def test_the_obligations_of_a_call_hold(call):
    """In both solvers."""
    for obligation in OF_CALL[call]:
        result = settlement.settle(obligation)
        assert result.verdict is Verdict.HOLDS, (result.name, result.findings, str(result.countermodel))
        assert {finding.solver for finding in result.findings} == {"z3", "cvc5"}


def test_every_changing_call_has_its_sentence():
    """But those of the event store, whose answers depend on what is inside the events."""
    changing = {
        f"{call}_profile" if store == "profile" else call
        for (store, call), operation in OPERATIONS.items()
        if not operation.reads and store != "event"
    }
    assert set(SENTENCE_OF) == changing == set(OF_CALL)


def test_names_are_unique_and_assumptions_are_known():
    every = list(obligations())
    assert len({each.name for each in every}) == len(every)
    assert {key for each in every for key in each.assumptions} <= set(ASSUMPTIONS)
    assert all(each.sentence.endswith(".") for each in every)


def test_the_wrappers_are_proved_without_any_bound():
    """Only what can happen is shown by an example."""
    for each in chosen(["call"]):
        assert each.scope.is_unbounded or "/happens/" in each.name, each.name


def refuted(subject, call):
    """The results of the obligations of a call that do not hold of a subject."""
    results = map(settlement.settle, calls.of_call(subject, call))
    return [result for result in results if result.verdict is not Verdict.HOLDS]


def test_nothing_is_refuted_of_the_tables_as_they_are():
    assert refuted(SUBJECT, "cas_frame_state") == []


@pytest.mark.parametrize("row", [row for row in ROWS if row.name in SOME], ids=lambda row: row.name)
def test_a_row_that_is_changed_is_refuted(row):
    """By a countermodel that Python confirms, each third change; ``mobstore prove --mutants`` tries all."""
    for changed in [mutant.row for mutant in MUTANTS if mutant.original is row][::3]:
        found = refuted(Subject(rows=tuple(changed if each is row else each for each in ROWS)), row.name)
        assert found, changed
        assert {result.verdict for result in found} == {Verdict.REFUTED}
        assert any(result.countermodel is not None for result in found)
        for result in found:
            assert result.countermodel is None or result.countermodel.confirmed, str(result.countermodel)


@pytest.mark.parametrize(
    ("call", "old", "new"),
    [
        ("put_spec", "(op.definition, present + 1)", "(op.definition, present + 2)"),
        ("delete_spec", "op.revision not in (None, present)", "op.revision not in (present,)"),
        ("create_run", "if run.run_id in state.runs:", "if run.mob_id in state.of_mob:"),
        ("update_profile", "held.revision + 1, held.created_at", "held.revision + 1, Timestamp.from_nanos(now)"),
        ("cas_run_status", "and run.completed_at is None", ""),
        ("cas_complete_step_and_record_output", "outputs.set(key, output)", "outputs"),
        ("put_external_binding_overlay_if_absent", "if key in overlays:", "if op.mob_id in state.overlays:"),
        ("compare_and_put_supervisor_authority", "state.authorities.get(op.mob_id) != op.expected", "False"),
    ],
)
def test_code_that_is_changed_is_refuted(call, old, new):
    """What is proved is about the text of ``step``: a change of the text is seen."""
    assert SOURCE.count(old) >= 1
    found = refuted(Subject(source=SOURCE.replace(old, new)), call)
    assert found
    assert all(result.countermodel is None or result.countermodel.confirmed for result in found)


def test_code_that_looks_into_a_snapshot_is_not_proved():
    """What the store keeps as a whole has no parts for a proof."""
    peeking = SOURCE.replace('changes["flow_state"] = flow_state', 'changes["flow_state"] = flow_state.phase')
    assert refuted(Subject(source=peeking), "cas_flow_state")


def test_patterns_choose_by_name():
    assert [each.name for each in chosen(["call/create_run/answer"])] == ["call/create_run/answer"]
    assert {each.name.split("/")[1] for each in chosen(["call/cas_start_loop*"])} == {
        "cas_start_loop",
        "cas_start_loop_with_authority",
    }
    assert len(chosen(["call/create_run"])) == len(OF_CALL["create_run"])
    with pytest.raises(LookupError, match="there is no obligation 'call/cas_nothing'"):
        chosen(["call/cas_nothing"])
