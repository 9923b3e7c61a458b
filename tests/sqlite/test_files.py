"""The file: how it is created, which files are refused and left as they are, and what may happen to an open one."""

import os
import re
import sqlite3
import stat
import subprocess
import sys
import tempfile
import threading
from contextlib import closing
from pathlib import Path

import pytest

from mobstore.backends import sqlite
from mobstore.backends.sqlite import SqliteEngine
from mobstore.backends.sqlite._checks import FUNCTION, OWN
from mobstore.backends.sqlite._schema import APPLICATION_ID, SCHEMA, TABLES
from mobstore.backends.sqlite._shapes import COLUMNS
from mobstore.model import NewMobEvent, ReadFailed, WriteFailed
from mobstore.model import operations as ops
from mobstore.properties.audit import audit
from mobstore.properties.faults.storage import READINGS
from mobstore.properties.subject import outcome_of

EVENT = NewMobEvent("mob", {"type": "mob_reset"})


def mode(file):
    """Return the permissions of a file."""
    return stat.S_IMODE(file.stat().st_mode)


# --- creation -----------------------------------------------------------------------------------------------


def test_the_file_and_what_stands_beside_it_are_the_owner_s_alone(path, make):
    """It holds secret keys."""
    before = os.umask(0)
    try:
        make().execute(ops.Append(EVENT))
    finally:
        os.umask(before)
    assert {file.name: mode(file) for file in path.parent.iterdir()} == {
        "stores.db": 0o600,
        "stores.db-shm": 0o600,
        "stores.db-wal": 0o600,
    }


def test_the_file_says_whose_it_is(path, make, sql):
    """In the numbers that SQLite's header has for that, and with every table as the schema has it."""
    make()
    assert sql("PRAGMA application_id") == [(APPLICATION_ID,)]
    assert APPLICATION_ID.to_bytes(4, "big") == b"mobs"
    assert sql("PRAGMA user_version") == [(2,)]
    assert dict(sql("SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL")) == SCHEMA


def test_an_empty_file_is_initialised(path, make):
    """So `touch` may come first."""
    path.touch()
    make().execute(ops.Append(EVENT))


def test_reopening_loses_nothing(path, run):
    """Neither by the engine nor by another one."""
    with closing(SqliteEngine(path)) as engine:
        engine.execute(ops.CreateRun(run))
        engine.reopen()
        assert engine.execute(ops.GetRun(run.run_id)) == run
    with closing(SqliteEngine(path)) as engine:
        assert engine.execute(ops.GetRun(run.run_id)) == run
    assert [file.name for file in path.parent.iterdir()] == ["stores.db"]


def test_a_relative_path_stays_what_it_was(tmp_path, monkeypatch):
    """A change of the working directory does not move the storage."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "elsewhere").mkdir()
    with sqlite.open("stores #1?.db") as stores:
        monkeypatch.chdir(tmp_path / "elsewhere")
        stores.events.append(EVENT)
        stores.reopen()
        assert stores.events.latest_cursor() == 1
    assert (tmp_path / "stores #1?.db").exists()
    assert not list((tmp_path / "elsewhere").iterdir())


@pytest.mark.parametrize("options", ["", "?vfs=unix", "?vfs=unix&mode=rwc"])
def test_a_uri_names_a_file(path, options):
    """With a VFS of the caller's choice, too, which then decides whether a file is made."""
    with closing(SqliteEngine(f"file:{path}{options}")) as engine:
        engine.execute(ops.Append(EVENT))
    with closing(SqliteEngine(path)) as engine:
        assert engine.execute(ops.LatestCursor()) == 1


CREATE = """
import sys
from mobstore.backends import sqlite
from mobstore.model import NewMobEvent
sys.stdin.read(1)
with sqlite.open(sys.argv[1]) as stores:
    for _ in range(5):
        stores.events.append(NewMobEvent("mob", {"type": "mob_reset"}))
"""


def test_processes_that_create_the_same_file_at_once_all_work(path):
    """Whoever comes first creates it; the others use it."""
    processes = [
        subprocess.Popen([sys.executable, "-c", CREATE, str(path)], stdin=subprocess.PIPE) for _ in range(4)
    ]
    for process in processes:
        process.stdin.write(b"x")
        process.stdin.close()
    assert [process.wait(30) for process in processes] == [0] * 4
    with sqlite.open(path) as stores:
        assert stores.events.latest_cursor() == 20


def test_a_path_through_a_link_is_not_shortened(tmp_path):
    """The parent of what a link leads to is not the directory that the link is in."""
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "a" / "b")
    SqliteEngine(tmp_path / "link" / ".." / "stores.db").close()
    assert (tmp_path / "a" / "stores.db").exists()


def test_the_switch_to_the_log_waits_for_a_writer(path, make):
    """As when another process is just creating the file; not longer than asked for."""
    SqliteEngine(path).close()
    with closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")
        connection.execute("BEGIN IMMEDIATE")
        with pytest.raises(ReadFailed, match=r"locked by another connection for longer than 0\.1 s"):
            make(busy_timeout=0.1)
        timer = threading.Timer(0.2, connection.execute, ["ROLLBACK"])
        timer.start()
        make(busy_timeout=20).execute(ops.Append(EVENT))
        timer.join()


class Cut:
    """Lets so many statements pass, and interrupts the next one."""

    def __init__(self, left):
        self.left = left

    def __call__(self, _statement):
        if not self.left:
            raise KeyboardInterrupt
        self.left -= 1


def test_a_creation_cut_off_at_any_statement_can_be_taken_up(path):
    """What is left behind is initialised by the next one."""
    sent = []
    SqliteEngine(path, trace=sent.append).close()
    total = len(sent)
    assert total > len(SCHEMA)
    for left in range(total):
        path.unlink()
        with pytest.raises(KeyboardInterrupt):
            SqliteEngine(path, trace=Cut(left))
        with closing(SqliteEngine(path)) as engine:
            assert engine.execute(ops.Append(EVENT)).cursor == 1


# --- the version without checks ---------------------------------------------------------------------------------


def _unchecked(path, run):
    """Make a file as version 1 did; return what calls answer on it."""
    with closing(SqliteEngine(path)) as engine:
        for operation in (ops.CreateRun(run), ops.Append(EVENT), ops.PutSpec("mob", {"id": 1})):
            engine.execute(operation)
        answers = [outcome_of(lambda operation=operation: engine.execute(operation)) for operation in READINGS]
    checked = path.rename(path.with_name("checked.db"))
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("ATTACH ? AS checked", (str(checked),))
        for name, sql in TABLES.items():
            connection.execute(sql)
            if name in COLUMNS:
                columns = ", ".join(COLUMNS[name])
                connection.execute(f"INSERT INTO {name} ({columns}) SELECT {columns} FROM checked.{name}")
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute("PRAGMA user_version = 1")
        connection.execute("PRAGMA journal_mode = WAL")
    return answers


def test_a_file_of_the_version_without_checks_gets_them(path, run, sql):
    """It answers as before, and from then on only what agrees with its checks."""
    answers = _unchecked(path, run)
    before = audit(path).findings
    assert not {"checks", *SCHEMA.keys() - {"runs"}} & {finding.place for finding in before}
    with closing(SqliteEngine(path)) as engine:
        found = [outcome_of(lambda operation=operation: engine.execute(operation)) for operation in READINGS]
        assert found == answers
        assert dict(sql("SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL")) == SCHEMA
        assert sql("PRAGMA user_version") == [(2,)]
        assert audit(path).findings == before
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            for function in (FUNCTION, OWN):
                connection.create_function(function, -1, lambda *_: 0, deterministic=True)
            connection.execute("UPDATE frames SET snapshot = replace(snapshot, '0', '1')")
        with pytest.raises(ReadFailed, match="frames: the rows do not agree with their check"):
            engine.execute(ops.GetRun(run.run_id))
        assert any("of the checks of frames" in finding.rule for finding in audit(path).findings)


def test_a_file_that_gets_checks_gets_all_or_none(path, run):
    """Wherever that is cut off, the next one does it."""
    sent = []
    answers = _unchecked(path, run)
    before = path.read_bytes()
    SqliteEngine(path, trace=sent.append).close()
    for left in range(0, len(sent), 7):
        path.write_bytes(before)
        with pytest.raises(KeyboardInterrupt):
            SqliteEngine(path, trace=Cut(left))
        with closing(SqliteEngine(path)) as engine:
            found = [outcome_of(lambda operation=operation: engine.execute(operation)) for operation in READINGS]
            assert found == answers


def test_a_file_whose_log_was_half_written_back_is_opened(path):
    """Without the log it is shorter than its first page says, for as long as nobody writes the log back again."""
    SqliteEngine(path).close()
    short = path.stat().st_size
    left = path.with_name("left.db")
    with (
        closing(sqlite3.connect(path, isolation_level=None)) as connection,
        closing(SqliteEngine(path)) as engine,
    ):
        connection.execute("PRAGMA wal_autocheckpoint = 0")
        for _ in range(9):
            engine.execute(ops.Append(NewMobEvent("mob", {"type": "x" * 3000})))
        connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
        left.write_bytes(path.read_bytes()[:short])
        left.with_name("left.db-wal").write_bytes(path.with_name(f"{path.name}-wal").read_bytes())
    alone = left.with_name("alone.db")
    alone.write_bytes(left.read_bytes())
    with pytest.raises(ReadFailed, match="the file is corrupt"):
        SqliteEngine(alone)
    with closing(SqliteEngine(left)) as engine:
        assert engine.execute(ops.LatestCursor()) == 9


# --- refusals -----------------------------------------------------------------------------------------------


def _foreign(path):
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE t (x)")


def _numbered(pragma, value):
    def prepare(path):
        SqliteEngine(path).close()
        with closing(sqlite3.connect(path)) as connection:
            connection.execute(f"PRAGMA {pragma} = {value}")

    return prepare


def _changed(path):
    SqliteEngine(path).close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("DROP INDEX events_terminal")


REFUSED = {
    "a text": (lambda path: path.write_text("not a database\n" * 500), "is not a SQLite database"),
    "a short text": (lambda path: path.write_text("x"), "is not a SQLite database"),
    "zeros": (lambda path: path.write_bytes(bytes(4096)), "is not a SQLite database"),
    "a directory": (lambda path: path.mkdir(), "is a directory"),
    "a pipe": (os.mkfifo, "is not a regular file"),
    "another program's": (_foreign, r"is a SQLite file of another program \(application_id 0\)"),
    "another number": (_numbered("application_id", 7), r"another program \(application_id 7\)"),
    "a newer version": (_numbered("user_version", 3), "has schema version 3, newer than 2"),
    "no version": (_numbered("user_version", 0), "has the unknown schema version 0"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_ours_is_refused_and_left_as_it_is(path, states, name):
    """The error names the file and the rule; no byte of anything changes."""
    prepare, rule = REFUSED[name]
    prepare(path)
    before = states()
    with pytest.raises(ReadFailed, match=f"^Read failed: {re.escape(str(path))}: .*{rule}"):
        SqliteEngine(path)
    assert states() == before


def test_the_original_s_file_is_refused_with_the_way_to_convert_it(original, states):
    """And left as it is."""
    before = states()
    with pytest.raises(ReadFailed, match="is a file of the original implementation: `mobstore convert`"):
        SqliteEngine(original)
    assert states() == before


def test_another_schema_is_refused(path):
    """A table or an index that is not that of the version would make calls slow or wrong."""
    _changed(path)
    with pytest.raises(ReadFailed, match="events_terminal is not that of schema version 2"):
        SqliteEngine(path)


@pytest.mark.parametrize("name", [":memory:", "", "file::memory:", "file:x?mode=memory", "file:?vfs=unix", "a\0b"])
def test_what_names_no_file_is_refused(name, tmp_path, monkeypatch):
    """What is in memory would not be durable."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ReadFailed, match=r"names no file|has no NUL"):
        SqliteEngine(name)
    assert not list(tmp_path.iterdir())


def test_a_directory_that_does_not_exist_is_told(tmp_path):
    """By its name."""
    with pytest.raises(WriteFailed, match=r"absent/stores\.db: No such file or directory"):
        SqliteEngine(tmp_path / "absent" / "stores.db")


UNPRIVILEGED = """
import os, sys
from mobstore.backends import sqlite
if os.getuid() == 0:
    os.setgid(65534)
    os.setuid(65534)
try:
    sqlite.open(sys.argv[1])
except Exception as error:
    print(type(error).__name__, error)
"""


@pytest.mark.parametrize("locked", ["the file", "the directory"])
def test_a_file_that_cannot_be_written_is_refused(locked):
    """Before anything is tried; root may write everything, so another user tries."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        path = directory / "stores.db"
        SqliteEngine(path).close()
        path.chmod(0o444 if locked == "the file" else 0o666)
        directory.chmod(0o777 if locked == "the file" else 0o555)
        found = subprocess.run(
            [sys.executable, "-c", UNPRIVILEGED, str(path)], capture_output=True, text=True, timeout=30, check=False
        )
        directory.chmod(0o777)
    rule = "the file or its directory is read-only"
    assert found.stdout == f"WriteFailed Write failed: {path}: {rule}\n", found.stderr


class Forgetful(sqlite3.Connection):
    """Has its own mind about the settings."""

    def execute(self, sql, *parameters):
        if sql == "PRAGMA synchronous = FULL":
            sql = "PRAGMA synchronous = NORMAL"
        return super().execute(sql, *parameters)


def test_settings_that_are_not_durable_are_refused(path):
    """What was asked for is not trusted, but looked up."""
    engine = SqliteEngine(
        path, connect=lambda *args, **options: sqlite3.connect(*args, **options, factory=Forgetful)
    )
    with pytest.raises(ReadFailed, match="journal mode 'wal' and synchronous 1 are not durable"):
        engine.execute(ops.LatestCursor())


def test_a_file_system_without_write_ahead_log_is_refused(path):
    """SQLite's dot-file VFS has no shared memory."""
    path.touch()
    with pytest.raises(ReadFailed, match=r"the file system allows no write-ahead log \(journal mode 'delete'\)"):
        SqliteEngine(f"file:{path}?vfs=unix-dotfile")


# --- an open file -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("operation", [ops.LatestCursor(), ops.Append(EVENT)])
def test_a_deleted_file_is_told_and_not_created_again(make, path, operation):
    """By reads and writes, by a thread's first call and its later ones, by waiting and reopening."""
    for fresh in (False, True):
        engine = make()
        if not fresh:
            engine.execute(ops.LatestCursor())
        for file in path.parent.iterdir():
            file.unlink()
        with pytest.raises(ReadFailed if operation.reads else WriteFailed, match="the open file is gone"):
            engine.execute(operation)
        with pytest.raises(WriteFailed, match="No such file or directory"):
            engine.reopen()
        assert not list(path.parent.iterdir())
        engine.close()


def test_a_replaced_file_is_told(make, path, states):
    """The other file stays as it is."""
    engine = make()
    subscription = engine.subscribe()
    engine.execute(ops.Append(EVENT))
    other = path.with_name("other.db")
    SqliteEngine(other).close()
    other.replace(path)
    content = path.read_bytes()
    for call in (lambda: engine.execute(ops.LatestCursor()), lambda: subscription.drain(0)):
        with pytest.raises(ReadFailed, match="another file has taken the place of the open one"):
            call()
    with pytest.raises(WriteFailed, match="another file has taken the place"):
        engine.execute(ops.Append(EVENT))
    assert path.read_bytes() == content


def test_a_damaged_page_is_told(path, run, sql):
    """By SQLite's own name of it; what lies on other pages is still read."""
    with closing(SqliteEngine(path)) as engine:
        engine.execute(ops.CreateRun(run))
        engine.execute(ops.PutSpec("mob", {}))
    ((page,),) = sql("SELECT rootpage FROM sqlite_schema WHERE name = 'frames'")
    with path.open("r+b") as file:
        file.seek((page - 1) * 4096)
        file.write(b"\xff" * 4096)
    with closing(SqliteEngine(path)) as engine:
        with pytest.raises(ReadFailed, match=r"the file is corrupt \(SQLITE_CORRUPT"):
            engine.execute(ops.GetRun(run.run_id))
        assert engine.execute(ops.ListSpecs()) == ("mob",)


def limited(*args, **options):
    """Connect to a disk that has room for what is there, and little more."""
    connection = sqlite3.connect(*args, **options)
    connection.execute("PRAGMA max_page_count = 90")
    return connection


def test_a_full_disk_is_told_and_loses_nothing(path, run):
    """The calls that do not fit fail and change nothing; all else stays, and what fits still goes."""
    with closing(SqliteEngine(path, connect=limited)) as engine:
        engine.execute(ops.CreateRun(run))
        large = NewMobEvent("mob", {"type": "x", "text": "x" * 20_000})
        stored = []

        def fill():
            while True:
                stored.append(engine.execute(ops.AppendBatch([large, large]))[-1].cursor)

        with pytest.raises(WriteFailed, match=r"the disk is full \(SQLITE_FULL") as caught:
            fill()
        assert type(caught.value) is WriteFailed
        assert engine.execute(ops.LatestCursor()) == stored[-1]
        assert engine.execute(ops.GetRun(run.run_id)) == run
        assert engine.execute(ops.Append(EVENT)).cursor == stored[-1] + 1


WRITE_LIMIT = """
import resource, signal, sys
from mobstore.backends import sqlite
from mobstore.model import NewMobEvent
event = NewMobEvent("mob", {"type": "x", "text": "x" * 5000})
stores = sqlite.open(sys.argv[1])
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, resource.RLIM_INFINITY))
count = 0
try:
    while True:
        stores.events.append(event)
        count += 1
except Exception as error:
    print(type(error).__name__, count, stores.events.latest_cursor(), error)
"""


def test_a_commit_that_the_disk_refuses_is_told_as_unknown(path):
    """A log that cannot grow any more: the error is honest, and every acknowledged event is there."""
    found = subprocess.run(
        [sys.executable, "-c", WRITE_LIMIT, str(path)], capture_output=True, text=True, timeout=30, check=True
    )
    kind, count, latest, rest = found.stdout.split(" ", 3)
    assert kind == "OutcomeUnknown", found.stdout
    assert "the outcome is unknown: the disk" in rest
    assert int(count) > 5
    assert count == latest
    with sqlite.open(path) as stores:
        assert stores.events.latest_cursor() == int(count)


def test_a_value_larger_than_sqlite_takes_is_told(make):
    """Nothing of it is written."""

    def connect(*args, **options):
        connection = sqlite3.connect(*args, **options)
        connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, 100_000)
        return connection

    engine = make(connect=connect)
    with pytest.raises(WriteFailed, match=r"larger than SQLite takes"):
        engine.execute(ops.PutSpec("mob", {"text": "x" * 200_000}))
    assert engine.execute(ops.ListSpecs()) == ()
    assert engine.execute(ops.PutSpec("mob", {})) == 1


def test_a_megabyte_goes_in_and_comes_out(make):
    """In an id and in a value."""
    engine = make()
    name = "é" * 500_000
    engine.execute(ops.PutSpec(name, {"text": name}))
    assert engine.execute(ops.ListSpecs()) == (name,)
    assert engine.execute(ops.GetSpec(name))[0].value == {"text": name}


def test_a_closed_store_refuses_every_call(make, path):
    """Until it is opened again."""
    engine = make()
    subscription = engine.subscribe()
    engine.close()
    engine.close()
    with pytest.raises(ReadFailed, match=r"stores\.db: the store is closed"):
        engine.execute(ops.LatestCursor())
    with pytest.raises(WriteFailed, match="the store is closed"):
        engine.execute(ops.Append(EVENT))
    with pytest.raises(ReadFailed, match="the store is closed"):
        subscription.drain()
    engine.reopen()
    assert engine.execute(ops.Append(EVENT)).cursor == 1
