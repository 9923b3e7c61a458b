"""Our stores as a model: recorded from real backends, written, read, and rejected when a backend is broken."""

import io
import random
import threading

import attrs
import pytest

from mobstore.backends import memory, sqlite
from mobstore.model import State, Timestamp, evolve, step
from mobstore.model import operations as ops
from mobstore.properties import pools
from mobstore.properties.linearizability import Answer, Recorder, check, read_history, recheck
from mobstore.properties.linearizability.jsonl import events_of, write_events
from mobstore.properties.linearizability.random_histories import KINDS, Shape, draw_history
from mobstore.properties.linearizability.stores import StoreModel, object_of
from mobstore.properties.subject import Outcome, call_port, outcome_of

RUN = evolve(pools.RUNS[0], {"run_id": pools.RUN_IDS[0]})
ID = RUN.run_id


def flow(number):
    return evolve(pools.FLOW_STATES[1], {"failure_count": number})


def recorded(stores, *clients):
    """Return the history of clients, each a list of operations, that call at once."""
    recorder, barrier = Recorder(), threading.Barrier(len(clients))

    def work(process, operations):
        barrier.wait()
        for operation in operations:
            process.invoke(operation.call, operation)
            process.ok(outcome_of(lambda: call_port(stores, operation)))  # noqa: B023

    threads = [threading.Thread(target=work, args=(recorder.process(), operations)) for operations in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return recorder.history()


def racing():
    """Clients that read, and compare and set what another has set; overlays, events and names besides."""
    return [
        [
            ops.CasFlowState(ID, flow(number), flow(number + 1)),
            ops.GetRun(ID),
            ops.CasFrameStateWithAuthority(ID, "root", None, pools.FRAMES[client], pools.ACCEPTED_INPUTS[:1]),
            ops.PutSupervisorAuthorityIfAbsent("mob", pools.AUTHORITIES[client]),
            ops.Append(pools.EVENTS[0]),
            ops.LatestCursor(),
            ops.PutSpec("mob", pools.DOCUMENTS[0], number),
        ][step:]
        for client in range(3)
        for number, step in ((client, 0), (client + 1, 1))
    ]


@pytest.fixture(params=["memory", "sqlite"])
def stores(request, tmp_path):
    opened = memory.open() if request.param == "memory" else sqlite.open(tmp_path / "stores.db")
    opened.runs.create_run(evolve(RUN, {"flow_state": flow(0)}))
    yield opened
    if request.param == "sqlite":
        opened.close()


def start():
    return step(State(), ops.CreateRun(evolve(RUN, {"flow_state": flow(0)})), 0)[0]


def test_what_our_backends_answer_at_once_is_linearizable(stores):
    model, history = StoreModel(start()), recorded(stores, *racing())
    found = check(history, model)
    assert found.answer is Answer.LINEARIZABLE, found.first_failure
    assert {each.key for each in found.objects} == {
        ("run", ID),
        ("metadata", "authority", "mob"),
        ("event",),
        ("spec", "mob"),
    }


def test_a_history_of_the_stores_is_written_and_read_again(stores):
    model, history = StoreModel(start()), recorded(stores, *racing())
    file = io.StringIO()
    write_events(events_of(history), file, model.plain)
    again = read_history(file.getvalue().splitlines(), rules=model.admit)
    assert [call.f for call in again] == [call.f for call in history]
    told = [[call.answer for call in each if call.value.store != "metadata"] for each in (history, again)]
    assert told[0] == told[1]
    assert check(again, model).answer is Answer.LINEARIZABLE


def test_a_file_has_no_secrets():
    """Equal keys are still equal."""
    model = StoreModel()
    record = pools.AUTHORITIES[3]
    calls = [ops.PutSupervisorAuthority("mob", record), ops.LoadSupervisorAuthority("mob")]
    history = recorded(memory.open(), calls)
    file = io.StringIO()
    write_events(events_of(history), file, model.plain)
    for byte in (1, 3):
        assert str(pools.secret_key(byte).to_json()) not in file.getvalue()
    again = read_history(file.getvalue().splitlines(), rules=model.admit)
    assert again.value[0].record == again.answer[1].value
    assert check(again, model).answer is Answer.LINEARIZABLE


def test_a_lost_update_is_not_linearizable(drawn):
    """Both of two compare-and-sets of one flow state say that they replaced it."""
    calls = [
        (0, "cas_flow_state", ops.CasFlowState(ID, flow(0), flow(1)), Outcome(value=True), 0, 3),
        (1, "cas_flow_state", ops.CasFlowState(ID, flow(0), flow(2)), Outcome(value=True), 1, 4),
    ]
    model, history = StoreModel(start()), drawn(*calls)
    found = check(history, model).first_failure
    assert (found.proof.kind, found.decided_by) == ("double success", "chain")
    assert recheck(history, model, found, range(2)) is None


def test_what_a_reader_saw_beside_the_cells_counts_too(drawn):
    """The authority log is no cell that a call compares, but a reader sees it."""
    inputs = pools.ACCEPTED_INPUTS[:1]
    cas = ops.CasFlowStateWithAuthority(ID, flow(0), flow(1), inputs)
    after, _ = step(start(), cas, 0)
    run = after.run.runs[ID]
    torn = evolve(run, {"flow_authority_inputs": RUN.flow_authority_inputs})
    for seen, answer in ((run, Answer.LINEARIZABLE), (torn, Answer.NOT_LINEARIZABLE)):
        history = drawn(
            (0, cas.call, cas, Outcome(value=True), 0, 3), (1, "get_run", ops.GetRun(ID), Outcome(seen), 1, 4)
        )
        found = check(history, StoreModel(start()))
        assert (found.answer, found.decided_by) == (answer, ("chain",))
        assert recheck(history, StoreModel(start()), found.objects[0], range(2)) is None


def test_times_of_the_store_are_compared_only_when_its_clock_stood_still(drawn):
    event = step(State(), ops.Append(pools.EVENTS[0]), 5)[1]
    history = drawn((0, "append", ops.Append(pools.EVENTS[0]), Outcome(event), 0, 1))
    assert event.timestamp == Timestamp.from_nanos(5)
    assert check(history, StoreModel()).answer is Answer.LINEARIZABLE
    assert check(history, StoreModel(now=5)).answer is Answer.LINEARIZABLE
    assert check(history, StoreModel(now=6)).answer is Answer.NOT_LINEARIZABLE


def test_a_list_of_a_store_makes_it_one_object(drawn):
    calls = [
        (0, "get_run", ops.GetRun(ID), Outcome(None), 0, 1),
        (0, "create_run", ops.CreateRun(RUN), Outcome(None), 2, 3),
        (0, "get_run", ops.GetRun(pools.RUN_IDS[1]), Outcome(None), 4, 5),
    ]
    listing = (0, "list_runs", ops.ListRuns(RUN.mob_id), Outcome((RUN,)), 6, 7)
    assert len(StoreModel().parts(drawn(*calls))) == 2
    assert set(StoreModel().parts(drawn(*calls, listing))) == {("run",)}
    assert check(drawn(*calls, listing), StoreModel()).answer is Answer.LINEARIZABLE
    assert object_of(ops.DeleteExternalBindingOverlays("mob")) == ("metadata", "overlays", "mob")


def test_what_the_stores_number_orders_their_changes():
    """Revisions, cursors and unique records: thousands of calls are decided without a search."""
    make, draw = KINDS["stores, names, events and authorities"]
    ordered = (ops.PutSpec, ops.GetSpec, ops.CreateProfile, ops.UpdateProfile, ops.GetProfile, ops.ReplayAll)
    ordered += (ops.Append, ops.AppendTerminalEventIfAbsent, ops.AppendBatch, ops.Poll, ops.LatestCursor)
    ordered += (
        ops.LoadSupervisorAuthority,
        ops.CompareAndPutSupervisorAuthority,
        ops.PutSupervisorAuthorityIfAbsent,
    )

    def draw_ordered(rng, world):
        while not isinstance((drawn := draw(rng, world))[2], ordered):
            pass
        return drawn

    for lies, answer in ((0, Answer.LINEARIZABLE), (1, Answer.NOT_LINEARIZABLE)):
        model = make()
        history = draw_history(random.Random(lies), model, draw_ordered, Shape(600, 6, lies=lies, lucky=0.7))
        found = check(history, model)
        assert found.answer is answer
        assert set(found.decided_by) <= {"chain", "sequential"}
        assert {each.key[0] for each in found.objects} == {"spec", "profile", "event", "metadata"}


def test_unknown_changes_that_differ_beside_the_cells_are_not_taken_for_each_other(drawn):
    """Two puts of unknown outcome give the same revision and different definitions; one of them was seen."""
    one, other = pools.DOCUMENTS[1], pools.DOCUMENTS[7]
    puts = [
        (place, "put_spec", ops.PutSpec("mob", document, 0), None, place)
        for place, document in enumerate((one, other))
    ]
    for document, answer in (
        (one, Answer.LINEARIZABLE),
        (other, Answer.LINEARIZABLE),
        (pools.DOCUMENTS[5], Answer.NOT_LINEARIZABLE),
    ):
        seen = (2, "get_spec", ops.GetSpec("mob"), Outcome((document, 1)), 5, 6)
        history, model = drawn(*puts, seen), StoreModel()
        found = check(history, model)
        assert found.answer is answer
        assert recheck(history, model, found.objects[0], range(3)) is None


def test_an_answer_that_only_whole_states_contradict_is_refuted_by_the_chain(drawn):
    """The cursors are in order, and one event is told as another."""
    events = [pools.EVENTS[1], pools.EVENTS[2]]
    state, answers = State(), []
    for event in events:
        state, answer = step(state, ops.Append(event), 0)
        answers.append(answer)
    model = StoreModel(now=0)
    for told, right in ((answers[1], True), (evolve(answers[1], {"kind": answers[0].kind}), False)):
        calls = ((0, answers[0], 0, 3), (1, told, 1, 4))
        history = drawn(
            *((place, "append", ops.Append(events[place]), Outcome(each), *span) for place, each, *span in calls)
        )
        (found,) = check(history, model).objects
        assert (found.decided_by, found.proof is None) == ("chain", right)
        assert right or found.proof.kind == "expectation"
        assert recheck(history, model, found, range(2)) is None


def test_a_refutation_may_name_either_of_two_creations_that_cells_do_not_tell_apart(drawn):
    """Nobody knows which of them happened, but one did: the profile was updated, and then seen as absent."""
    model = StoreModel(State(), 0)
    creations = [ops.CreateProfile("base", document) for document in pools.DOCUMENTS[:2]]
    update = ops.UpdateProfile("base", pools.DOCUMENTS[2], 1)
    stored = step(step(State(), creations[0], 0)[0], update, 0)[1]
    history = drawn(
        (0, "create", creations[0], None, 0),
        (1, "create", creations[1], None, 1),
        (2, "update", update, Outcome(stored), 2, 3),
        (2, "get", ops.GetProfile("base"), Outcome(None), 4, 5),
    )
    verdict = check(history, model).first_failure
    assert verdict.decided_by == "graph"
    rows = model.parts(history)[verdict.key]
    assert recheck(history, model, verdict, rows) is None
    edges = tuple(edge for edge in verdict.proof.edges if edge.earlier != 0)
    unfounded = attrs.evolve(verdict, proof=attrs.evolve(verdict.proof, edges=edges))
    assert recheck(history, model, unfounded, rows) == "the edges close no cycle"
