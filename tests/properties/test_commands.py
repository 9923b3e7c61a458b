"""The command line: verdicts, exit codes, and output that people and programs can read."""

import json

import pytest

from mobstore.properties import cli, report, subject
from mobstore.properties.chapter import Context, Result, Verdict
from mobstore.properties.chapters import CHAPTERS
from mobstore.properties.refinement import Profile
from mobstore.properties.subject import MemoryFactory, SqliteFactory, UnknownBackend, factory_of

SMALL = Profile("small", 10, 12)


def context(make, name="memory"):
    return Context(make, name, f"{name}()", SMALL, 3)


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda chapter: chapter.name)
@pytest.mark.parametrize("factory", [MemoryFactory, SqliteFactory], ids=lambda factory: factory.name)
def test_every_chapter_passes_our_backends(chapter, factory):
    """And has made calls."""
    if chapter.name == "recordings":
        pytest.skip("test_replay makes these calls")
    if chapter.name == "power-cuts" and factory is SqliteFactory:
        pytest.skip("test_durability makes these cuts")
    if chapter.name.startswith("refines-") and factory is SqliteFactory:
        pytest.skip("test_refinement makes these calls")
    result = chapter.run(context(factory))
    of_files = chapter.name in ("crashes", "kills", "power-cuts") or chapter.name.endswith("-processes")
    if chapter.name in ("capabilities", "requests") or (of_files and factory is MemoryFactory):
        assert result.verdict is Verdict.NOT_APPLICABLE, result
        return
    assert result.verdict is Verdict.PASSED, result
    assert result.calls > 5


class Spoiled(MemoryFactory):
    """A memory backend of which `spoil` breaks something on opening."""

    def __init__(self, spoil):
        super().__init__()
        self._spoil = spoil

    def open(self, clock):
        stores = super().open(clock)
        self._spoil(stores)
        return stores


def drop_on_reopen(stores):
    engine = stores.engine
    fresh = type(engine)()._calls
    stores.reopen = lambda: engine._calls.update(fresh)


def test_what_is_lost_on_reopening_is_noticed():
    """By the chapter about handles."""
    (handles,) = (chapter for chapter in CHAPTERS if chapter.name == "handles")
    result = handles.run(context(lambda: Spoiled(drop_on_reopen)))
    assert result.verdict is Verdict.FAILED
    assert "stores.reopen()" in result.counterexample
    assert result.length <= 3


def test_a_file_that_vanishes_while_its_directory_is_removed_is_no_failure(tmp_path, monkeypatch):
    """SQLite removes what it keeps beside a file when the last connection closes, of a thread that ends, say."""
    place = tmp_path / "place"
    place.mkdir()
    (place / "stores.db-wal").touch()
    rmtree = subject.shutil.rmtree

    def vanishing(directory):
        monkeypatch.setattr(subject.shutil, "rmtree", rmtree)
        raise FileNotFoundError("stores.db-wal")

    monkeypatch.setattr(subject.shutil, "rmtree", vanishing)
    subject.removed(place)
    assert not place.exists()


def test_a_backend_that_raises_anything_else_fails():
    """Whatever it raises is told, and never an exception of the suite."""

    class Raising(MemoryFactory):
        def open(self, clock):
            raise OSError("no such disk")

    for chapter in CHAPTERS:
        if chapter.name.startswith(("refines", "capabilities", "requests")):
            continue
        result = chapter.run(context(Raising))
        if result.verdict is Verdict.NOT_APPLICABLE:
            # A backend in memory is asked for nothing that outlives its process.
            assert result.excused
            continue
        assert (result.verdict, result.detail) == (Verdict.FAILED, "OSError: no such disk")


@pytest.mark.parametrize(
    ("verdicts", "code"),
    [
        ([], 1),
        (["not applicable"], 1),
        (["passed", "not applicable"], 0),
        (["passed"], 0),
        (["passed", "unknown"], 2),
        (["passed", "unknown", "failed"], 1),
    ],
)
def test_unknown_is_never_a_pass(verdicts, code):
    """0 holds, 1 a violation or nothing tested, 2 could not tell."""
    results = [Result("c", Verdict(verdict), 0.0, 1) for verdict in verdicts]
    assert report.EXIT_CODES[report.overall(results)] == code


def test_check_prints_a_line_for_each_chapter(capsys):
    """Plain lines where there is no terminal, and the seed to do it again."""
    assert cli.main(["check", "memory", "--profile", "quick", "--seed", "5", "--chapter", "smoke"]) == 0
    out = capsys.readouterr().out
    assert "passed   smoke" in out
    assert "memory: PASSED (1 passed; 57 calls" in out
    assert "seed 5" in out
    assert "\x1b" not in out


def test_check_of_a_backend_of_one_s_own(capsys, monkeypatch, tmp_path):
    """``package.module:factory`` on the path."""
    (tmp_path / "mine.py").write_text(
        "from mobstore.properties.zoo import ZOO\nfactory = ZOO['delete-ignores-revision']\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    assert cli.main(["check", "mine:factory", "--seed", "1", "--chapter", "refines-spec"]) == 1
    out = capsys.readouterr().out
    assert "def test_counterexample() -> None:" in out
    assert "stores.specs.delete_spec(" in out
    assert "again: mobstore check mine:factory --profile ci --seed 1" in out


def test_chapters_that_are_tried_at_a_time_come_to_the_same(capsys, monkeypatch, tmp_path):
    """In their order, with what proves a failure."""
    (tmp_path / "worse.py").write_text(
        "from mobstore.properties.zoo import ZOO\nfactory = ZOO['delete-ignores-revision']\n"
    )
    monkeypatch.chdir(tmp_path)
    chapters = [part for name in ("comparisons", "smoke", "refines-spec") for part in ("--chapter", name)]
    printed = []
    for jobs in ("1", "2"):
        assert cli.main(["check", "worse:factory", "--seed", "5", "--json", "--jobs", jobs, *chapters]) == 1
        printed.append(json.loads(capsys.readouterr().out)["chapters"])
    assert [each["verdict"] for each in printed[0]] == ["failed", "passed", "failed"]
    serial, parallel = ([{**each, "seconds": 0} for each in chapters] for chapters in printed)
    assert serial == parallel


def test_check_prints_json_for_programs(capsys):
    """And nothing else on standard output."""
    assert cli.main(["check", "memory", "--seed", "5", "--chapter", "smoke", "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["verdict"] == "passed"
    assert printed["chapters"][0]["calls"] == 57


@pytest.mark.parametrize(
    "arguments",
    [
        ["check", "nonsense"],
        ["check", "memory", "--chapter", "nonsense"],
        ["check", "exec:sh", "--jobs", "2"],
        ["check", "memory", "--jobs", "0"],
        ["replay", "/does/not/exist"],
        ["replay", "--backend", "nonsense"],
        ["convert", "/does/not/exist", "/nowhere"],
        ["audit", "/does/not/exist"],
    ],
)
def test_what_cannot_be_done_is_two_and_a_sentence(arguments, capsys):
    """Never a traceback."""
    assert cli.main(arguments) == 2
    captured = capsys.readouterr()
    said = captured.err + captured.out
    assert said.startswith(f"mobstore {arguments[0]}: ") or "could not tell" in said
    assert "Traceback" not in said


def test_replay_prints_the_three_numbers(capsys, tmp_path):
    """0 without mismatches, 1 with them and their differences, 2 when nothing was replayed."""
    step = {"store": "spec", "op": "put_spec", "args": {"mob_id": "m", "definition": {}, "revision": None}}
    path = tmp_path / "a.jsonl"
    for answer, code, text in ((1, 0, "1 sequences, 1 calls, 0 mismatches"), (2, 1, "$.ok: 2 -> 1")):
        path.write_text(json.dumps({"sequence": 0, "steps": [{**step, "answer": {"ok": answer}}]}))
        assert cli.main(["replay", str(path), "--backend", "memory"]) == code
        assert text in capsys.readouterr().out
    path.write_text("")
    assert cli.main(["replay", str(path)]) == 2
    assert "nothing was replayed" in capsys.readouterr().err
    path.write_text(json.dumps({"sequence": 0, "steps": [{**step, "answer": {"ok": 2}}]}))
    assert cli.main(["replay", str(path), "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["mismatches"][0]["call"] == "spec put_spec"


def test_sqlite_files_are_made_where_they_are_asked_for(tmp_path):
    """And removed afterwards."""
    factory = factory_of(f"sqlite:{tmp_path}")()
    factory.open(lambda: 0)
    assert len(list(tmp_path.glob("mobstore-*/stores.db"))) == 1
    factory.destroy()
    assert list(tmp_path.iterdir()) == []
    named = factory_of(f"sqlite:{tmp_path}/mine.db")()
    named.open(lambda: 0)
    assert len(list(tmp_path.glob("mobstore-*/mine.db"))) == 1
    named.destroy()
    (tmp_path / "mine.db").write_bytes(b"precious")
    for place in (tmp_path / "mine.db", tmp_path / "missing" / "mine.db"):
        with pytest.raises(UnknownBackend):
            factory_of(f"sqlite:{place}")
    assert (tmp_path / "mine.db").read_bytes() == b"precious"
