"""The audit finds each defect in a file that has it, shows no secret, and changes nothing."""

import argparse
import json
import sqlite3
from contextlib import closing

import pytest

from mobstore.backends.sqlite import SqliteEngine
from mobstore.backends.sqlite._checks import install
from mobstore.backends.sqlite.original import import_original
from mobstore.backends.sqlite.rows import NAMES
from mobstore.model import FrozenMap, NewMobEvent, RunId, to_text
from mobstore.model import operations as ops
from mobstore.model.values import CreateRunSeed
from mobstore.properties import pools
from mobstore.properties.audit import CHECKS, add_arguments, audit, run

RUN_2, RUN_3 = "11111111-0000-4000-8000-000000000002", "11111111-0000-4000-8000-000000000003"


@pytest.fixture
def ours(original, path):
    """A sound file of ours that has something in every table."""
    import_original(original, path)
    with closing(SqliteEngine(path)) as engine:
        engine.execute(ops.AppendBatch([NewMobEvent("mob-1", {"type": "mob_reset"})] * 3))
    return path


@pytest.fixture
def theirs(original):
    """A sound file of the original's."""
    return original


def found(report):
    """Return the findings as lines."""
    return [f"{finding.severity}: {finding.place}: {finding.rule}" for finding in report.findings]


_OF_RUN_8 = "completed-run-has-completed-steps: In a completed run every step completed or was skipped."
NOTES = [
    f"note: run 11111111-0000-4000-8000-000000000008: {_OF_RUN_8}",
    "note: runs: 8 have no authority log that begins with their creation: held to their machines only",
]
"""What is noted of the recorded runs, which were not made by callers that log what they do."""


# --- what holds ---------------------------------------------------------------------------------------------


def test_a_sound_file_holds(ours, theirs, states):
    """Either one; everything is counted, and no byte of anything changes."""
    before = states()
    report = audit(ours)
    assert (report.verdict, report.exit_code, report.owner) == ("holds", 0, "ours")
    assert found(report) == NOTES
    assert set(report.counts) == set(NAMES)
    assert all(report.counts.values())
    assert (report.counts["runs"], report.counts["events"], report.counts["feed"]) == (8, 85, 3)
    report = audit(theirs)
    assert (report.verdict, report.exit_code, report.owner) == ("holds", 0, "original")
    assert found(report) == NOTES
    assert report.counts["mob_runs"] == 8
    assert states() == before


def test_a_log_beside_the_file_is_read_and_left(ours, states):
    """What is only there counts."""
    with closing(sqlite3.connect(ours, isolation_level=None)) as connection:
        install(connection)
        connection.execute("PRAGMA wal_autocheckpoint = 0")
        connection.execute("DELETE FROM profiles")
        before = states()
        assert len(before) > 2
        assert audit(ours).counts["profiles"] == 0
        assert states() == before


def test_a_file_in_use_by_this_process_is_audited(path, run):
    """While its handles stay what they are."""
    with closing(SqliteEngine(path)) as engine:
        engine.execute(ops.CreateRun(run))
        assert audit(path).counts["runs"] == 1
        engine.execute(ops.Append(NewMobEvent("mob", {"type": "x"})))
        assert audit(path).counts["events"] == 1


# --- what does not ------------------------------------------------------------------------------------------

CREATION = to_text(
    CreateRunSeed(RunId(RUN_2), *((),) * 2, *(FrozenMap(),) * 6, *(0,) * 5)  # the ids, the maps, the limits
)
ABSENT = "11111111-0000-4000-8000-000000000099"
TERMINAL = f'{{"type":"flow_failed","run_id":"{RUN_2}","flow_id":"f"}}'
AUTHORITY = "UPDATE supervisors SET record = json_set(record, '{}', {}) WHERE mob_id = 'mob-2'"
FEED = """
INSERT INTO feed
WITH RECURSIVE n (i) AS (SELECT 3 UNION ALL SELECT i + 1 FROM n WHERE i < 4096)
SELECT i, 1, 0, 0, 'm', '{}' FROM n
"""
OURS = {
    # what does not parse
    "a snapshot": (
        "UPDATE frames SET snapshot = '{}' WHERE run = 3 AND frame_id = 'root'",
        f"violation: frames['{RUN_3}', 'root']: FrameSnapshot needs the field 'kernel_state'",
    ),
    "no JSON": (
        "UPDATE loops SET snapshot = 'x' WHERE run = 2",
        f"violation: loops['{RUN_2}', 'L-n2']: not JSON: Expecting value: line 1 column 1 (char 0)",
    ),
    "no UTF-8": (
        "UPDATE failure_ledger SET entry = CAST(x'22ff22' AS TEXT) WHERE place = 0",
        "0]: '\\udcff' is not a FailureLedgerEntry",
    ),
    "a run": (
        "UPDATE runs SET status = 'lost' WHERE seq = 2",
        f"violation: runs['{RUN_2}']: status: 'lost' is not one of pending, running, completed, failed, canceled",
    ),
    "parameters": (
        "UPDATE run_params SET activation_params = 'NaN' WHERE run = 2",
        f"violation: run_params['{RUN_2}']: NaN does not exist in JSON",
    ),
    "an output": (
        "UPDATE root_outputs SET output = '' WHERE place = 0",
        "violation: root_outputs[",
    ),
    "an output of a loop": (
        "UPDATE loop_outputs SET output = '1e999' WHERE place = 0",
        "violation: loop_outputs[",
    ),
    "a number of iterations": (
        "UPDATE loop_iterations SET iterations = -1",
        "-1 is not an unsigned 64-bit integer",
    ),
    "an entry": (
        "UPDATE step_ledger SET timestamp = 'noon' WHERE place = 0 AND run = 2",
        f"violation: step_ledger['{RUN_2}', 0]: timestamp: 'noon' is not an RFC 3339 time",
    ),
    "an iteration": (
        "UPDATE iteration_ledger SET iteration = '18446744073709551616' WHERE run = 2",
        f"violation: iteration_ledger['{RUN_2}', 0]: 18446744073709551616 is not an unsigned 64-bit integer",
    ),
    "an authority input": (
        'UPDATE authority_inputs SET input = \'{"input":"Stop"}\' WHERE place = 0 AND run = 2',
        f"violation: authority_inputs['{RUN_2}', 0]: a dict is not one of RunFlow, ",
    ),
    "an event": ("UPDATE events SET kind = '{' WHERE cursor = 7", "violation: events[7]: not JSON"),
    "an event of the feed": ("UPDATE feed SET kind = '' WHERE place = 1", "violation: feed[1]: not JSON"),
    "a spec": ("UPDATE specs SET revision = -1 WHERE mob_id = 'mob-1'", "violation: specs['mob-1']: -1 is not"),
    "a profile": (
        "UPDATE profiles SET updated_at = '' WHERE name = 'base'",
        "violation: profiles['base']: updated_at: '' is not an RFC 3339 time",
    ),
    "an overlay of another key": (
        "UPDATE overlays SET generation = 99 WHERE (mob_id, agent_identity, generation) = ('mob-1', 'worker-1', 0)",
        "violation: overlays['mob-1', 'worker-1', 99]: the record is of another agent or generation than its key",
    ),
    "a supervisor": (
        AUTHORITY.format("$.epoch", "-1"),
        "violation: supervisors['mob-2']: epoch: -1 is not an unsigned 64-bit integer",
    ),
    "a counter": ("UPDATE meta SET value = -1", "violation: meta['next_cursor']: -1 is not an unsigned"),
    # what leads nowhere
    "a frame of no run": (
        "UPDATE frames SET run = 99 WHERE run = 1",
        "frames[None, 'root']: belongs",
    ),
    "a loop of no run": (
        "UPDATE loops SET run = 99 WHERE run = 2",
        "loops[None, 'L-n2']: belongs to no run",
    ),
    "an entry of no run": (
        "UPDATE step_ledger SET run = 99 WHERE run = 2",
        "step_ledger[None, 0]: belongs",
    ),
    "an output of no run": (
        "UPDATE root_outputs SET run = 99 WHERE run = (SELECT min(run) FROM root_outputs)",
        "violation: root_outputs[None, 0, ",
    ),
    "an input of no run": (
        "UPDATE authority_inputs SET run = 99 WHERE run = 2",
        "inputs[None, 0]: belongs",
    ),
    "no parameters": ("DELETE FROM run_params WHERE run = 2", f"violation: run_params['{RUN_2}']: is missing"),
    "a gap": (
        "DELETE FROM step_ledger WHERE run = 2 AND place = 0",
        f"violation: step_ledger['{RUN_2}']: 1 of its places are empty",
    ),
    "an output beyond the iterations": (
        "DELETE FROM loop_iterations",
        "is of an iteration beyond those that its loop has",
    ),
    "a parent frame": (
        "UPDATE frames SET frame_id = 'gone' WHERE run = 2 AND frame_id = 'root'",
        f"violation: run {RUN_2}: loop 'L-n2': its parent frame 'root' is absent",
    ),
    "a snapshot of another frame": (
        "UPDATE frames SET frame_id = 'gone' WHERE run = 1 AND frame_id = 'root'",
        "frame 'gone': its snapshot is of frame 'root'",
    ),
    "a body frame": (
        "UPDATE loops SET snapshot = replace(snapshot, 'frame_id\":null', 'frame_id\":\"gone\"') WHERE run = 2",
        f"violation: run {RUN_2}: loop 'L-n2': its active body frame 'gone' is absent",
    ),
    "a loop of a body": ("DELETE FROM loops WHERE run = 2", "frame 'L-n2-body-0': its loop 'L-n2' is absent"),
    "a loop of the ledger": (
        "DELETE FROM loops WHERE run = 2",
        f"violation: run {RUN_2}: loop_iteration_ledger[0]: its loop 'L-n2' is absent",
    ),
    "a frame of the ledger": (
        "DELETE FROM frames WHERE run = 2 AND frame_id = 'L-n2-body-0'",
        f"violation: run {RUN_2}: loop_iteration_ledger[0]: its frame 'L-n2-body-0' is absent",
    ),
    "an iteration twice": (
        "INSERT INTO iteration_ledger SELECT 2, 1, loop_instance_id, '0', frame_id FROM iteration_ledger LIMIT 1",
        f"violation: run {RUN_2}: loop_iteration_ledger: ('L-n2', 0, 'L-n2-body-0') stands in it 2 times",
    ),
    "a cursor": (
        "UPDATE meta SET value = 80",
        "violation: event 80: its cursor is not between 1 and next_cursor, 80",
    ),
    "no counter": ("DELETE FROM meta", "violation: next_cursor: is missing, or does not parse"),
    "two ends": (
        f"UPDATE events SET kind = '{TERMINAL}', terminal_run = '{RUN_2}', terminal_flow = 'f' WHERE cursor > 83",
        f"violation: events 84, 85: all end run {RUN_2} of flow 'f' of mob 'mob-1'",
    ),
    "an end that is not indexed": (
        "UPDATE events SET terminal_run = NULL WHERE terminal_run IS NOT NULL",
        "the columns of a terminal event disagree with its kind",
    ),
    "an end of no run": (
        "DELETE FROM events WHERE cursor = 85;\n"  # noqa: ISC004
        "INSERT INTO events (cursor, seconds, nanos, mob_id, kind, terminal_run, terminal_flow) "
        f"VALUES (85, 0, 0, 'mob-1', replace('{TERMINAL}', '{RUN_2}', '{ABSENT}'), '{ABSENT}', 'f')",
        f"note: event 85: its run {ABSENT} is not in the file",
    ),
    "a rotation ahead": (
        AUTHORITY.format("$.pending_rotation.epoch", 2),
        "violation: supervisor of mob 'mob-2': pending-rotation-is-next: ",
    ),
    "a rotation behind": (
        AUTHORITY.format("$.epoch", 1),
        "note: supervisor of mob 'mob-2': its pending rotation's epoch 1 is reached by the record's, 1: undo it",
    ),
    "a rotation that nobody accepted": (
        AUTHORITY.format("$.pending_rotation.accepted_peer_ids", "json('[]')"),
        "violation: supervisor of mob 'mob-2': pending-rotation-was-accepted: ",
    ),
    "peers out of order": (
        AUTHORITY.format("$.pending_rotation.accepted_peer_ids", 'json(\'["b","a"]\')'),
        "violation: supervisor of mob 'mob-2': pending-rotation-was-accepted: ",
    ),
    "a queue without its set": (
        "UPDATE runs SET flow_state = json_set(flow_state, '$.ready_frame_membership', json('[]')) WHERE seq = 2",
        f"violation: run {RUN_2}: ready-queue-and-membership: ",
    ),
    "a log that parts": (
        f"UPDATE authority_inputs SET input = '{CREATION}' WHERE run = 2 AND place = 0",
        f"violation: run {RUN_2}: parts from its authority log: flow_authority_inputs[1]: the run machine refuses",
    ),
    # the file itself
    "an index": ("DROP INDEX events_terminal", "violation: events_terminal: is missing from the file"),
    "a table": ("DROP TABLE profiles", "violation: profiles: is missing from the file"),
    "a gap in the feed": ("DELETE FROM feed WHERE place = 1", "violation: feed: its places are not consecutive"),
    "a feed too long": (FEED, "violation: feed: has 4097 rows, more than 4096"),
}


@pytest.mark.parametrize("name", OURS)
def test_a_defect_of_ours_is_found(ours, sql, states, name):
    """Its place and the rule; every other row is still read and counted, and nothing is changed."""
    statement, expected = OURS[name]
    sql(statement)
    before = states()
    report = audit(ours)
    assert any(expected in line for line in found(report)), found(report)
    assert report.exit_code == int(not expected.startswith("note"))
    assert [finding.severity for finding in report.findings] == sorted(
        (finding.severity for finding in report.findings), reverse=True
    )
    if name != "a table":
        held = {table: sql(f"SELECT count(*) FROM {table}")[0][0] for table in NAMES}
        assert report.counts == held
    assert states() == before


EDIT = "UPDATE {0} SET {1} = {2}(CAST({1} AS TEXT), '{3}', {4})"
THEIRS = {
    "no JSON": (
        f"UPDATE mob_runs SET run_json = '[' WHERE run_id = '{RUN_2}'",
        f"violation: mob_runs['{RUN_2}']: not JSON",
    ),
    "a field": (
        EDIT.format("mob_runs", "run_json", "json_remove", "$.status", "'$.x'") + f" WHERE run_id = '{RUN_2}'",
        f"violation: mob_runs['{RUN_2}']: MobRun needs the field 'status'",
    ),
    "a parent frame": (
        EDIT.format("mob_runs", "run_json", "json_remove", "$.frames.root", "'$.x'") + f" WHERE run_id = '{RUN_2}'",
        f"violation: run {RUN_2}: loop 'L-n2': its parent frame 'root' is absent",
    ),
    "a version": (
        EDIT.format("mob_events", "event_json", "json_set", "$.schema_version", 5) + " WHERE cursor = 9",
        "violation: mob_events[9]: schema_version: the record says 5, its key 6",
    ),
    "a counter behind": (
        "UPDATE mob_event_meta SET value = 82",
        "violation: event 82: its cursor is not between 1 and next_cursor, 82",
    ),
    "no runs": ("DELETE FROM mob_runs", "note: event 43: its run"),
    "a rotation": (
        EDIT.format("mob_runtime_supervisors", "record_json", "json_set", "$.pending_rotation.epoch", 9)
        + " WHERE mob_id = 'mob-2'",
        "violation: supervisor of mob 'mob-2': pending-rotation-is-next: ",
    ),
    "no UTF-8": (
        "UPDATE mob_specs SET spec_json = x'ff' WHERE mob_id = 'mob-2'",
        "mob_specs['mob-2']: not UTF-8",
    ),
    "no column": (
        "ALTER TABLE mob_specs RENAME COLUMN spec_json TO x",
        "violation: mob_specs: has no column spec_json",
    ),
    "no table": ("DROP TABLE realm_profiles", "violation: realm_profiles: has no column name"),
    "another table": ("CREATE TABLE extra (x)", "note: extra: is not known, and was not read"),
}


@pytest.mark.parametrize("name", THEIRS)
def test_a_defect_of_the_original_s_is_found(theirs, sql, states, name):
    """As one of ours is."""
    statement, expected = THEIRS[name]
    sql(statement, file=theirs)
    before = states()
    report = audit(theirs)
    assert any(expected in line for line in found(report)), found(report)
    assert report.exit_code == int(not expected.startswith("note"))
    assert report.counts["mob_events"] == 82
    assert states() == before


def test_every_check_finds_something():
    """No check stands there for nothing: each is named by a defect above."""
    words = {
        "_check_frames": "its snapshot is of frame",
        "_check_loops": "its parent frame",
        "_check_iteration_ledger": "stands in it",
        "_check_cursors": "next_cursor",
        "_check_terminal_events": "all end run",
        "_check_rotations": "pending-rotation",
        "_check_machines": "ready-queue-and-membership",
        "_check_callers": "parts from its authority log",
    }
    assert {check.__name__ for check in CHECKS} == set(words)
    rules = [rule for _, rule in OURS.values()]
    assert all(any(word in rule for rule in rules) for word in words.values())


def test_one_corrupt_row_hides_no_other_defect(ours, sql):
    """Three defects, three findings."""
    sql("UPDATE runs SET flow_state = 'x' WHERE seq = 1")
    sql("UPDATE frames SET snapshot = 'x' WHERE run = 1")
    sql("UPDATE loops SET snapshot = 'x' WHERE run = 3")
    lines = found(audit(ours))
    for expected in ("runs['11111111", "frames['11111111", f"loops['{RUN_3}"):
        assert sum(f"violation: {expected}" in line for line in lines) == 1, lines
    assert not any("its run" in line for line in lines), "a run that does not parse is in the file even so"


def test_a_damaged_page_is_found_and_the_rest_is_read(ours, sql):
    """By SQLite's own check, and where the table cannot be read."""
    ((page,),) = sql("SELECT rootpage FROM sqlite_schema WHERE name = 'profiles'")
    with ours.open("r+b") as file:
        file.seek((page - 1) * 4096)
        file.write(b"\xff" * 4096)
    report = audit(ours)
    lines = found(report)
    assert lines[0].startswith("violation: the file: SQLite: ")
    assert any(line.startswith("violation: profiles: cannot be read: ") for line in lines)
    assert (report.counts["runs"], report.counts["events"]) == (8, 85)


def test_no_secret_is_shown(ours, theirs, sql):
    """Whatever is wrong with the record that holds it."""
    with closing(SqliteEngine(ours)) as engine:
        engine.execute(ops.UpsertExternalBindingOverlay("mob-1", pools.OVERLAYS[1]))
    secret = 'json(\'{"secret_key":"hunter2","bootstrap_token":"hunter2"}\')'
    for statement in (
        f"UPDATE supervisors SET record = json_patch(record, {secret})",
        "UPDATE supervisors SET record = '\"hunter2' WHERE mob_id = 'mob-2'",
        "UPDATE supervisors SET record = '\"hunter2\"' WHERE mob_id = 'mob-2'",
        "UPDATE supervisors SET record = json_object('hunter2', 1) WHERE mob_id = 'mob-2'",
        "UPDATE overlays SET record = json_set(record, '$.bootstrap_token', json('[\"hunter2\"]'))",
    ):
        sql(statement)
        report = audit(ours)
        assert report.exit_code == 1
        assert "hunter2" not in report.render() + json.dumps(report.to_json())
    sql(f"UPDATE mob_runtime_supervisors SET record_json = {secret}", file=theirs)
    assert "hunter2" not in audit(theirs).render()


# --- what it cannot tell, and the command -------------------------------------------------------------------


def test_what_is_no_such_file_is_told_as_such(tmp_path, ours, sql):
    """Exit code 2, and why."""
    text = tmp_path / "text"
    text.write_text("x" * 1000)
    foreign = tmp_path / "foreign.db"
    sql("CREATE TABLE t (x)", file=foreign)
    sql("PRAGMA user_version = 3")
    for file, problem in {
        text: "is not a SQLite database",
        foreign: "is a SQLite file of another program",
        ours: "is a file of schema version 3, where 2 is known",
        tmp_path: "is a directory",
        tmp_path / "absent": "No such file or directory",
    }.items():
        report = audit(file)
        assert (report.exit_code, report.verdict) == (2, "could not tell")
        assert problem in report.problem
        assert report.render() == f"{file}: could not tell: {report.problem}"


def command(*arguments):
    """Run the command with its arguments."""
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return run(parser.parse_args([str(argument) for argument in arguments]))


def test_the_command_prints_the_report(ours, sql, capsys):
    """As text and as JSON, with the exit code of its verdict."""
    assert command(ours) == 0
    assert capsys.readouterr().out.startswith(f"{ours}: holds\n  8 runs, ")
    sql("DELETE FROM run_params WHERE run = 2")
    assert command(ours) == 1
    assert f"\n  violation: run_params['{RUN_2}']: is missing\n  note: " in capsys.readouterr().out
    assert command(ours, "--json") == 1
    report = json.loads(capsys.readouterr().out)
    assert (report["verdict"], report["owner"], report["problem"]) == ("violations", "ours", None)
    violations = [finding for finding in report["findings"] if finding["severity"] == "violation"]
    assert violations == [{"severity": "violation", "place": f"run_params['{RUN_2}']", "rule": "is missing"}]
    assert command(ours.with_name("absent"), "--json") == 2
