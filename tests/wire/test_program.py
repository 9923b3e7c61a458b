"""A program is spoken to over the wire, and held to the protocol: what is wrong with it is told, and no pass."""

import json
import shlex
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from mobstore.backends import wire
from mobstore.backends.wire import client
from mobstore.model import Document, Internal, NewMobEvent, ReadFailed, RunId, SpecRevisionConflict, WriteFailed
from mobstore.properties import cli, pools, smoke
from mobstore.properties.subject import call_port

BROKEN = Path(__file__).with_name("broken.py")
SERVE = [sys.executable, "-m", "mobstore.properties.cli", "serve"]
EVENT = NewMobEvent("mob", Document.of({"type": "mob_reset"}))


def broken(what, op="put_step_output", timeout=10.0):
    return wire.open([sys.executable, str(BROKEN), what, op], timeout=timeout)


@pytest.fixture
def stores():
    with wire.open([*SERVE, "memory"]) as stores:
        yield stores


def test_every_call_goes_through(stores):
    """And is answered."""
    for operation in smoke.EXECUTED:
        call_port(stores, operation)
    assert stores.engine.program.greeting.name == "memory"


def test_errors_arrive_as_they_are(stores):
    """Kind, message and fields."""
    with pytest.raises(SpecRevisionConflict) as caught:
        stores.specs.put_spec("m", {}, 7)
    assert caught.value == SpecRevisionConflict("m", 7, 0)
    assert (caught.value.mob_id, caught.value.expected, caught.value.actual) == ("m", 7, 0)
    with pytest.raises(Internal, match=r"Internal error: limit exceeds i64::MAX"):
        stores.events.poll(0, 2**63)


def test_a_subscription_waits_in_the_program(stores):
    """And other calls go on meanwhile: answers come out of order."""
    subscription = stores.events.subscribe()
    appended = threading.Timer(0.1, lambda: stores.events.append(EVENT))
    appended.start()
    assert [event.cursor for event in subscription.drain(10).events] == [1]
    appended.join()
    assert subscription.drain(0).events == ()
    subscription.close()
    with pytest.raises(Internal, match="the subscription is closed"):
        subscription.drain(0)


def test_threads_call_at_once(stores):
    """Every one gets its own answers."""
    errors = []

    def work(number):
        try:
            for round_ in range(50):
                mob = f"mob {number}"
                assert stores.specs.put_spec(mob, {"n": number}) == round_ + 1
                assert stores.specs.get_spec(mob)[0].value == {"n": number}
        except Exception as error:  # noqa: BLE001
            errors.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []


def test_a_closed_store_refuses_calls():
    """And its program has ended."""
    stores = wire.open([*SERVE, "memory"])
    stores.close()
    assert stores.engine.program._process.returncode == 0
    for call, kind in ((stores.events.latest_cursor, ReadFailed), (stores.events.clear, WriteFailed)):
        with pytest.raises(kind, match="closed"):
            call()
    with pytest.raises(ReadFailed, match="closed"):
        stores.events.subscribe()


BREAKS = {
    "dies": "ended with exit code 3 while run.put_step_output waited for an answer; it last wrote .* out of memory",
    "is-killed": "was killed by SIGABRT while run.put_step_output waited",
    "does-not-answer": "did not answer run.put_step_output within 1 s",
    "stops-reading": "did not answer run.put_step_output within 1 s",
    "closes-its-output": "closed its output, and did not end",
    "writes-rubbish": "wrote a line that is no JSON .*: 'hello!'",
    "writes-half-a-line": "ended with exit code 0 .* in the middle of a line",
    "writes-no-object": "wrote a line that is no answer, which is an object: '17'",
    "writes-a-secret": "not shown: it holds secrets",
    "answers-an-unknown-id": "answered the id 999999, which was never asked",
    "answers-ok-and-err": "no JSON|an answer has id, and ok or err",
    "answers-another-type": "answered run.put_step_output with what is no answer to it: ok: 'yes' is not null",
    "answers-a-text-for-an-id": "an answer whose id is no unsigned integer",
    "errs-with-an-unknown-kind": "an error of kind 'Oops', which does not exist",
    "errs-without-a-message": "an error that has no kind and message",
    "errs-without-its-fields": "a SpecRevisionConflict whose fields are not kind, message, mob_id",
    "could-not-read": "could not read what it was sent",
}


@pytest.mark.parametrize("what", BREAKS)
def test_what_is_wrong_with_a_program_is_told(what, monkeypatch):
    """As what it is, and as no error of the contract."""
    monkeypatch.setattr(client, "GRACE", 1.0)
    stores = broken(what, timeout=1.0 if BREAKS[what].startswith("did not") else 10.0)
    stores.runs.create_run(pools.RUNS[3])
    with pytest.raises(wire.ProgramFailure, match=BREAKS[what]):
        stores.runs.put_step_output(pools.RUN_IDS[0], "s1", 1)
    if stores.engine.program.failed:
        with pytest.raises(wire.ProgramFailure, match=BREAKS[what]):
            stores.events.latest_cursor()
    stores.close()


def test_a_second_answer_is_noticed_by_the_next_call():
    """At the latest by the one that empties the storage."""
    stores = broken("answers-twice")
    stores.runs.create_run(pools.RUNS[3])
    stores.runs.put_step_output(pools.RUN_IDS[0], "s1", 1)
    with pytest.raises(wire.ProgramMisspoke, match=r"answered the id \d+, which was answered already"):
        stores.events.latest_cursor()
    stores.close()


@pytest.mark.parametrize(
    ("what", "told"),
    [
        ("speaks-at-the-end", "wrote after the end of its input"),
        ("does-not-end", "did not end within 1 s of the end of its input"),
        ("ends-badly", "ended with exit code 4"),
    ],
)
def test_a_program_ends_when_its_input_does(what, told, monkeypatch):
    """Quietly, and soon."""
    monkeypatch.setattr(client, "GRACE", 1.0)
    stores = broken(what)
    with pytest.raises(wire.ProgramFailure, match=told):
        stores.close()


def test_a_program_that_does_not_greet_is_not_spoken_to():
    """Nor one of another version, nor one that does not exist."""
    with pytest.raises(wire.ProgramMisspoke, match="speaks version 2 of the protocol, and not 1"):
        broken("speaks-another-version", "hello")
    with pytest.raises(wire.ProgramDied, match="ended with exit code 3"):
        broken("dies", "hello")
    with pytest.raises(wire.ProgramDied, match="cannot be started"):
        wire.open(["/does/not/exist"])


def test_a_program_that_does_not_read_is_not_waited_for():
    """However long the line is that it was sent."""
    stores = broken("stops-reading", "latest_cursor", timeout=1.0)
    failures = []

    def ask():
        try:
            stores.events.latest_cursor()
        except wire.ProgramHung as failure:
            failures.append(failure)

    waiting = threading.Thread(target=ask)
    waiting.start()
    time.sleep(0.2)
    with pytest.raises(wire.ProgramHung):
        stores.specs.put_spec("m", ["x" * 1000] * 1000)
    waiting.join()
    assert len(failures) == 1
    stores.close()


NEVER = {
    "dies": "ended with exit code 3",
    "writes-rubbish": "wrote a line that is no JSON",
    "answers-twice": "which was answered already",
    "answers-an-unknown-id": "which was never asked",
    "writes-half-a-line": "in the middle of a line",
    "ends-badly": "ended with exit code 4",
}


def test_a_program_that_accepts_everything_is_rejected(capsys):
    """What has no form in the contract must not be answered."""
    command = f"exec:{shlex.quote(sys.executable)} {shlex.quote(str(BROKEN))} accepts-everything"
    assert cli.main(["check", command, "--chapter", "requests", "--seed", "1"]) == 1
    told = capsys.readouterr().out
    assert "run.create_run with an argument that does not exist: answered null" in told
    (line,) = (line for line in told.splitlines() if line.startswith("printf "))
    answered = subprocess.run(["/bin/sh", "-c", line], capture_output=True, check=True).stdout
    assert json.loads(answered) == {"id": 1, "ok": None}


def test_a_program_that_does_what_it_refuses_is_rejected(capsys):
    """The request that does it is told, though the state is looked at now and then only."""
    command = f"exec:{shlex.quote(sys.executable)} {shlex.quote(str(BROKEN))} does-what-it-refuses put_spec"
    assert cli.main(["check", command, "--chapter", "requests", "--seed", "1"]) == 1
    told = capsys.readouterr().out
    assert "spec.put_spec with an argument that does not exist: was refused and changed something" in told
    assert told.count("printf ") == 1


@pytest.mark.parametrize("what", NEVER)
def test_a_broken_program_never_passes(what, capsys):
    """The command says what is wrong with it."""
    command = f"exec:{shlex.quote(sys.executable)} {shlex.quote(str(BROKEN))} {what} list_runs"
    assert cli.main(["check", command, "--chapter", "smoke", "--seed", "1"]) == 1
    said = capsys.readouterr().out
    assert "FAILED" in said
    assert NEVER[what] in said


def test_a_hanging_program_never_passes(capsys, monkeypatch):
    """And is given up at once, for each further try would hang as long."""
    monkeypatch.setattr(wire.Program, "TIMEOUT", 0.5)
    command = f"exec:{shlex.quote(sys.executable)} {shlex.quote(str(BROKEN))} does-not-answer create"
    begun = time.monotonic()
    assert cli.main(["check", command, "--chapter", "refines-profile", "--seed", "1"]) == 1
    assert "ProgramHung: the program did not answer profile.create within 0.5 s" in capsys.readouterr().out
    assert time.monotonic() - begun < 60


def test_a_file_that_is_served_is_kept(tmp_path):
    """It is emptied only if it was made here, or is said to be scratch; then it survives a crash."""
    path = tmp_path / "runs.db"
    for expected in (1, 2):
        with wire.open([*SERVE, f"sqlite:{path}"]) as stores:
            assert stores.events.append(EVENT).cursor == expected
    with wire.open([*SERVE, f"sqlite:{path}"]) as stores:
        with pytest.raises(Internal, match="it is emptied only with --scratch"):
            stores.engine.program.call(wire.protocol.Reset())
        with pytest.raises(Internal, match="cannot crash"):
            stores.engine.program.crash()
    with wire.open([*SERVE, f"sqlite:{path}", "--scratch"]) as stores:
        stores.engine.program.crash()
        assert stores.events.latest_cursor() == 2
        stores.engine.program.call(wire.protocol.Reset())
        assert stores.events.latest_cursor() == 0


@pytest.mark.parametrize("backend", ["sqlite:/does/not/exist/x.db", "nonsense"])
def test_what_cannot_be_served_is_two_and_a_sentence(backend, capsys):
    """And so is a command that does not exist."""
    assert cli.main(["serve", backend]) == 2
    assert capsys.readouterr().err.startswith("mobstore serve: ")
    assert cli.main(["check", "exec:/does/not/exist"]) == 2
    assert cli.main(["check", "exec:"]) == 2


def test_a_served_store_passes(capsys, tmp_path):
    """Our own backends over the wire, with handles of their own on SQLite."""
    for backend in ("memory", f"sqlite:{tmp_path}/x.db"):
        command = f"exec:{shlex.quote(sys.executable)} -m mobstore.properties.cli serve {backend}"
        names = ("smoke", "requests", "handles", "subscriptions", "threads")
        chapters = [part for name in names for part in ("--chapter", name)]
        code = cli.main(["check", command, "--profile", "quick", "--seed", "1", *chapters])
        if code != 0:
            pytest.fail(capsys.readouterr().out)


def test_run_ids_are_answered_in_their_form(stores):
    """A small check that values arrive typed."""
    stores.runs.create_run(pools.RUNS[0])
    run = stores.runs.get_run(pools.RUNS[0].run_id)
    assert run == pools.RUNS[0]
    assert type(run.run_id) is RunId
