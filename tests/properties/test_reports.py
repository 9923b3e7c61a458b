"""Reports for other programs, and failures that are known."""

import json
from xml.etree import ElementTree as ET

import pytest

from mobstore.properties import chapters, cli, report
from mobstore.properties.chapter import Chapter, Context, Finding, Result, Verdict
from mobstore.properties.junit import write_junit
from mobstore.properties.known import NotAList, read_known, stale
from mobstore.properties.refinement import PROFILES
from mobstore.properties.subject import MemoryFactory

CONTEXT = Context(MemoryFactory, "my shop:Factory", "X()", PROFILES["quick"], 7)
PASSED = Result("smoke", Verdict.PASSED, 0.5, 57, "57 calls")
FAILED = Result("handles", Verdict.FAILED, 0.25, 3, "no\x00 <good>", "def test(): ...", 2, "poll")
UNKNOWN = Result("threads", Verdict.UNKNOWN, 0.25, 3, "never made")
ABSENT = Result("crashes", Verdict.NOT_APPLICABLE, 0.0, 0, "no crash")


def junit(tmp_path, results, known):
    path = tmp_path / "junit.xml"
    write_junit(path, CONTEXT, results, known)
    return ET.parse(path).getroot().find("testsuite")


def test_junit_has_a_test_for_each_chapter(tmp_path):
    """With the program to paste and the command to do it again in a failure."""
    suite = junit(tmp_path, [PASSED, FAILED, UNKNOWN, ABSENT], {})
    counts = {name: suite.get(name) for name in ("tests", "failures", "errors", "skipped", "time")}
    assert counts == {"tests": "4", "failures": "1", "errors": "1", "skipped": "1", "time": "1.000"}
    failure = suite.find("testcase/failure")
    assert failure.get("message") == "no\\x00 <good>"
    assert failure.get("type") == "poll"
    assert "def test(): ..." in failure.text
    assert "again: mobstore check 'my shop:Factory' --profile quick --seed 7 --chapter handles" in failure.text
    assert suite.find("testcase").get("name") == ("smoke: every call does what the contract says, once")
    assert {each.get("name"): each.get("value") for each in suite.findall("properties/property")} == {
        "profile": "quick",
        "seed": "7",
        "level": "none",
        "capabilities": "full",
    }


def test_junit_knows_known_failures(tmp_path):
    """They are skipped; one that passes is a failure."""
    suite = junit(tmp_path, [PASSED, FAILED], {"smoke": "ticket 1", "handles": "ticket 2"})
    assert suite.find("testcase/failure").get("message") == "is known to fail, and does not any more: ticket 1"
    assert suite.find("testcase/skipped").get("message") == "known to fail: ticket 2"


@pytest.mark.parametrize(
    ("results", "known", "verdict"),
    [
        ([PASSED, FAILED], {"handles": "ticket 2"}, Verdict.PASSED),
        ([PASSED, FAILED], {"threads": "ticket 3"}, Verdict.FAILED),
        ([PASSED], {"smoke": "ticket 1"}, Verdict.FAILED),
        ([PASSED, UNKNOWN], {"threads": "ticket 3"}, Verdict.FAILED),
        ([FAILED], {"handles": "ticket 2"}, Verdict.FAILED),
        ([PASSED], {"handles": "not run"}, Verdict.PASSED),
    ],
)
def test_a_known_failure_counts_until_it_is_gone(results, known, verdict):
    """Unknown is not what was known; and a run of nothing but known failures has tested nothing."""
    assert report.overall(results, known) is verdict


def test_known_failures_are_read(tmp_path):
    """With comments, and colons in the reason."""
    path = tmp_path / "known.txt"
    path.write_text("# ours\n\nsmoke: see: 1\n  refines-event:soon\n")
    assert read_known(path, ["smoke", "refines-event"]) == {"smoke": "see: 1", "refines-event": "soon"}
    assert stale([PASSED], {"smoke": "x"}) == ["smoke"]


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("nonsense: x", "known.txt:1: there is no chapter 'nonsense'"),
        ("\nsmoke:", "known.txt:2: an entry is CHAPTER: REASON"),
        ("smoke", "known.txt:1: an entry is CHAPTER: REASON"),
        ("smoke: a\nsmoke: b", "known.txt:2: smoke is there already"),
    ],
)
def test_a_line_that_is_no_entry_is_named(text, rule, tmp_path):
    """A slip of the pen would excuse nothing, unseen."""
    path = tmp_path / "known.txt"
    path.write_text(text)
    with pytest.raises(NotAList, match=rule):
        read_known(path, ["smoke"])
    with pytest.raises(NotAList, match=r"absent\.txt"):
        read_known(tmp_path / "absent.txt", [])


def test_check_takes_known_failures_and_writes_reports(tmp_path, monkeypatch, capsys):
    """The exit code follows; the level does not."""
    failing = Chapter("smoke", "a promise", lambda _: "one call", lambda _: Finding(1, "broken"))
    others = tuple(each for each in chapters.CHAPTERS if each.name == "handles")
    monkeypatch.setattr("mobstore.properties.check.CHAPTERS", (failing, *others))
    known, out = tmp_path / "known.txt", tmp_path / "junit.xml"
    known.write_text("smoke: ticket 1\n")
    chosen = ["--chapter", "smoke", "--chapter", "handles", "--profile", "quick", "--seed", "1"]
    arguments = ["check", "memory", *chosen, "--known", str(known), "--junit", str(out)]
    assert cli.main(arguments) == 0
    said = capsys.readouterr().out
    assert "known to fail: smoke: ticket 1" in said
    assert "level: none\nnext level: answers, which wants " in said
    assert "\nfailed: smoke\n" in said
    assert ET.parse(out).getroot().find("testsuite").get("skipped") == "1"
    known.write_text("smoke: ticket 1\nhandles: ticket 2\n")
    assert cli.main([*arguments, "--json"]) == 1
    printed = json.loads(capsys.readouterr().out)
    assert printed["no_longer_failing"] == ["handles"]
    assert printed["chapters"][0]["again"] == "mobstore check memory --profile quick --seed 1 --chapter smoke"
    assert cli.main(arguments) == 1
    assert "no longer fails, so that its line must go: handles: ticket 2" in capsys.readouterr().out


def test_what_cannot_be_read_or_written_is_told_before_the_work(tmp_path, capsys):
    """With exit code 2."""
    for option in ("--known", "--junit"):
        assert cli.main(["check", "memory", "--chapter", "smoke", option, str(tmp_path / "no" / "x")]) == 2
        assert capsys.readouterr().err.startswith("mobstore check: ")


def chapter_that(name, check):
    return Chapter(name, "a promise", lambda _: "one call", check)


@pytest.fixture
def three(monkeypatch):
    """A chapter that passes, one that does as it is told, and one more."""

    def choose(second):
        chosen = (
            chapter_that("smoke", lambda _: Finding(1)),
            chapter_that("handles", second),
            chapter_that("threads", lambda _: Finding(1, "broken, too")),
        )
        monkeypatch.setattr("mobstore.properties.check.CHAPTERS", chosen)

    return choose


def test_who_does_not_wait_is_told_what_was_found(three, capsys):
    """With what was left out, and never as a pass."""

    def waits(_):
        raise KeyboardInterrupt

    three(waits)
    assert cli.main(["check", "memory", "--seed", "1", "--jobs", "1"]) == 2
    said = capsys.readouterr().out
    assert "unknown: handles" in said
    assert "interrupted" in said
    assert "threads" not in said.replace("threads (left out)", "")
    assert "memory: UNKNOWN (1 passed, 1 unknown;" in said


def test_the_first_failure_is_enough_where_asked(three, tmp_path, capsys):
    """Known ones are none."""
    three(lambda _: Finding(1, "broken"))
    arguments = ["check", "memory", "--seed", "1", "--jobs", "1", "-x"]
    assert cli.main(arguments) == 1
    assert "memory: FAILED (1 passed, 1 failed;" in capsys.readouterr().out
    known = tmp_path / "known.txt"
    known.write_text("handles: ticket 1\n")
    assert cli.main([*arguments, "--known", str(known)]) == 1
    assert "memory: FAILED (1 passed, 2 failed;" in capsys.readouterr().out
