"""``mobstore prove``: verdicts, exit codes, and output that people and programs can read."""

import json
import shutil
import subprocess

import pytest
import z3

from mobstore.properties import cli, prove
from mobstore.properties.proofs import settlement, solvers
from mobstore.properties.proofs.obligation import UNBOUNDED, Aim, Obligation, Question, Replay, bounded
from mobstore.properties.proofs.settlement import Result, settle
from mobstore.properties.proofs.solvers import Answer, Finding, Verdict, smtlib

X, Y, Z = z3.Ints("x y z")
FERMAT = (X > 0, Y > 0, Z > 0, X * X * X + Y * Y * Y == Z * Z * Z)


def obligation(claim, *, given=(), aim=Aim.VALID, small=None, replay=None):
    def build(_translation):
        return Question(tuple(given), claim, replay)

    return Obligation("test/one", "It is so.", UNBOUNDED, build, aim=aim, small=small)


@pytest.mark.parametrize(
    ("claim", "aim", "verdict"),
    [
        (X + Y == Y + X, Aim.VALID, Verdict.HOLDS),
        (X < Y, Aim.VALID, Verdict.REFUTED),
        (X < Y, Aim.POSSIBLE, Verdict.HOLDS),
        (X < X, Aim.POSSIBLE, Verdict.REFUTED),
    ],
)
def test_what_the_solvers_answer_becomes_a_verdict(claim, aim, verdict):
    result = settle(obligation(claim, aim=aim))
    assert result.verdict is verdict
    assert [finding.verdict for finding in result.findings] == [verdict, verdict]


def test_a_time_out_is_not_a_proof():
    """Of both solvers, on a question that is too hard for them."""
    result = settle(obligation(X == 0, given=FERMAT), limit=0.05)
    assert result.verdict is Verdict.UNKNOWN
    assert {finding.verdict for finding in result.findings} == {Verdict.UNKNOWN}


def finding(solver, verdict):
    return Finding(solver, verdict, 0.0)


@pytest.mark.parametrize(
    ("first", "second", "verdict"),
    [
        (Verdict.HOLDS, Verdict.HOLDS, Verdict.HOLDS),
        (Verdict.HOLDS, Verdict.UNKNOWN, Verdict.UNKNOWN),
        (Verdict.HOLDS, Verdict.REFUTED, Verdict.UNKNOWN),
        (Verdict.REFUTED, Verdict.UNKNOWN, Verdict.REFUTED),
        (Verdict.UNKNOWN, Verdict.UNKNOWN, Verdict.UNKNOWN),
    ],
)
def test_one_solver_alone_proves_nothing(first, second, verdict):
    """And two that differ neither prove nor refute."""
    findings = (finding("z3", first), finding("cvc5", second))
    assert Result("test/one", UNBOUNDED, Aim.VALID, findings).verdict is verdict


def test_nothing_settled_is_nothing_proved():
    assert prove.overall([]) is Verdict.UNKNOWN
    assert Result("test/one", UNBOUNDED, Aim.VALID, ()).verdict is Verdict.UNKNOWN


def test_a_countermodel_is_shown_with_what_python_says_of_it():
    def replay(model):
        return Replay(str(model[X]), "go", "gone", confirmed=model[X].as_long() >= 7)

    result = settle(obligation(X < 7, small=bounded("small"), replay=replay))
    assert result.countermodel is not None
    assert "confirmed in Python" in str(result.countermodel)
    assert "NOT" not in str(result.countermodel)
    assert "NOT confirmed" in str(Replay("a", "b", "c", confirmed=False))


def test_a_question_stands_alone():
    """Any solver can read it, and it says what it is."""
    chosen = obligation(X + Y == Y + X)
    _, assertions = solvers.question_of(chosen, UNBOUNDED)
    text = smtlib(chosen, assertions)
    assert text.startswith("; test/one\n; It is so.\n")
    assert "(set-info :status unsat)" in text
    assert solvers.ask_cvc5(text) is solvers.ask_z3(text) is Answer.UNSAT


def test_the_command_proves_what_it_is_told_to(capsys):
    assert cli.main(["prove", "--only", "call/put_supervisor_authority", "--jobs", "1"]) == 0
    shown = capsys.readouterr().out
    assert "call/put_supervisor_authority/answer" in shown
    assert "5 obligations: 5 hold (4 proved without any bound)" in shown


def test_processes_find_the_same_and_json_is_readable(capsys):
    assert cli.main(["prove", "--only", "call/put_supervisor_authority", "--jobs", "2", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["verdict"] == "holds"
    assert [each["name"].split("/")[2] for each in found["obligations"]] == [
        "answer",
        "writes",
        "rest",
        "no-change",
        "happens",
    ]
    for each in found["obligations"]:
        assert {solver: said["verdict"] for solver, said in each["findings"].items()} == {
            "z3": "holds",
            "cvc5": "holds",
        }
        assert each["scope"]
        assert each["sentence"]
        assert each["assumptions"]


@pytest.mark.parametrize(
    ("claim", "code", "said"),
    [(X < 7, 1, "1 refuted"), (z3.Implies(z3.And(*FERMAT), X == 0), 2, "1 unknown")],
)
def test_what_is_not_proved_fails(claim, code, said, monkeypatch, capsys):
    monkeypatch.setattr(prove, "chosen", lambda _patterns: [obligation(claim)])
    assert cli.main(["prove", "--jobs", "1", "--limit", "0.05"]) == code
    shown = capsys.readouterr().out
    assert said in shown
    assert "test/one: It is so." in shown


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--only", "nothing/*"], "there is no obligation 'nothing/*'"),
        (["--jobs", "0"], "--jobs is at least 1"),
        (["--limit", "0"], "--limit above 0"),
    ],
)
def test_bad_arguments_are_told(arguments, said, capsys):
    assert cli.main(["prove", *arguments]) == 2
    assert said in capsys.readouterr().err


def test_a_process_that_dies_leaves_its_obligations_unknown(monkeypatch):
    class Pool:
        def __init__(self, *_):
            self.submitted = []

        def __enter__(self):
            return self

        def __exit__(self, *_):
            return None

        def submit(self, *_):
            future = settlement.Future()
            future.set_exception(settlement.BrokenProcessPool())
            return future

    monkeypatch.setattr(settlement, "processes", Pool)
    (result,) = settlement.settle_all([obligation(X < Y)], 2)
    assert result.verdict is Verdict.UNKNOWN
    assert result.detail == "the solver's process died"


def test_what_is_exported_stands_alone(tmp_path, capsys):
    """One file an obligation, which is what the solvers were asked, and a page that lists them."""
    assert cli.main(["prove", "--only", "call/create_run", "--jobs", "1", "--export", str(tmp_path)]) == 0
    files = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.smt2"))
    listed = (tmp_path / "index.md").read_text("utf-8")
    assert len(files) == 7
    assert all(f"`{name.removesuffix('.smt2')}`" in listed for name in files)
    text = (tmp_path / "call/create_run/answer.smt2").read_text("utf-8")
    assert solvers.ask_cvc5(text) is Answer.UNSAT
    assert "7 obligations: 7 hold" in capsys.readouterr().out


def checked(directory, *solver):
    """What the exported script says of the exported questions, and its exit code."""
    done = subprocess.run(["sh", directory / "check.sh", *solver], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


@pytest.fixture
def exported(tmp_path):
    assert cli.main(["prove", "--only", "call/create_run", "--jobs", "1", "--export", str(tmp_path)]) == 0
    return tmp_path


def test_any_program_can_be_asked_about_what_is_exported(exported, tmp_path):
    """And what it answers otherwise than the file expects is told."""
    solver = tmp_path / "solver"
    solver.write_text("#!/bin/sh\nsed -n 's/^(set-info :status \\(.*\\))$/\\1/p' \"$1\"\n", "utf-8")
    solver.chmod(0o755)
    assert checked(exported, solver) == (0, "7 questions, 0 not answered as expected\n")
    solver.write_text("#!/bin/sh\necho unsat\n", "utf-8")
    code, said = checked(exported, solver)
    assert code == 1
    assert "./call/create_run/happens/success.smt2: unsat, not sat" in said
    assert checked(exported, "no-such-solver") == (2, "there is no program no-such-solver\n")


@pytest.mark.skipif(shutil.which("cvc5") is None, reason="there is no program cvc5")
def test_the_program_cvc5_confirms_what_is_exported(exported):
    assert checked(exported) == (0, "7 questions, 0 not answered as expected\n")
