"""Every broken backend is a valid mistake, and the chapter that is there for it rejects it in a few calls.

All of them are tried by ``mobstore zoo``; here, what is not made from a row, and of the mutants of rows a few of
each kind, with every row among them.
"""

import json
from collections import Counter

import attrs
import pytest

from mobstore.backends.sqlite import SqliteEngine
from mobstore.model import ROWS, MobStoreError
from mobstore.model import operations as ops
from mobstore.properties import (
    alarms,
    cli,
    comparisons,
    cursors,
    handles,
    identifiers,
    pools,
    replay,
    roundtrip,
    rows,
    smoke,
)
from mobstore.properties.alarms import DRAW_NOTHING
from mobstore.properties.cases import Case, try_cases
from mobstore.properties.chapters import CHAPTERS
from mobstore.properties.concurrency import chapters as concurrency
from mobstore.properties.menagerie import reject
from mobstore.properties.mutants import MUTANTS
from mobstore.properties.scenarios import Unexpected, expect
from mobstore.properties.subject import ManualClock, MemoryFactory, SqliteFactory, call_port, outcome_of
from mobstore.properties.zoo import BY_HAND, ZOO, Kind, files
from mobstore.properties.zoo.elsewhere import EXHIBITS
from mobstore.properties.zoo.twins import TWINS, name_of

OF_ROWS = [name for name in ZOO if name not in BY_HAND]
EVERY = {Kind.MEMORY_ROW: 7, Kind.SQLITE_ROW: 29}
SOME_OF_ROWS = [
    name for kind, step in EVERY.items() for name in [name for name in OF_ROWS if ZOO[name].kind is kind][::step]
]


@pytest.mark.parametrize("name", [*BY_HAND, *SOME_OF_ROWS])
def test_a_broken_backend_is_rejected(name):
    """By its chapter, and by six calls at most, which are printed as a test where they can be."""
    found = reject(name, 0, (), shrinks=False)
    assert found.is_rejected, (found.mistake, found.own)
    compile(found.own.counterexample, name, "exec")
    assert "def test_counterexample() -> None:" in found.own.counterexample


class Immortal(MemoryFactory):
    """Is killed, and loses nothing."""

    def kill(self):
        """Nothing happens."""


RIGHT = {
    "crashes": SqliteFactory,
    "kills": Immortal,
    "stress-handles": SqliteFactory,
    "stress-processes": SqliteFactory,
}


def run(program, times=1, **scope):
    """Run a test that was printed."""
    exec(compile(program, "program", "exec"), scope)
    for _ in range(times):
        scope["test_counterexample"]()


@pytest.mark.usefixtures("patient_branches")
@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda chapter: chapter.name)
def test_every_chapter_rejects_its_broken_twin_at_the_step(chapter, monkeypatch):
    """A check is believed as far as it has caught something; a right backend passes the test that is printed."""
    events = [path for path in replay.bundled() if path.name.startswith("events-prune")]
    monkeypatch.setattr(replay, "bundled", lambda: events)
    found = reject(name_of(chapter.name), 0)
    assert found.is_rejected, (found.mistake, found.own)
    assert "Error: " not in found.own.detail, "the twin is broken in another way than it should be"
    if chapter in concurrency.CHAPTERS:
        assert found.own.detail.startswith("not linearizable")
        assert found.own.length > 0
        assert "-> " in found.own.counterexample
    if chapter.name not in ("requests", "power-cuts"):
        program, backend = found.own.counterexample, f"TWINS[{chapter.name!r}].backend()"
        again = 10 if chapter.name.startswith("stress") else 1
        with pytest.raises((AssertionError, MobStoreError, pytest.fail.Exception)):
            run(program, again, TWINS=TWINS)
        if chapter.name not in ("capabilities", "branches-processes"):
            run(program.replace(backend, "RIGHT()"), RIGHT=RIGHT.get(chapter.name, MemoryFactory))


def test_a_twin_that_is_rejected_elsewhere_or_not_at_all_is_missed(monkeypatch, capsys):
    """And is told."""
    twin = TWINS["cursors"]
    monkeypatch.setitem(TWINS, "cursors", attrs.evolve(twin, step="prune"))
    assert cli.main(["zoo", "--only", "twin-of-cursors"]) == 1
    assert "NOT rejected at its step (failed append)" in capsys.readouterr().out
    monkeypatch.setitem(
        TWINS, "cursors", attrs.evolve(twin, backend=attrs.evolve(twin.backend, make=MemoryFactory))
    )
    assert not reject("twin-of-cursors", 0).is_rejected


@pytest.mark.parametrize("name", BY_HAND)
def test_a_broken_backend_is_one_that_its_author_may_take_for_right(name):
    """It opens, and most calls do what they should."""
    factory = ZOO[name]()
    right, stores = 0, factory.open(ManualClock())
    for call in smoke.EXECUTED:
        right += outcome_of(lambda: call_port(stores, call)).kind is None  # noqa: B023
    factory.destroy()
    assert right > len(smoke.EXECUTED) / 2


QUICK = ["lost-update", "cursor-gap", *files.BROKEN]


@pytest.mark.parametrize("name", QUICK)
def test_a_broken_backend_that_no_chapter_opens_is_found_out(name):
    """By what it does with its file, or a schedule; the others are tested where they are made."""
    found = reject(name, 0)
    assert found.is_rejected, found.mistake
    assert found.own.counterexample


def test_our_sqlite_backend_treats_its_file_rightly():
    assert files.find_out(SqliteEngine) == ("", 0)


def test_names_are_given_once():
    """Among those of chapters, those that are found out by other means, and the twins."""
    assert not set(EXHIBITS) & set(ZOO)
    assert not set(map(name_of, TWINS)) & {*EXHIBITS, *ZOO}


def test_a_right_backend_is_not_rejected(capsys, monkeypatch):
    """And what is rejected is told, with its proof."""
    names = {"smoke", "cursors", "refines-spec"}
    monkeypatch.setattr(alarms, "CHAPTERS", [chapter for chapter in CHAPTERS if chapter.name in names])
    trials = [alarms.try_backend(backend, 1, everything=True) for backend in alarms.BACKENDS]
    assert [(trial.chapters, trial.exceptions) for trial in trials] == [(3, ()), (3, ())]
    assert alarms.try_backend("memory", 2, everything=False).chapters == 1
    monkeypatch.setattr(alarms, "factory_of", lambda _: ZOO["clear-keeps-cursors"])
    wrong = alarms.try_backend("memory", 1, everything=True)
    assert [result.chapter for result in wrong.exceptions] == ["cursors"]
    alarms._tell(wrong, quiet=False)
    alarms._sum_up([*trials, wrong])
    told = capsys.readouterr()
    assert "failed cursors" in told.out
    assert "stores.events.clear()" in told.err


def test_there_are_enough_of_them():
    """In memory and on SQLite, each with a mistake of its own."""
    assert len({(broken.kind, broken.mistake) for broken in BY_HAND.values()}) == len(BY_HAND)
    kinds = Counter(broken.kind for broken in ZOO.values())
    assert min(kinds[Kind.MEMORY], kinds[Kind.SQLITE]) >= 45
    assert kinds[Kind.MEMORY_ROW] == kinds[Kind.SQLITE_ROW] > len(MUTANTS)
    assert {broken.chapter for broken in ZOO.values()} <= {chapter.name for chapter in CHAPTERS}


def test_every_row_is_mutated_in_every_part():
    """Each comparison and each write is left out once, and no mutant is the row itself."""
    kinds = Counter((mutant.original.name, mutant.kind) for mutant in MUTANTS)
    for row in ROWS:
        assert kinds[row.name, "not compared"] == len(row.comparisons)
        assert kinds[row.name, "not written"] == len(row.writes)
    assert all(mutant.row != mutant.original for mutant in MUTANTS)
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS)


@pytest.mark.parametrize(
    "made",
    [rows, comparisons, roundtrip, cursors, handles, identifiers],
    ids=lambda module: module.__name__.rpartition(".")[2],
)
def test_cases_are_the_same_each_time(made):
    """And each chapter's are about the calls that it says."""
    cases = list(made.cases())
    assert cases == list(made.cases())
    made_calls = {type(call) for case in cases for call in case.calls}
    covered = {row.operation for row in ROWS} if made is rows else set(made.COVERED)
    assert covered <= made_calls


def test_a_program_of_two_handles_is_a_test_to_paste():
    """It fails on the backend that it is about, and passes on a right one."""
    program = reject("cached-reads", 0, ()).own.counterexample
    assert "stores, other = other, stores" in program
    run(program.replace("ZOO['cached-reads']()", "MemoryFactory()"))
    with pytest.raises(AssertionError):
        run(program, ZOO=ZOO)


def test_a_scenario_is_a_test_to_paste():
    """It fails on the backend that it is about, and passes on a right one."""
    program = reject("subscriber-follows-cursors", 0, ()).own.counterexample
    run(program.replace("ZOO['subscriber-follows-cursors']()", "MemoryFactory()"))
    with pytest.raises(Unexpected):
        run(program, ZOO=ZOO)


def test_a_value_is_not_compared_with_another_of_its_kind_in_vain():
    """`expect` tells values of different types apart, and shows both."""
    with pytest.raises(Unexpected, match="expected 1, found True"):
        expect(found=True, wanted=1)


def test_every_row_has_every_comparison_failed_alone():
    """As many refusals as comparisons, at least."""
    for row in ROWS:
        about = {case.name for case in rows.cases() if case.name.startswith(f"{row.name}: ")}
        assert len(about) > 2 + len(row.comparisons)


def test_a_case_that_fails_only_after_others_is_proved_by_all_of_them():
    """A backend that counts its calls fails later, in what is no case's fault."""

    class Tires(MemoryFactory):
        def open(self, clock):
            stores = super().open(clock)
            execute, left = stores.specs._execute, iter((1, 1, 1))
            stores.specs._execute = lambda call: execute(call) if call.reads or next(left, None) else None
            return stores

    put = ops.PutSpec("mob", pools.DOCUMENTS[1])
    found = try_cases((Case(str(number), (put,)) for number in range(9)), Tires, "X()")
    assert found.failed is not None
    assert found.failed.name == "1"
    assert found.counterexample.calls == 4


def test_the_zoo_tells_who_was_rejected_and_how(capsys, monkeypatch):
    """0 when all were, 1 when one was not, 2 for a name that does not exist."""
    assert cli.main(["zoo", "--only", "clear-keeps-*", "--programs"]) == 0
    out = capsys.readouterr().out
    assert "stores.events.clear()" in out
    assert "1 of 1 broken backends rejected" in out
    harmless = attrs.evolve(ZOO["clear-keeps-cursors"], make=MemoryFactory)
    monkeypatch.setitem(ZOO, "clear-keeps-cursors", harmless)
    assert cli.main(["zoo", "--only", "clear-keeps-cursors", "--json"]) == 1
    (told,) = json.loads(capsys.readouterr().out)
    assert (told["rejected"], told["program"], told["others"]) == (False, "", {"smoke": "passed"})
    assert cli.main(["zoo", "--only", "nonsense"]) == 2


def test_the_zoo_sums_mutants_up_and_tries_every_chapter(capsys):
    """In processes of its own, or with every mutant on a line, if it is told to."""
    arguments = ["zoo", "--only", "prune-*", "--only", "cas-start-loop-loop-not-*"]
    assert cli.main([*arguments, "--jobs", "2"]) == 0
    out = capsys.readouterr().out
    assert "prune-takes-equal-times" in out
    assert "also by smoke" in out
    assert "memory: not compared" in out
    assert "cas-start-loop" not in out
    assert cli.main([*arguments[:3], "--every"]) == 0
    assert "also by smoke" in capsys.readouterr().out
    assert cli.main(["zoo", *arguments[3:], "--rows"]) == 0
    assert "cas-start-loop-loop-not-compared" in capsys.readouterr().out


def test_the_chapters_that_draw_nothing_are_chapters():
    """In the order of the suite."""
    names = [chapter.name for chapter in CHAPTERS]
    assert [name for name in names if name in DRAW_NOTHING] == list(DRAW_NOTHING)
    assert set(names) >= alarms._ONCE
