"""Conversion of the original's file to ours and back: every record equal, all or nothing, the source unchanged."""

import sqlite3
import stat
from contextlib import closing

import pytest

from mobstore.backends import sqlite
from mobstore.backends.sqlite import SqliteEngine
from mobstore.backends.sqlite.original import convert, detect, export_original, import_original, read_original
from mobstore.backends.sqlite.reading import ORIGINAL_TABLES
from mobstore.model import NewMobEvent, ReadFailed, WriteFailed
from mobstore.model import operations as ops
from mobstore.properties import pools, smoke
from mobstore.properties.subject import outcome_of

EVENT = NewMobEvent("mob", {"type": "mob_reset"})


def rows(file):
    """Return every row of every table of the original's, by key; the runs in the order in which they were made."""
    with closing(sqlite3.connect(f"file:{file}?mode=ro&immutable=1", uri=True)) as connection:
        return {
            table: connection.execute(
                f"SELECT {', '.join(columns)} FROM {table} ORDER BY {ORDER[table]}"
            ).fetchall()
            for table, columns in ORIGINAL_TABLES.items()
        }


ORDER = {table: ", ".join(map(str, range(1, len(columns) + 1))) for table, columns in ORIGINAL_TABLES.items()}
ORDER["mob_runs"] = "rowid"


def test_the_sample_comes_back_byte_for_byte(original, tmp_path):
    """Every blob and every column of every row."""
    before = rows(original)
    assert {table: len(held) for table, held in before.items()} == {
        "mob_events": 82,
        "mob_event_meta": 1,
        "mob_runs": 8,
        "mob_specs": 3,
        "mob_runtime_supervisors": 2,
        "mob_runtime_binding_overlays": 12,
        "realm_profiles": 3,
    }
    content = convert(original, tmp_path / "ours.db")
    assert content.counts() == {
        "runs": 8,
        "events": 82,
        "specs": 3,
        "supervisors": 2,
        "overlays": 12,
        "profiles": 3,
    }
    assert convert(tmp_path / "ours.db", tmp_path / "back.db") == content
    assert rows(tmp_path / "back.db") == before


def test_what_was_imported_is_what_the_stores_answer(original, tmp_path):
    """Runs in the order of their creation, cursors that go on, revisions and times as they were."""
    content = import_original(original, tmp_path / "ours.db")
    with sqlite.open(tmp_path / "ours.db") as stores:
        for mob in ("mob-1", "mob-2"):
            assert stores.runs.list_runs(mob) == tuple(run for run in content.runs if run.mob_id == mob)
        assert stores.events.replay_all() == content.events
        for mob, definition, revision in content.specs:
            assert stores.specs.get_spec(mob) == (definition, revision)
        for mob, record in content.supervisors:
            assert stores.metadata.load_supervisor_authority(mob) == record
        for mob in ("mob-1", "mob-2"):
            held = {record for owner, record in content.overlays if owner == mob}
            assert set(stores.metadata.list_external_binding_overlays(mob)) == held
        assert stores.profiles.list() == content.profiles
        assert stores.events.append(EVENT).cursor == content.next_cursor == 83
        terminal = next(event for event in content.events if event.kind.value["type"] == "flow_completed")
        assert stores.events.append_terminal_event_if_absent(NewMobEvent(terminal.mob_id, terminal.kind)) is None


def test_what_our_stores_wrote_goes_out_and_comes_in(tmp_path):
    """The awkward values of the pool: NUL in ids, numbers of 64 bits, deep JSON, leap seconds."""
    with closing(SqliteEngine(tmp_path / "ours.db")) as engine:
        for operation in (*smoke.CALLS, *(ops.CreateRun(run) for run in pools.RUNS)):
            outcome_of(lambda operation=operation: engine.execute(operation))
        engine.execute(ops.AppendBatch(pools.EVENTS))
        for overlay in pools.OVERLAYS[:-1]:
            engine.execute(ops.UpsertExternalBindingOverlay("m\x00b", overlay))
        engine.execute(ops.PutSupervisorAuthority('it\'s "é"', pools.AUTHORITIES[3]))
        engine.execute(ops.PutSpec("", pools.DOCUMENTS[1]))
        engine.execute(ops.CreateProfile("é", pools.DOCUMENTS[17]))
    content = export_original(tmp_path / "ours.db", tmp_path / "theirs.db")
    assert all(count > 0 for count in content.counts().values())
    assert read_original(tmp_path / "theirs.db") == content
    assert import_original(tmp_path / "theirs.db", tmp_path / "again.db") == content


def test_the_new_file_is_the_owner_s_alone_and_stands_alone(original, tmp_path):
    """Mode 0600, both ways, and nothing beside it."""
    convert(original, tmp_path / "ours.db")
    convert(tmp_path / "ours.db", tmp_path / "back.db")
    assert sorted(file.name for file in tmp_path.iterdir()) == ["back.db", "original.db", "ours.db"]
    for name in ("ours.db", "back.db"):
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600


def test_a_log_beside_the_source_is_read_and_left(original, states, tmp_path):
    """What a process that still runs, or died, has written there counts; no byte beside the source changes."""
    with closing(sqlite3.connect(original, isolation_level=None)) as connection:
        connection.execute("PRAGMA wal_autocheckpoint = 0")
        connection.execute("DELETE FROM mob_specs WHERE mob_id = 'mob-1'")
        before = states()
        assert original.with_name("original.db-wal").stat().st_size > 0
        assert len(read_original(original).specs) == 2
        assert detect(original).owner == "original"
        assert states() == before
        target = tmp_path / "sub"
        target.mkdir()
        convert(original, target / "ours.db")
        assert {name: content for name, content in states().items() if name.parts[0] != "sub"} == before
    with sqlite.open(target / "ours.db") as stores:
        assert "mob-1" not in stores.specs.list_specs()


def test_a_file_of_ours_that_is_in_use_is_exported_as_it_is(tmp_path):
    """With what is still in its log, from the same process."""
    with sqlite.open(tmp_path / "ours.db") as stores:
        stores.events.append(EVENT)
        assert export_original(tmp_path / "ours.db", tmp_path / "theirs.db").next_cursor == 2
        assert stores.events.append(EVENT).cursor == 2


# --- refusals -----------------------------------------------------------------------------------------------

RUN_ID = "11111111-0000-4000-8000-000000000003"
EDIT = """UPDATE {0} SET {1} = replace(CAST({1} AS TEXT), '"{2}', '"{3}')"""
REFUSED = {
    "an unknown table": ("CREATE TABLE extra (x)", "unknown table 'extra'"),
    "a view": ("CREATE VIEW extra AS SELECT 1", "unknown table 'extra'"),
    "no table": ("DROP TABLE mob_specs", "no table 'mob_specs'"),
    "an unknown column": (
        "ALTER TABLE mob_specs ADD COLUMN x",
        "mob_specs: the columns are mob_id, spec_json, x, not",
    ),
    "no JSON": (
        f"UPDATE mob_runs SET run_json = '{{' WHERE run_id = '{RUN_ID}'",
        rf"mob_runs\['{RUN_ID}'\]: not JSON: ",
    ),
    "a field too many": (
        "UPDATE mob_runs SET run_json = json_set(CAST(run_json AS TEXT), '$.flow_state.x', 1) WHERE rowid = 3",
        rf"mob_runs\['{RUN_ID}'\]\.flow_state: FlowRunState has no field 'x'",
    ),
    "another run": (
        "UPDATE mob_runs SET run_id = 'x' WHERE rowid = 1",
        r"mob_runs\['x'\]\.run_id: the record says '1111",
    ),
    "no UTF-8": ("UPDATE mob_specs SET spec_json = x'22ff22'", r"mob_specs\['mob-1'\]: not UTF-8 at byte 1"),
    "a number": ("UPDATE mob_specs SET spec_json = 7", r"mob_specs\['mob-1'\]: a int is not a text"),
    "a version": (
        EDIT.format("mob_events", "event_json", 'schema_version":6', 'schema_version":7') + " WHERE cursor = 5",
        r"mob_events\[5\]\.schema_version: the record says 7, its key 6",
    ),
    "another cursor": ("UPDATE mob_events SET cursor = 500 WHERE cursor = 5", r"mob_events\[500\]\.cursor: "),
    "a counter behind": (
        "UPDATE mob_event_meta SET value = 82",
        "mob_event_meta: next_cursor 82 is not above the last cursor 82",
    ),
    "no counter": ("DELETE FROM mob_event_meta", "mob_event_meta: next_cursor 1 is not above"),
    "another counter": ("INSERT INTO mob_event_meta VALUES ('x', 1)", r"mob_event_meta\['x'\]\.key: "),
    "a protocol": (
        EDIT.format("mob_runtime_supervisors", "record_json", 'protocol_version":2', 'protocol_version":3'),
        r"mob_runtime_supervisors\['mob-1'\]\.protocol_version: unsupported supervisor bridge protocol version 3",
    ),
    "a key of another length": (
        "UPDATE mob_runtime_supervisors SET record_json = replace(CAST(record_json AS TEXT), '1,255', '199')",
        r"mob_runtime_supervisors\['mob-1'\]\.secret_key: a secret key is 32 bytes, not 31 \(the value is not",
    ),
    "another generation": (
        "UPDATE mob_runtime_binding_overlays SET generation = 77 WHERE rowid = 1",
        r"mob_runtime_binding_overlays\['mob-1', 'worker-1', 77\]\.generation: the record says 0, its key 77",
    ),
    "a time": (
        "UPDATE realm_profiles SET created_at = 'now' WHERE name = 'base'",
        r"realm_profiles\['base'\]\.created_at: 'now' is not an RFC 3339 time",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_read_is_refused_and_nothing_is_written(original, sql, states, tmp_path, name):
    """The error names the table, the key and the rule."""
    statement, rule = REFUSED[name]
    sql(statement, file=original)
    before = states()
    with pytest.raises(ReadFailed, match=rf"original\.db: {rule}"):
        convert(original, tmp_path / "ours.db")
    assert states() == before


def test_a_corrupt_row_of_ours_is_refused_and_nothing_is_written(path, run, sql, states, tmp_path):
    """The other way round."""
    with closing(SqliteEngine(path)) as engine:
        engine.execute(ops.CreateRun(run))
    sql("UPDATE failure_ledger SET entry = '{}' WHERE place = 1")
    before = states()
    with pytest.raises(
        ReadFailed, match=rf"stores\.db: run {run.run_id}: failure_ledger\[1\]: FailureLedgerEntry needs"
    ):
        convert(path, tmp_path / "theirs.db")
    assert states() == before


def test_an_existing_target_is_refused_and_stays_as_it_is(original, states, tmp_path):
    """Whatever it is, even when it comes only while the conversion runs."""
    target = tmp_path / "ours.db"
    for prepare in (target.touch, target.unlink, target.mkdir):
        prepare()
        if target.exists():
            before = states()
            with pytest.raises(WriteFailed, match=r"ours\.db: exists already, and stays as it is"):
                convert(original, target)
            assert states() == before


def test_a_target_that_cannot_be_made_is_told(original, tmp_path):
    """By its name."""
    with pytest.raises(WriteFailed, match=r"absent/ours\.db: No such file or directory"):
        convert(original, tmp_path / "absent" / "ours.db")


def test_it_is_told_whose_a_file_is(original, tmp_path, path):
    """And why it is nobody's; a conversion of it says the same."""
    SqliteEngine(path).close()
    assert detect(path).owner == "ours"
    text = tmp_path / "text"
    text.write_text("x" * 1000)
    foreign = tmp_path / "foreign.db"
    with closing(sqlite3.connect(foreign)) as connection:
        connection.execute("CREATE TABLE t (x)")
    for file, reason in {
        text: "is not a SQLite database",
        foreign: "is a SQLite file of another program",
        tmp_path: "is a directory",
        tmp_path / "absent": "No such file",
    }.items():
        found = detect(file)
        assert found.owner is None
        assert reason in found.reason
        with pytest.raises(ReadFailed) as caught:
            convert(file, tmp_path / "target")
        assert caught.value.detail == f"{file}: {found.reason}"
    with pytest.raises(ReadFailed, match="is a file of schema version 2"):
        import_original(path, tmp_path / "target")
    with pytest.raises(ReadFailed, match="is a file of the original implementation"):
        export_original(original, tmp_path / "target")
    assert not (tmp_path / "target").exists()
