"""``mobstore history``: exit codes, messages for people, JSON for programs, errors in files."""

import json

import pytest

from mobstore.properties.cli import main
from mobstore.properties.linearizability import command

CAS = [
    '{"process": 0, "type": "invoke", "f": "cas", "value": [null, 1]}',
    '{"process": 1, "type": "invoke", "f": "cas", "value": [1, 2]}',
    '{"process": 0, "type": "ok", "f": "cas", "value": [null, 1], "result": true}',
    '{"process": 1, "type": "ok", "f": "cas", "value": [1, 2], "result": %s}',
    '{"process": 2, "type": "invoke", "f": "read"}',
    '{"process": 2, "type": "ok", "f": "read", "value": %s}',
]
GOOD, BAD = "\n".join(CAS) % ("true", "2"), "\n".join(CAS) % ("true", "1")
KV = [
    '{"process": "a", "type": "invoke", "f": "append", "key": "k", "value": "x", "time": 10}',
    '{"process": "a", "type": "ok", "f": "append", "key": "k", "value": "x", "time": 20}',
    '{"process": "b", "type": "invoke", "f": "get", "key": "k", "time": 15}',
    '{"process": "b", "type": "ok", "f": "get", "key": "k", "value": "x", "time": 30}',
]
RUN = "11111111-0000-4000-8000-000000000001"


@pytest.fixture
def history(tmp_path, capsys):
    """Run the command on histories given as texts; return its exit code, output and errors."""

    def run(*texts, model="cas-register", more=()):
        files = []
        for number, text in enumerate(texts):
            files.append(tmp_path / f"{number}.jsonl")
            files[-1].write_text(text)
        code = main(["history", *map(str, files), "--model", model, *more])
        return code, *capsys.readouterr()

    return run


def test_a_linearizable_history_exits_with_0(history):
    code, out, _ = history(GOOD)
    assert code == 0
    assert "0.jsonl: LINEARIZABLE" in out
    assert "3 calls of 3 processes" in out
    assert "checked again by the second program" in out


def test_another_exits_with_1_and_shows_the_calls(history):
    code, out, _ = history(BAD)
    assert code == 1
    assert "NOT LINEARIZABLE" in out
    assert "2: read() -> 1" in out
    assert "comes before call" in out


def test_one_that_is_too_much_work_exits_with_2_and_says_how_far_it_got(history):
    calls = [(place, "append", "ab"[place % 2]) for place in range(12)] + [("r", "get", None)]
    text = [
        json.dumps({"process": process, "type": kind, "f": f, "key": 1, "value": value})
        for kind in ("invoke", "ok")
        for process, f, value in reversed(calls)
    ]
    code, out, _ = history("\n".join(text), model="kv", more=["--configurations", "50"])
    assert code == 2
    assert "UNKNOWN" in out
    assert "limit of configurations 50 reached" in out


def test_keys_are_objects_and_files_are_parts(history):
    code, out, _ = history("\n".join(KV[:2]), "\n".join(KV[2:]), model="kv")
    assert code == 0
    assert "2 calls of 2 processes, 0 of unknown outcome, 1 object" in out


def test_a_history_of_our_stores(history):
    entry = {"step_id": "s", "reason": "r", "timestamp": "2026-01-01T00:00:00Z"}
    calls = [
        ("get_run", {"run_id": RUN}, {"ok": None}),
        (
            "append_failure_entry",
            {"run_id": RUN, "entry": entry},
            {"err": {"kind": "NotFound", "message": f"Not found: run not found: {RUN}"}},
        ),
    ]
    lines = [
        json.dumps({"process": 0, "type": kind, "f": f, **fields})
        for f, value, result in calls
        for kind, fields in (("invoke", {"value": value}), ("ok", {"result": result}))
    ]
    assert history("\n".join(lines), model="store")[0] == 0
    wrong = lines[3].replace("NotFound", "CasConflict")
    code, out, _ = history("\n".join([*lines[:3], wrong]), model="store")
    assert code == 1
    assert "nothing overlaps" in out


def test_the_verdict_as_json(history):
    code, out, _ = history(BAD, more=["--json"])
    told = json.loads(out)
    assert (code, told["verdict"], told["calls"], told["processes"]) == (1, "not linearizable", 3, 3)
    (found,) = told["objects"]
    assert found["checked_again"] is True
    assert found["proof"]["calls"][-1]["answer"] == 1
    assert found["proof"]["steps"]
    assert json.loads(history(GOOD, more=["--json"])[1])["objects"][0]["witness"] == [0, 1, 2]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "line 1: no JSON"),
        (GOOD + '\n{"process": 2, "type": "ok", "f": "read"}', "line 7: a response to 'read' of process 2"),
        (GOOD.replace(', "result": true', ""), 'line 3: an ok response to a cas carries "result": true or false'),
    ],
)
def test_a_bad_file_exits_with_2_and_names_the_line(history, text, message):
    code, out, errors = history(text)
    assert (code, out) == (2, "")
    assert message in errors
    assert errors.startswith("mobstore history: ")


def test_a_file_that_is_not_there_exits_with_2(tmp_path, capsys):
    assert main(["history", str(tmp_path / "none.jsonl")]) == 2
    assert "none.jsonl: No such file" in capsys.readouterr().err


def test_a_limit_is_above_0(tmp_path):
    with pytest.raises(SystemExit) as left:
        main(["history", str(tmp_path), "--seconds", "0"])
    assert left.value.code == 2


def test_a_verdict_that_the_second_program_rejects_is_none(history, monkeypatch):
    monkeypatch.setattr(command.verify, "recheck", lambda *_: "call 3 stands twice")
    code, out, errors = history(GOOD)
    assert (code, out) == (2, "")
    assert "the second program rejects the verdict: call 3 stands twice" in errors


def test_a_witness_that_the_second_program_rejects_is_none(history, monkeypatch):
    monkeypatch.setattr(command.verify, "replay", lambda *_: "call 3 stands twice")
    code, out, errors = history(GOOD)
    assert (code, out) == (2, "")
    assert "the second program rejects the witness: call 3 stands twice" in errors


def test_the_checker_is_held_to_brute_force(capsys):
    assert main(["history", "--self-check", "3", "--jobs", "1"]) == 0
    assert "27 random histories of 9 kinds: everything agrees with brute force" in capsys.readouterr().out
    assert main(["history", "--self-check", "2", "--jobs", "1", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["disagreement"] is None


def test_a_disagreement_is_shown(capsys, monkeypatch):
    monkeypatch.setattr(command.verify, "brute_force", lambda *_: False)
    assert main(["history", "--self-check", "3", "--jobs", "1"]) == 1
    assert "two disagree" in capsys.readouterr().out


def test_either_files_or_the_checker_is_checked(tmp_path, capsys):
    assert main(["history"]) == 2
    assert main(["history", str(tmp_path), "--self-check", "1"]) == 2
    assert "give either files or --self-check" in capsys.readouterr().err


def test_of_a_long_proof_the_last_calls_are_shown(history):
    """They are the ones behind which nothing can be explained any more."""
    writes = [(place, "write", place % 2, None) for place in range(60)]
    calls = [*writes, ("r", "read", None, 5)]
    events = [
        {"process": process, "type": kind, "f": f, "value": value if kind == "invoke" or f == "write" else answer}
        for kind in ("invoke", "ok")
        for process, f, value, answer in (calls if kind == "invoke" else calls[::-1])
    ]
    code, out, _ = history("\n".join(map(json.dumps, events)))
    assert code == 1
    assert "calls, and then" in out
    assert "r: read() -> 5" in out
