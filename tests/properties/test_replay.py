"""Replay: the recordings hold on both backends, and a wrong answer in one is noticed."""

import gzip
import json
import lzma
import re

import pytest

from mobstore.properties import replay
from mobstore.properties.replay import NotARecording, bundled, bundled_vectors, differences, read_lines, replay_file
from mobstore.properties.subject import MemoryFactory, SqliteFactory
from mobstore.properties.zoo import ZOO


@pytest.mark.parametrize("path", bundled(), ids=lambda path: path.name)
def test_every_recorded_answer_is_given_again(path):
    """Zero mismatches on SQLite; the next test is about the memory backend."""
    report = replay_file(path, SqliteFactory)
    assert report.mismatches == ()
    assert report.calls > 200


def test_the_contract_overrules_only_what_it_says():
    """Malformed arguments and JSON nested too deep: five answers of 26,415, in memory."""
    report = sum((replay_file(path, MemoryFactory) for path in bundled()), replay.Report())
    assert report.summary() == "1292 sequences, 26415 calls, 0 mismatches"
    assert report.overruled == 5


def test_every_vector_is_reproduced():
    """Of 4,686 transitions the contract overrules one: the counter that wraps around."""
    report = sum((replay_file(path, MemoryFactory) for path in bundled_vectors()), replay.Report())
    assert report.summary() == "0 sequences, 0 calls, 4686 vectors, 0 mismatches"
    assert report.overruled == 1


def test_a_vector_that_says_otherwise_is_noticed(tmp_path):
    """With its line and the place of the difference."""
    rows = list(read_lines(next(path for path in bundled_vectors() if "loop" in path.name)))
    number = next(number for number, row in enumerate(rows) if "ok" in row)
    rows[number]["ok"]["transition_id"] = "Another"
    path = tmp_path / "vectors.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    (found,) = replay_file(path, MemoryFactory).mismatches
    assert str(found).startswith(f"vectors.jsonl: line {number + 1}, ")
    assert "$.transition_id" in found.differences[0]


@pytest.mark.parametrize(
    "name", ["cursor-reused-after-prune", "cas-run-snapshot-terminal-not-compared", "negative-zero-lost"]
)
def test_a_broken_backend_is_noticed(name):
    """The recordings alone reject it."""
    assert any(replay_file(path, ZOO[name]).mismatches for path in bundled())


def changed(sequence, place, answer):
    steps = [dict(step) for step in sequence["steps"]]
    steps[place]["answer"] = answer
    return {**sequence, "steps": steps}


def test_every_kind_of_wrong_answer_is_noticed(tmp_path):
    """A changed value, a missing key, another error, a swapped order of outputs, a confused time."""
    sequences = list(read_lines(next(path for path in bundled() if path.name.startswith("profiles"))))
    path = tmp_path / "changed.jsonl"
    noticed = 0
    for sequence in sequences[:40]:
        for place, step in enumerate(sequence["steps"]):
            if "answer" not in step or step["op"] not in ("create", "update", "delete"):
                continue
            wrong = {"err": {"kind": "NotFound", "message": "Not found: x"}}
            if "ok" in step["answer"]:
                wrong = {"ok": {**step["answer"]["ok"], "revision": 99}}
            path.write_text(json.dumps(changed(sequence, place, wrong)))
            report = replay_file(path, MemoryFactory)
            assert [(found.step, found.call) for found in report.mismatches] == [(place, f"profile {step['op']}")]
            noticed += 1
    assert noticed > 100


def test_one_mark_is_one_time(tmp_path):
    """An update that claims the time of the creation is noticed."""
    profile = {"model": "m"}
    base = {"name": "p", "profile": profile, "created_at": "<generated-ts:1>"}
    steps = [
        {
            "store": "profile",
            "op": "create",
            "args": {"name": "p", "profile": profile},
            "answer": {"ok": {**base, "revision": 1, "updated_at": "<generated-ts:1>"}},
        },
        {
            "store": "profile",
            "op": "update",
            "args": {"name": "p", "profile": profile, "expected_revision": 1},
            "answer": {"ok": {**base, "revision": 2, "updated_at": "<generated-ts:2>"}},
        },
    ]
    path = tmp_path / "times.jsonl"
    path.write_text(json.dumps({"sequence": 0, "steps": steps}))
    assert replay_file(path, MemoryFactory).mismatches == ()
    assert replay_file(path, ZOO["creation-time-moves"]).mismatches != ()
    path.write_text(json.dumps({"sequence": 0, "steps": steps}).replace("generated-ts:2", "generated-ts:1"))
    assert replay_file(path, MemoryFactory).mismatches != ()


@pytest.mark.parametrize("opener", [open, gzip.open, lzma.open])
def test_plain_and_compressed_files_are_read(opener, tmp_path):
    """By their ending."""
    path = tmp_path / {open: "a.jsonl", gzip.open: "a.jsonl.gz", lzma.open: "a.jsonl.xz"}[opener]
    with opener(path, "wt", encoding="utf-8") as file:
        file.write('{"sequence": 0, "steps": []}\n')
    assert list(read_lines(path)) == [{"sequence": 0, "steps": []}]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "bad.jsonl:1: not JSON"),
        ("[]", "bad.jsonl:1: not a sequence"),
        ('{"op": "pending.authority_record", "args": {}, "ok": null}', "bad.jsonl:1: not a vector"),
        ('{"steps": [{"store": "run", "op": "no_such", "args": {}, "answer": {"ok": null}}]}', "no_such"),
        ('{"steps": [{"store": "run", "op": "get_run", "args": {}}]}', "answer"),
    ],
)
def test_a_file_that_is_no_recording_is_refused_with_its_place(content, message, tmp_path):
    """And not taken for a pass."""
    path = tmp_path / "bad.jsonl"
    path.write_text(content)
    with pytest.raises(NotARecording, match=re.escape(message)):
        replay_file(path, MemoryFactory)
    with pytest.raises(NotARecording, match=r"missing\.jsonl"):
        replay_file(tmp_path / "missing.jsonl", MemoryFactory)


def test_differences_show_no_secret():
    """Wherever it stands; that it differs is told."""
    ours, other = ({"secret_key": [byte] * 32, "pending": {"secret_key": [9] * 32}} for byte in (1, 2))
    assert differences({"ok": ours}, {"ok": other}) == ["$.ok.secret_key: <hidden> -> <hidden>"]
    assert differences({"ok": None}, {"ok": ours}) == [
        '$.ok: null -> {"secret_key": "<hidden>", "pending": {"secret_key": "<hidden>"}}'
    ]
    assert differences([{"bootstrap_token": "t"}], []) == ['$: [{"bootstrap_token": "<hidden>"}] -> []']
    assert differences({"secret_key": [1]}, {}) == ["$.secret_key: <hidden> -> <hidden>"]


def test_differences_are_of_values():
    """Paths to what differs; 1, 1.0 and true are three values."""
    assert differences({"a": [1, {"b": 2}]}, {"a": [1, {"b": 2}]}) == []
    assert differences({"a": [1, {"b": 2}]}, {"a": [1, {"b": 3}]}) == ["$.a[1].b: 2 -> 3"]
    assert differences([1], [1.0]) == ["$[0]: 1 -> 1.0"]
    assert differences([True], [1]) == ["$[0]: true -> 1"]
    assert differences({"a": 1}, {"b": 1}) == ["$.a: 1 -> (absent)", "$.b: (absent) -> 1"]
    assert differences([0.0], [-0.0]) == ["$[0]: 0.0 -> -0.0"]
