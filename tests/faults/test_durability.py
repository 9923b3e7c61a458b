"""On a simulated disk nothing that was answered is lost, and every broken store is found out."""

import itertools
import json
import sqlite3
from contextlib import suppress
from functools import cache, partial
from pathlib import Path

import attrs
import pytest

from mobstore.backends.sqlite import REQUIRED_SETTINGS, SqliteEngine
from mobstore.model import ReadFailed, WriteFailed
from mobstore.properties import cli, durability
from mobstore.properties.faults import kills, vfs
from mobstore.properties.faults.broken import BROKEN, CAREFUL, EVERY_BROKEN
from mobstore.properties.faults.certificate import SYNCHRONOUS, Certificate, examine, examine_lied_to
from mobstore.properties.faults.damage import SPOILS, Damage
from mobstore.properties.faults.disk import Disk
from mobstore.properties.faults.failures import fail_calls
from mobstore.properties.faults.power import CHANGING, LEVELS, Tally, cut_calls, sqlite_storages

QUICK = LEVELS["quick"]
SMALL = attrs.evolve(QUICK, name="small", drawn=0)
FEW = attrs.evolve(SMALL, recoveries=400, schedules=2)
PAGE = durability.PAGE.read_text("utf-8")
TRIED = durability.PAGE.with_name("faults.md").read_text("utf-8")


@pytest.mark.parametrize(
    ("mode", "synchronous", "lost"),
    [
        ("wal", "FULL", set()),
        ("wal", "NORMAL", {"durable"}),
        ("delete", "FULL", {"durable"}),
        ("delete", "EXTRA", set()),
        ("off", "FULL", {"intact", "atomic", "durable"}),
    ],
)
def test_settings_keep_what_sqlite_says_they_keep(mode, synchronous, lost):
    entry = examine(mode, synchronous, QUICK, 1)
    power = entry.kept["power cut"]
    assert power.images > 100
    assert set(power.broken) <= lost
    assert bool(power.broken) == bool(lost)
    if f"Made on SQLite {sqlite3.sqlite_version}, profile quick, seed 1." in PAGE:
        assert f"| {entry.name} | {entry.fate('process killed')} | {entry.fate('power cut')} |" in PAGE
        assert all(power.broken[promise] in PAGE for promise in [entry.lost("power cut")] if promise)


def test_a_stale_certificate_is_told():
    """Made in the same way it must be the same; made otherwise, the same settings must be safe."""
    entry, lied_to = examine("wal", "FULL", SMALL, 1), examine_lied_to(SMALL, 1)
    certificate = Certificate("3.99.0", "small", 1, (entry,), lied_to)
    page = certificate.page()
    assert "Safe: wal, FULL." in page
    assert certificate.drift(page) == ""
    assert certificate.drift(page.replace("everything", "nothing")) == "is stale, though made on SQLite 3.99.0 too"
    older = page.replace("3.99.0", "3.7.0").replace("everything", "nothing")
    assert certificate.drift(older) == ""
    assert "names other safe settings" in certificate.drift(older.replace("Safe: wal, FULL", "Safe: off, OFF"))


def test_the_published_certificate_covers_the_backend():
    """And says so."""
    mode, number = REQUIRED_SETTINGS
    (safe,) = (line for line in PAGE.splitlines() if line.startswith("Safe: "))
    assert f"{mode}, {SYNCHRONOUS[number]}" in safe


def test_the_backend_insists_on_settings_that_keep_everything():
    mode, level = REQUIRED_SETTINGS
    assert examine(mode, SYNCHRONOUS[level], QUICK, 2).is_safe


@pytest.mark.parametrize("storage", sqlite_storages(), ids=lambda storage: storage.name)
def test_a_power_cut_in_any_call_loses_and_tears_nothing(storage):
    tallies = cut_calls(storage, QUICK, 1)
    assert [tally.name for tally in tallies] == ["open", *(call.call for call in CHANGING)]
    assert [tally.losses for tally in tallies] == [[]] * len(tallies)
    assert all(tally.images > 5 for tally in tallies)


def test_a_disk_that_fails_in_a_call_harms_nothing():
    """In some of the calls, reading and changing; `mobstore durability` tries all."""
    found = list(fail_calls(sqlite_storages()[0], QUICK, 1, every=5))
    assert [harm.story() for each in found for harm in each.harms] == []
    assert len(found) > 12
    assert all(each.tried for each in found)
    assert sum(each.erred for each in found) > 150


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_store_loses_or_tears_something_and_is_found_out(name):
    """With the crash point, or the failure, that gave it away, and no key of a supervisor."""
    told = BROKEN[name].given_away(QUICK, 1)
    assert "; survived of" in told or "then it answered" in told
    assert '"secret_key": [' not in told


def test_a_loss_tells_its_story():
    """What was done to the disk, what was not durable, and what was left."""
    tallies = cut_calls(BROKEN["name-not-durable"].storage, QUICK, 1, until_loss=True)
    story = min((loss for tally in tallies for loss in tally.losses), key=lambda loss: loss.size).story()
    for line in (
        "    4. create state",
        "  the call has answered",
        "  power cut; survived of what was pending: none",
        "    lost: create state",
        "  then get_run differs",
    ):
        assert line in story


def test_a_connection_may_be_closed_after_its_disk_is_gone():
    """It finds nothing to write to, and no defect is kept for another disk."""
    disk = Disk()
    with vfs.mounted(disk) as uri:
        connection = sqlite3.connect(uri, uri=True, isolation_level=None)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE t (x)")
    with suppress(sqlite3.OperationalError):
        connection.execute("INSERT INTO t VALUES (1)")
    connection.close()
    vfs.raise_defects()
    with pytest.raises(sqlite3.OperationalError, match=r"unable to open|disk I/O error"):
        sqlite3.connect(uri, uri=True).execute("SELECT 1 FROM t")
    vfs.raise_defects()


class Sulking(SqliteEngine):
    """Never gets over a disk that was read-only once."""

    def perform(self, perform, body, argument, error_kind):
        return self._use(self._session(error_kind), perform, body, argument)

    def execute(self, operation):
        try:
            return super().execute(operation)
        except sqlite3.Error as error:
            raise (ReadFailed if operation.reads else WriteFailed)(str(error)) from None


def test_a_store_that_stays_read_only_is_found_out(monkeypatch):
    """A connection that was made while the disk was read-only can never write, and has to be given up."""
    monkeypatch.setattr("mobstore.properties.faults.storage.SqliteEngine", Sulking)
    found = fail_calls(sqlite_storages()[0], attrs.evolve(QUICK, faults=10_000), 1)
    wrong = [harm for each in itertools.islice(found, 2) for harm in each.harms]
    assert any("read-only, the connection new, beside" in harm.where for harm in wrong)


def test_a_careful_store_of_another_kind_passes():
    assert not [loss for tally in cut_calls(CAREFUL, QUICK, 1) for loss in tally.losses]


def test_a_python_whose_sqlite_cannot_be_reached_is_told(monkeypatch, capsys):
    def unreachable():
        raise vfs.Unreachable("the library hides its functions")

    monkeypatch.setattr("mobstore.properties.durability.library", unreachable)
    assert cli.main(["durability"]) == 2
    assert "hides its functions" in capsys.readouterr().err


def test_a_disk_that_lies_is_told_from_one_that_does_not():
    """The settings of the backend keep nothing there, and everything on a disk that is honest."""
    entry = lied_to().entry
    assert (entry.mode, SYNCHRONOUS.index(entry.synchronous)) == REQUIRED_SETTINGS
    assert entry.kept["process killed"].is_safe
    assert set(entry.kept["power cut"].broken) == {"intact", "atomic", "durable"}


def reported(capsys, monkeypatch, *parts, arguments=()):
    """Run the command with these parts, and return its exit code and what it printed."""
    monkeypatch.setattr(durability, "parts", lambda *_: parts)
    monkeypatch.setattr(durability, "PAGE", Path("no such page"))
    code = cli.main(["durability", "--seed", "3", *arguments])
    return code, capsys.readouterr().out


@cache
def kept():
    """What is kept with the settings of the backend."""
    return examine("wal", "FULL", QUICK, 3)


@cache
def lied_to():
    """What is kept on a disk that lies."""
    return durability.LiedTo(examine_lied_to(QUICK, 3))


def test_the_command_reports_what_it_tried(monkeypatch, capsys):
    """In JSON with the numbers of each call, in processes of its own."""
    kept, lied_to = (partial(durability._kept, "wal", "FULL", FEW, 3), partial(durability._lied_to, FEW, 3))
    power, overlap = (partial(what, 0, FEW, 3) for what in (durability._power, durability._overlap))
    parts = (kept, lied_to, power, partial(overlap, 0), partial(list, map(Damage, SPOILS)))
    code, out = reported(capsys, monkeypatch, *parts, arguments=["--json", "--jobs", "2"])
    told = json.loads(out)
    assert code == 0
    assert told["certificate"]["safe"] == [["wal", 2]]
    assert told["harms"] == []
    calls = {call["name"]: call for call in told["calls"]}
    assert calls.keys() >= {"cas_grant_node_slot", "append"}
    assert calls["append"]["images"] > 20
    assert sum(call["schedules"] for call in calls.values()) > told["schedules"]["count"] == FEW.schedules
    assert [each["name"] for each in told["damage"]] == [*SPOILS]


@pytest.mark.parametrize(
    ("part", "told"),
    [
        (lambda: durability.Exposed("sync-forgotten", "a mistake", ""), "a mistake, and nothing gave it away"),
        (lambda: cut_calls(BROKEN["write-behind"].storage, QUICK, 1), "$.ok: {"),
        (lambda: kills.Kills(1, 1, 2, 3, ("half a batch is there",)), "half a batch is there"),
        (lambda: durability.LiedTo(kept()), "was not told from one that does not"),
    ],
)
def test_the_command_fails_for_whatever_was_harmed(monkeypatch, capsys, part, told):
    """With 1, and says what."""
    code, out = reported(capsys, monkeypatch, kept, lied_to, part, arguments=["--jobs", "1"])
    assert code == 1
    assert told in out


def test_the_command_fails_when_the_backend_s_settings_are_not_safe(monkeypatch, capsys):
    """As those of a backend would be that does not synchronise."""
    unsafe = partial(durability._kept, "wal", "OFF", QUICK, 3)
    code, out = reported(capsys, monkeypatch, unsafe, lied_to, arguments=["--jobs", "1"])
    assert code == 1
    assert "the settings that the SQLite backend insists on did not keep everything" in out


def test_the_command_cannot_tell_when_the_time_was_too_short(monkeypatch, capsys):
    """With 2: what was not tried is no pass, and no harm."""
    late = lambda: kills.Kills(30, 4, 2, 3, ())  # noqa: E731
    code, out = reported(capsys, monkeypatch, kept, lied_to, late, arguments=["--jobs", "1"])
    assert code == 2
    assert "could not tell: 4 of 30 processes were killed in the time that there was" in out


def test_what_was_tried_of_each_call_is_a_page(monkeypatch, capsys, tmp_path):
    """With the crash point that gave each broken store away; the published one says how it was made."""
    place = tmp_path / "page.md"
    tallies = [Tally("append", images=1_234, recoveries=56)]
    schedule = durability.Overlap((Tally("handles", ("append", "poll"), images=9),))
    broken = durability.Exposed("write-behind", "answers | forgets", "append, cut after write (1 of 2)")
    damage = [Damage("one bit", 4, 1, 30, 84)]
    parts = (kept, lied_to, lambda: tallies, lambda: schedule, lambda: broken, lambda: damage)
    reported(capsys, monkeypatch, *parts, arguments=["--jobs", "1", "--page", str(place)])
    lines = place.read_text("utf-8").splitlines()
    assert "| append | 1,234 | 56 | 1 | 0 | 0 | 0 |" in lines
    assert "| poll | 0 | 0 | 1 | 0 | 0 | 0 |" in lines
    assert "| one bit | 4 | 1 | 30 | 84 | 0 | 0 |" in lines
    assert "| write-behind | answers \\| forgets | append, cut after write (1 of 2) |" in lines
    assert TRIED.startswith("\n".join(lines[: lines.index("## Calls") - 4]))
    assert "\n0 lost, torn or harmed.\n" in TRIED
    assert all(f"| {call.call} |" in TRIED for call in CHANGING)
    assert all(f"| {name} |" in TRIED for name in (*SPOILS, *EVERY_BROKEN))
    assert "NOTHING" not in TRIED


def test_the_report_is_for_people(monkeypatch, capsys):
    """The certificate, the calls, the sums, and what gave each broken store away."""
    parts = (
        kept,
        lied_to,
        partial(durability._exposed, "write-behind", 1),
        partial(durability.Exposed, "woken-afterwards", "a mistake", "put_spec: a subscriber sleeps on"),
    )
    code, out = reported(capsys, monkeypatch, *parts, arguments=["--jobs", "1"])
    assert code == 0
    for line in (
        "wal, FULL, the disk lies",
        "-> put_supervisor_authority, which had answered, cut before any change",
        "a subscriber sleeps on",
        "0 lost, torn or harmed",
    ):
        assert line in out
