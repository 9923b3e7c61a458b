"""Histories: recorded from threads, tasks and processes; written, read, and refused when malformed."""

import asyncio
import contextlib
import io
import subprocess
import sys
import threading

import pytest

from mobstore.properties.linearizability.history import (
    NEVER,
    Event,
    MalformedHistory,
    Outcome,
    Recorder,
    history_of,
)
from mobstore.properties.linearizability.jsonl import events_of, frozen, read_history, thawed, write_events


def invoke(process, f="read", value="null", more=""):
    return f'{{"process": {process}, "type": "invoke", "f": "{f}", "value": {value}{more}}}'


def respond(process, kind="ok", f="read", value="null", more=""):
    return f'{{"process": {process}, "type": "{kind}", "f": "{f}", "value": {value}{more}}}'


def test_spans_are_the_places_of_the_events():
    history = read_history([invoke(0), invoke(1, "write", 3), respond(0, value=5), respond(1, "info", "write", 3)])
    first, second = history
    assert (first.inv, first.res, first.answer, first.outcome) == (0, 2, 5, Outcome.OK)
    assert (second.inv, second.res, second.value, second.outcome) == (1, NEVER, 3, Outcome.INFO)


def test_a_call_without_response_is_pending():
    (call,) = read_history([invoke(0)])
    assert call.outcome is Outcome.PENDING
    assert call.res == NEVER


def test_at_equal_times_invocations_come_before_responses():
    """So calls that touch overlap."""
    events = [
        Event(0, None, "read", time=1),
        Event(0, Outcome.OK, "read", time=2),
        Event(1, None, "read", time=2),
        Event(1, Outcome.OK, "read", time=3),
    ]
    first, second = history_of(events)
    assert first.res > second.inv


def test_times_order_the_parts_of_a_history():
    late, early = [invoke(1, more=', "time": 5')], [invoke(0, more=', "time": 3')]
    assert [call.process for call in read_history(late, early)] == [0, 1]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (['{"process"'], "line 1: no JSON: "),
        (['{"process": 0, "type": "invoke", "f": "read", "value": NaN}'], "line 1: no JSON: NaN is no number"),
        (["[" * 100_000], "line 1: JSON nested too deeply"),
        (["3"], "line 1: an event is a JSON object"),
        (['{"process": 0, "f": "read"}'], "'type' is missing"),
        (['{"process": null, "type": "invoke", "f": "read"}'], "'process' is a number or a text, not None"),
        (['{"process": 0, "type": "done", "f": "read"}'], "'type' is one of invoke, ok, fail, info, not 'done'"),
        (['{"process": 0, "type": ["ok"], "f": "read"}'], "'type' is one of invoke, ok, fail, info"),
        (['{"process": 0, "type": "invoke", "f": 3}'], "'f' is the name of an operation, not 3"),
        ([invoke(0, more=', "time": 1.5')], "'time' is a whole number of nanoseconds, not 1.5"),
        ([invoke(0, more=', "result": 1')], "'result' belongs to a response of type ok"),
        (["", respond(0)], "line 2: a response to 'read' of process 0, which has no call without response"),
        ([invoke(0), "", invoke(0)], "line 3: process 0 invokes 'read' before the response to its call at line 1"),
        ([invoke(0), respond(0, f="cas")], "line 2: process 0 invoked 'read', and this is a response to 'cas'"),
        ([invoke(0, more=', "time": 2'), respond(0)], "line 2: an event without a time, and others have one"),
        (
            [invoke(0, more=', "time": 2'), respond(0, more=', "time": 1')],
            "line 2: the response has an earlier time than its invocation",
        ),
        ([invoke(0, "write", 3), respond(0, f="write", value=4)], "line 2: the response says value 4, the invoc"),
        ([invoke(0, more=', "key": 1'), respond(0, more=', "key": 2')], "line 2: the response names another key"),
    ],
)
def test_a_malformed_history_says_where_and_which_rule(text, message):
    with pytest.raises(MalformedHistory) as refused:
        read_history(text)
    assert message in str(refused.value)


def test_a_file_that_is_no_text_is_refused(tmp_path):
    (tmp_path / "bad.jsonl").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(MalformedHistory, match="no UTF-8"):
        read_history(tmp_path / "bad.jsonl")


def test_json_values_keep_their_kind():
    """True is not 1, and objects have no order."""
    assert frozen([True]) != frozen([1])
    assert frozen({"a": [1], "b": False}) == frozen({"b": False, "a": [1]})
    assert thawed(frozen({"a": [1, {"b": None}], "c": True})) == {"a": [1, {"b": None}], "c": True}


def test_what_is_written_is_read_again():
    recorder = Recorder(iter(range(100)).__next__)
    client, other = recorder.process(), recorder.process("other")
    client.invoke("cas", (1, 2), "key")
    other.invoke("read")
    client.ok(frozen([True]))
    other.ok(2)
    client.invoke("write", 4)
    client.info()
    other.invoke("write", 5)
    other.fail()
    other.invoke("read")
    history = recorder.history()
    file = io.StringIO()
    write_events(events_of(history), file)
    again = read_history(file.getvalue().splitlines())
    assert list(again) == list(history)


def test_a_call_that_raises_is_of_unknown_outcome():
    process = (recorder := Recorder()).process()
    assert process.call("double", lambda value: 2 * value, 4) == 8
    with pytest.raises(ZeroDivisionError):
        process.call("divide", lambda value: 1 // value, 0)
    assert [call.outcome for call in recorder.history()] == [Outcome.OK, Outcome.INFO]


def test_threads_and_tasks_record_into_one_history():
    recorder = Recorder()

    def work(process):
        for number in range(100):
            process.invoke("write", number)
            process.ok()

    threads = [threading.Thread(target=work, args=(recorder.process(),)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    async def task(process):
        process.invoke("read")
        await asyncio.sleep(0)
        process.ok(3)

    async def tasks():
        await asyncio.gather(*(task(recorder.process()) for _ in range(3)))

    asyncio.run(tasks())
    history = recorder.history()
    assert len(history) == 403
    assert sorted(history.inv) == history.inv
    assert {call.process for call in history} == set(range(7))
    last = list(history)[-3:]
    assert max(call.inv for call in last) < min(call.res for call in last), "the tasks overlap"


PROGRAM = """
import sys
from mobstore.properties.linearizability.history import Recorder
from mobstore.properties.linearizability.jsonl import write_events

recorder = Recorder()
process = recorder.process(sys.argv[1])
for number in range(50):
    process.invoke("write", number)
    process.ok()
write_events(recorder.events(), sys.stdout)
"""


def test_processes_write_a_file_each_on_one_clock(tmp_path):
    names = ["a", "b"]
    with contextlib.ExitStack() as files:
        workers = [
            subprocess.Popen(
                [sys.executable, "-c", PROGRAM, name], stdout=files.enter_context((tmp_path / name).open("w"))
            )
            for name in names
        ]
        assert [worker.wait() for worker in workers] == [0, 0]
    history = read_history(*(tmp_path / name for name in names))
    assert len(history) == 100
    for name in names:
        assert [call.value for call in history if call.process == name] == list(range(50))
