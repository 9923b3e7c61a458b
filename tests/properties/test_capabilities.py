"""What a backend declares that it refuses is believed, and checked: always refused, and nothing changes."""

import json
import shlex
import sys
from pathlib import Path

import pytest

from mobstore.backends._stores import Stores
from mobstore.backends.capabilities import NO_SUBSCRIPTIONS, OPTIONAL, WRAPPERS, Capabilities, call_name
from mobstore.backends.memory import MemoryEngine
from mobstore.model import OPERATIONS, FrameAtomicPersistenceUnavailable, Internal, Serialization, WriteFailed
from mobstore.model import operations as ops
from mobstore.model.step import HANDLERS
from mobstore.properties import chapters, cli, report
from mobstore.properties.chapter import Context, Result, Verdict
from mobstore.properties.chapters import CHAPTERS
from mobstore.properties.levels import Level, awarded, level_of, wanting
from mobstore.properties.refinement import GROUPS, Profile
from mobstore.properties.report import next_level
from mobstore.properties.subject import MemoryFactory, capabilities_of

SMALL = Profile("small", 10, 12)
BY_NAME = {chapter.name: chapter for chapter in CHAPTERS}
KINDS = {call_name(kind): kind for kind in OPERATIONS.values()}


class Declaring(MemoryFactory):
    """A memory backend that serves some calls otherwise, and declares what it likes."""

    def __init__(self, capabilities, handlers):
        super().__init__()
        self.capabilities = capabilities
        self._handlers = {**HANDLERS, **{KINDS[name]: handler for name, handler in handlers.items()}}

    def open(self, clock):
        if self._stores is None:
            self._stores = Stores(MemoryEngine(clock, self._handlers))
            if "event.subscribe" in self.capabilities.unsupported:
                self._stores.events._subscribe = self._refuse_to_subscribe
        return self._stores

    def _refuse_to_subscribe(self):
        raise Internal(NO_SUBSCRIPTIONS)


def refuses(error):
    def handler(state, op, now):
        raise error

    return handler


def unavailable(wrapper):
    refused = refuses(FrameAtomicPersistenceUnavailable(wrapper))
    return {f"run.{wrapper}": refused, f"run.{wrapper}_with_authority": refused}


PARTIAL = Capabilities(refused=["cas_start_loop", "cas_complete_loop"])
HONEST = {
    "partial": (PARTIAL, unavailable("cas_start_loop") | unavailable("cas_complete_loop")),
    "everything refused": (
        Capabilities(refused=WRAPPERS),
        {name: refused for wrapper in WRAPPERS for name, refused in unavailable(wrapper).items()},
    ),
    "unsupported": (Capabilities(unsupported=OPTIONAL), {"event.prune": lambda state, op, now: (state, 0)}),
    "not yet": (Capabilities(not_yet=["profile.update"]), {"profile.update": refuses(WriteFailed("soon"))}),
}


NOT_IN_MEMORY = {"requests", "crashes", "kills", "power-cuts", "branches-processes", "stress-processes"}


LACKING = {
    "partial": {"workflows"},
    "everything refused": {"workflows"},
    "unsupported": {"subscriptions", "clock"},
    "not yet": set(),
}
"""The chapters that do not apply where these calls are not there."""


def checked(chapter, capabilities, handlers):
    context = Context(lambda: Declaring(capabilities, handlers), "declaring", "X()", SMALL, 3, capabilities)
    return BY_NAME[chapter].run(context)


def is_concerned(chapter, capabilities):
    """Whether a chapter may call what is not there; test_commands has the rule groups of which all is."""
    kinds = GROUPS.get(chapter.name.removeprefix("refines-"))
    return chapter.name != "recordings" and (kinds is None or any(map(capabilities.lacks, kinds)))


@pytest.mark.parametrize("who", HONEST)
def test_an_honest_declaration_is_believed(who):
    """Every chapter passes as far as the calls are there; what is not yet there leaves a doubt."""
    capabilities, handlers = HONEST[who]
    concerned = [chapter for chapter in CHAPTERS if is_concerned(chapter, capabilities)]
    assert any(chapter.name.startswith("refines-") for chapter in concerned)
    for chapter in concerned:
        result = checked(chapter.name, capabilities, handlers)
        assert result.verdict is not Verdict.FAILED, result
        if who == "not yet" and chapter.name == "refines-profile":
            assert (result.verdict, result.detail) == (Verdict.UNKNOWN, "not yet: profile.update")
        elif result.verdict is Verdict.NOT_APPLICABLE:
            assert chapter.name in NOT_IN_MEMORY | LACKING[who]
            by_nature = who == "unsupported" if chapter.name in LACKING[who] else chapter.name != "crashes"
            assert result.excused == by_nature
        else:
            assert result.verdict is Verdict.PASSED, result
    assert checked("capabilities", capabilities, handlers).detail.startswith(str(capabilities))


def changes_and_refuses(state, op, now):
    """An error after the change."""
    changed, _ = HANDLERS[type(op)](state, op, now)
    if changed is state:
        raise FrameAtomicPersistenceUnavailable("cas_start_loop")
    object.__setattr__(state, "runs", changed.runs)
    raise FrameAtomicPersistenceUnavailable("cas_start_loop")


def refuses_what_would_match(state, op, now):
    """Not always: a comparison that fails answers ``False``."""
    _, answer = HANDLERS[type(op)](state, op, now)
    if answer is False:
        return state, False
    raise FrameAtomicPersistenceUnavailable("cas_start_loop")


START = Capabilities(refused=["cas_start_loop"])
LIARS = {
    "answers all the same": (START, {}),
    "only the twin answers": (START, {"run.cas_start_loop": unavailable("cas_start_loop")["run.cas_start_loop"]}),
    "changes and refuses": (
        START,
        unavailable("cas_start_loop") | {"run.cas_start_loop_with_authority": changes_and_refuses},
    ),
    "not always": (
        START,
        dict.fromkeys(("run.cas_start_loop", "run.cas_start_loop_with_authority"), refuses_what_would_match),
    ),
    "another name": (
        START,
        unavailable("cas_complete_loop")
        | dict.fromkeys(
            ("run.cas_start_loop", "run.cas_start_loop_with_authority"),
            refuses(FrameAtomicPersistenceUnavailable("cas_complete_loop")),
        ),
    ),
    "another error": (START, dict.fromkeys(unavailable("cas_start_loop"), refuses(Internal("no")))),
    "prunes": (Capabilities(unsupported=["event.prune"]), {}),
    "delivers": (Capabilities(not_yet=["event.subscribe"]), {}),
    "is there": (Capabilities(not_yet=["profile.update"]), {}),
}


@pytest.mark.parametrize("who", LIARS)
def test_a_false_declaration_is_rejected(who):
    """By the chapter about it, which names the call."""
    capabilities, handlers = LIARS[who]
    result = checked("capabilities", capabilities, handlers)
    assert result.verdict is Verdict.FAILED, result
    assert result.step.partition(",")[0] in {name.partition(".")[2] for name in capabilities.lacking}


def test_a_refusal_that_is_not_declared_is_rejected():
    """Capabilities are never guessed."""
    assert checked("smoke", Capabilities(), unavailable("cas_start_loop")).verdict is Verdict.FAILED


@pytest.mark.parametrize(
    ("field", "name"), [("refused", "cas_run_status"), ("unsupported", "run.get_run"), ("not_yet", "get_run")]
)
def test_only_what_exists_can_be_declared(field, name):
    """A slip of the pen would excuse nothing, unseen."""
    with pytest.raises(Serialization, match=f"{field}: '{name}' is not"):
        Capabilities(**{field: [name]})


def test_the_eight_wrappers_are_those_of_the_contract():
    """Each names a call, and its twin."""
    assert len(WRAPPERS) == 8
    assert {f"run.{name}{twin}" for name in WRAPPERS for twin in ("", "_with_authority")} <= set(KINDS)


def test_what_is_declared_must_be_capabilities():
    """Not a list, and not a text."""
    factory = MemoryFactory()
    factory.capabilities = ["cas_start_loop"]
    with pytest.raises(TypeError, match="memory: capabilities is a list, and no Capabilities"):
        capabilities_of(factory)


def test_a_program_declares_in_its_greeting(capsys):
    """And is held to it."""
    program = Path(__file__).with_name("declaring.py")
    command = f"exec:{shlex.quote(sys.executable)} {shlex.quote(str(program))}"
    assert cli.main(["check", command, "--seed", "1", "--chapter", "capabilities", "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["capabilities"]["refused"] == ["cas_start_loop"]
    assert (
        printed["chapters"][0]["detail"]
        == "partial, refuses: cas_start_loop: 2 calls, in states in which they would succeed and not"
    )


# --- levels -------------------------------------------------------------------------------------------------


def results(**verdicts):
    """A run in which every chapter passed, but for those that are named."""
    named = {name.replace("_", "-"): verdict for name, verdict in verdicts.items()}
    return [Result(each.name, named.get(each.name, Verdict.PASSED), 0.0, 1) for each in CHAPTERS]


def test_a_level_is_earned_by_every_chapter_of_it_and_below():
    """Unknown, left out and not applicable count against it; what the contract excuses does not."""
    unknown, absent = Verdict.UNKNOWN, Verdict.NOT_APPLICABLE
    assert awarded(results()) is Level.DURABLE
    assert awarded(results(crashes=absent)) is Level.CONCURRENT
    assert awarded(results(threads=unknown)) is Level.REFINES
    assert awarded(results(refines_spec=Verdict.FAILED)) is Level.ANSWERS
    assert awarded(results(smoke=unknown)) is None
    assert awarded([]) is None
    assert awarded(results()[:-1]) is Level.CONCURRENT
    assert awarded(results(kills=absent)) is Level.CONCURRENT
    assert awarded(results(subscriptions=absent)) is Level.ANSWERS
    assert wanting(Level.DURABLE, results()) == {}
    assert wanting(Level.DURABLE, results(crashes=absent)) == {"crashes": "not applicable"}
    assert wanting(Level.ANSWERS, results(smoke=unknown)) == {"smoke": "unknown"}
    assert "power-cuts" in wanting(Level.DURABLE, results()[:-1])
    assert set(wanting(Level.DURABLE, [])) == {"crashes", "kills", "power-cuts"}
    assert next_level(results()) == ""
    assert next_level(results(crashes=absent)) == "durable, which wants crashes (not applicable)"
    assert next_level([]).endswith(" (left out) and 6 more")
    excused = [chapters.attrs.evolve(each, excused=True) for each in results(subscriptions=absent)]
    assert awarded(excused) is Level.DURABLE
    assert awarded([*results(), Result("end", Verdict.FAILED, 0.0, 0)]) is None


def test_every_level_has_a_chapter():
    """And a promise in words."""
    assert {level_of(chapter.name) for chapter in CHAPTERS} == set(Level)
    for level in Level:
        assert str(level).startswith(f"{level.name.lower()} ({level.value} of 4): ")


def test_a_run_that_tested_nothing_is_vacuous(capsys):
    """And fails."""
    assert cli.main(["check", "memory", "--chapter", "capabilities", "--seed", "1"]) == 1
    assert "vacuous: nothing was tested" in capsys.readouterr().out
    assert report.overall([]) is Verdict.FAILED


def test_a_chapter_that_made_no_call_is_unknown():
    """It has shown nothing."""
    idle = chapters.Chapter("idle", "nothing", lambda _: "nothing", lambda _: chapters.Finding(0))
    result = idle.run(Context(MemoryFactory, "memory", "MemoryFactory()", SMALL, 1))
    assert (result.verdict, result.detail) == (Verdict.UNKNOWN, "made no call")


def test_what_needs_a_call_that_is_still_to_come_is_not_passed():
    """Not applicable, and neither excused nor a pass of the run."""
    result = checked("awkward-ids", Capabilities(not_yet=["spec.put_spec"]), {})
    assert (result.verdict, result.excused, result.missing) == (Verdict.NOT_APPLICABLE, False, True)
    assert report.overall([Result("smoke", Verdict.PASSED, 0.0, 1), result]) is Verdict.UNKNOWN
    assert ops.PutSpec.call in result.detail
