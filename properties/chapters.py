"""The chapters of the suite: one promise of the contract each, in a fixed order, with its bound stated.

A chapter passes only when it has tested something: one that reached too little is unknown, and unknown is
never a pass.
"""

from __future__ import annotations

import enum
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from random import Random
from typing import Any, Final

import attrs

from mobstore.backends._stores import Stores
from mobstore.backends.capabilities import FULL, Capabilities, call_name
from mobstore.model import (
    FEED_CAPACITY,
    ROWS,
    STORES,
    Cell,
    FrameAtomicPersistenceUnavailable,
    MobRunStatus,
    MobStoreError,
    Operation,
    TrieMap,
    evolve,
    to_json,
)
from mobstore.model import operations as ops
from mobstore.model.wrappers import Equals
from mobstore.properties import comparisons, cursors, pools, replay, roundtrip, rows, smoke
from mobstore.properties.badinput import AWKWARD_IDS, bad_calls
from mobstore.properties.cases import Case, try_cases
from mobstore.properties.faults.clock import TIMES, disturb_clock
from mobstore.properties.refinement import (
    GROUPS,
    Comparison,
    Counterexample,
    Kind,
    Mismatch,
    Profile,
    RefinementResult,
    observations,
    refine,
    shrunk,
    unreached,
)
from mobstore.properties.requests import bad_requests, refused
from mobstore.properties.rotations import Mob
from mobstore.properties.source import Line
from mobstore.properties.subject import (
    Abandoned,
    Factory,
    ManualClock,
    Outcome,
    ProgramFactory,
    call_port,
    can_crash,
    opened,
    outcome_of,
    same_outcome,
)


class Verdict(enum.StrEnum):
    """What a chapter came to."""

    PASSED = "passed"
    FAILED = "failed"
    UNKNOWN = "unknown"
    NOT_APPLICABLE = "not applicable"


@attrs.frozen
class Result:
    """The result of a chapter: its verdict, what it tried, and what proves a failure, in ``length`` calls.

    ``step`` names where in the chapter it failed; ``trace`` has the counterexample step by step.  Of what is not
    applicable, ``excused`` says that it does not count against the backend's level, and ``missing`` that the calls
    that it needs are still to come.
    """

    chapter: str
    verdict: Verdict
    seconds: float
    calls: int
    detail: str = ""
    counterexample: str = ""
    length: int = 0
    step: str = ""
    excused: bool = False
    missing: bool = False
    trace: tuple[Line, ...] = ()


@attrs.frozen
class Context:
    """What a chapter tests, and how much of it; ``source`` is the expression that makes a factory.

    ``due`` are the names of the chapters that the backend has to pass.  Without ``shrinks`` a chapter does not look
    for a simpler counterexample where it has a short one.
    """

    make: Callable[[], Factory]
    name: str
    source: str
    profile: Profile
    seed: int
    capabilities: Capabilities = FULL
    shrinks: bool = True
    due: tuple[str, ...] = ()


@attrs.frozen
class Finding:
    """What a chapter found: how many calls it made, and a failure or a doubt if there is one.

    ``length`` is how many calls the counterexample takes, and ``step`` where it failed; ``not_applicable`` says
    why there was nothing to try, ``excused`` that nothing is missing for it, and ``tried`` what was tried, where it
    is not the chapter's bound.
    """

    calls: int
    failure: str = ""
    doubt: str = ""
    counterexample: str = ""
    length: int = 0
    step: str = ""
    not_applicable: str = ""
    excused: bool = False
    tried: str = ""
    trace: tuple[Line, ...] = ()

    @classmethod
    def of(cls, calls: int, example: Counterexample) -> Finding:
        """Return the failure that a counterexample is, found by ``calls`` calls."""
        told = f"{example.step}: a counterexample of {example.calls} calls"
        return cls(calls, told, "", example.program(), example.calls, example.step, trace=example.lines())

    @property
    def verdict(self) -> Verdict:
        """What this comes to; who made no call has shown nothing."""
        if self.failure:
            return Verdict.FAILED
        if self.not_applicable:
            return Verdict.NOT_APPLICABLE
        return Verdict.UNKNOWN if self.doubt or not self.calls else Verdict.PASSED

    @property
    def reason(self) -> str:
        """Why it is not passed."""
        return self.failure or self.not_applicable or self.doubt or ("" if self.calls else "made no call")


@attrs.frozen
class Chapter:
    """A promise, and how it is checked; ``bound`` says what was tried when it passes.

    ``needs`` are the calls without which there is nothing to check (``"event.subscribe"``).
    """

    name: str
    promise: str
    bound: Callable[[Profile], str]
    check: Callable[[Context], Finding]
    needs: tuple[str, ...] = ()

    def run(self, context: Context) -> Result:
        """Check the promise; whatever goes wrong in the backend is a failure, and never an exception."""
        begun = time.perf_counter()
        try:
            finding = self._lacking(context.capabilities) or self._found(context)
        except Abandoned as abandoned:
            error = abandoned.args[0]
            finding = Finding(0, f"{type(error).__name__}: the program {error}")
        except Exception as error:  # noqa: BLE001 - whatever a backend raises is part of the verdict
            finding = Finding(0, f"{type(error).__name__}: {error}")
        lacking = set(self.needs) & context.capabilities.lacking
        return Result(
            self.name,
            finding.verdict,
            time.perf_counter() - begun,
            finding.calls,
            finding.reason or finding.tried or self.bound(context.profile),
            finding.counterexample,
            finding.length,
            finding.step,
            excused=finding.excused or (bool(lacking) and lacking <= context.capabilities.unsupported),
            missing=bool(lacking & context.capabilities.not_yet),
            trace=finding.trace,
        )

    def _lacking(self, capabilities: Capabilities) -> Finding | None:
        lacking = sorted(set(self.needs) & capabilities.lacking)
        return Finding(0, not_applicable=f"declared to be refused: {', '.join(lacking)}") if lacking else None

    def _found(self, context: Context) -> Finding:
        try:
            return self.check(context)
        except Mismatch as mismatch:
            example = shrunk(mismatch.counterexample, context.make)
            return Finding.of(mismatch.calls, example)


def _smoke(context: Context) -> Finding:
    comparison = Comparison(context.make(), context.source)
    try:
        for operation in smoke.EXECUTED:
            comparison.call(operation)
            comparison.observe(operation.store)
    finally:
        comparison.close()
    return Finding(len(smoke.CALLS))


def _cases(cases: Callable[[], Iterator[Case]], kinds: Collection[Kind]) -> Callable[[Context], Finding]:
    """Try cases, each of which stands in the code; every one of ``kinds`` that is there must have succeeded."""

    def check(context: Context) -> Finding:
        result = try_cases(cases(), context.make, context.source, simplify=context.shrinks)
        if result.counterexample is not None:
            assert result.failed is not None, "a counterexample is of a case"
            example = result.counterexample
            told = result.failed.name
            found = (example.program(), example.calls, example.step)
            return Finding(result.calls, told, "", *found, trace=example.lines())
        there = {kind.call for kind in kinds if not context.capabilities.lacks(kind)}
        missed = sorted(call for call in there if (call, "changed") not in result.reached)
        doubt = f"never made with success: {', '.join(missed)}" if missed else ""
        return Finding(result.calls, doubt=doubt)

    return check


def _counted(cases: Callable[[], Iterator[Case]]) -> Callable[[Profile], str]:
    return lambda _: f"{sum(1 for _ in cases())} cases"


def _capabilities(context: Context) -> Finding:
    """Make every call that is declared to be refused, in states in which it would do nothing and do all it can."""
    capabilities = context.capabilities
    refused = [call for call in smoke.CALLS if capabilities.lacks(call)]
    if not refused:
        return Finding(0, not_applicable="full: nothing is declared to be refused", excused=True)
    made = 0
    for call in refused:
        before = [other for other in smoke.EXECUTED[: smoke.CALLS.index(call)] if not capabilities.lacks(other)]
        for beginning in ([], before, *_matching(call)):
            made += _refused_after(context, beginning, call)
    return Finding(
        made, tried=f"{capabilities}: {len(refused)} calls, in states in which they would succeed and not"
    )


def _refused_after(context: Context, beginning: list[Operation[Any]], call: Operation[Any]) -> int:
    comparison = Comparison(context.make(), context.source)
    try:
        for operation in beginning:
            comparison.call(operation)
        for _ in range(2):
            comparison.call(call)
            comparison.observe(call.store)
    finally:
        comparison.close()
    return comparison.calls


def _matching(call: Operation[Any]) -> Iterator[list[Operation[Any]]]:
    """Yield the call that creates a run in which every comparison of a wrapper holds."""
    row = next((row for row in ROWS if isinstance(call, row.operation) and row.name == call.call), None)
    if row is None:
        return
    places = {Cell.FRAME: ("frames", "frame_id"), Cell.LOOP: ("loops", "loop_instance_id")}
    run = evolve(pools.RUNS[0], {"run_id": call.run_id})  # type: ignore[attr-defined]
    for comparison in row.comparisons:
        if isinstance(comparison, Equals) and (value := getattr(call, comparison.argument)) is not None:
            if comparison.cell in places:
                field, key = places[comparison.cell]
                run = evolve(run, {field: TrieMap({getattr(call, key): value})})
            else:
                run = evolve(run, {comparison.cell.value.replace(" ", "_"): value})
    yield [ops.CreateRun(run)]


def _awkward_ids(context: Context) -> Finding:
    with opened(context.make(), ManualClock()) as stores:
        for number, mob_id in enumerate(AWKWARD_IDS):
            stores.specs.put_spec(mob_id, {"number": number})
            stores.profiles.create(mob_id, {"number": number})
        listed = [list(stores.specs.list_specs()), [profile.name for profile in stores.profiles.list()]]
        if listed != [sorted(AWKWARD_IDS)] * 2:
            return Finding(2 * len(AWKWARD_IDS), f"put {sorted(AWKWARD_IDS)!a:.300}, listed {listed!a:.300}")
        for number, mob_id in enumerate(AWKWARD_IDS):
            held, profile = stores.specs.get_spec(mob_id), stores.profiles.get(mob_id)
            if held is None or profile is None or held[0] != profile.profile or held[0].value != {"number": number}:
                return Finding(3 * len(AWKWARD_IDS), f"the id {mob_id!a:.80} names {held} and {profile}")
    return Finding(4 * len(AWKWARD_IDS))


def _bad_input(context: Context) -> Finding:
    calls = 0
    with opened(context.make(), ManualClock()) as stores:
        for operation in smoke.CALLS[:1]:
            call_port(stores, operation)
        before = visible_state(stores)
        for what, call, expected in bad_calls():
            calls += 1
            outcome = outcome_of(lambda: call(stores))  # noqa: B023
            if outcome.kind != expected and not _is_refused(context.capabilities, outcome):
                return Finding(calls, f"{what}: {outcome.kind or outcome.value!r}, and not {expected}")
            if visible_state(stores) != before:
                return Finding(calls, f"{what}: the call was refused and changed something")
    return Finding(calls)


def _requests(context: Context) -> Finding:
    factory = context.make()
    if not isinstance(factory, ProgramFactory):
        return Finding(0, not_applicable="in Python the types of the ports refuse it", excused=True)
    with opened(factory, ManualClock()) as stores:
        call_port(stores, smoke.CALLS[0])
        before = visible_state(stores)
        for number, (what, message) in enumerate(bad_requests(), 1):
            if came_to := refused(factory.program, message):
                return Finding(number, f"{what}: {came_to}, and not Serialization", step=what.partition(" ")[0])
            if number % _LOOKS_EVERY == 0 and visible_state(stores) != before:
                return Finding(number, f"one of the {_LOOKS_EVERY} requests up to {what} changed something")
        if visible_state(stores) != before:
            return Finding(number, "one of the last requests changed something")
    return Finding(number, tried=f"{number} requests that are none")


_LOOKS_EVERY: Final = 20


def _is_refused(capabilities: Capabilities, outcome: Outcome) -> bool:
    """Whether a call may have ended so because it is declared to be refused, whatever its arguments are."""
    if capabilities.refused and outcome.kind == FrameAtomicPersistenceUnavailable.kind:
        return True
    return bool(capabilities.not_yet) and outcome.kind is not None


def visible_state(stores: Stores) -> list[Any]:
    """Return what all the reading calls show, over the pools of ids."""
    return [outcome_of(lambda: call_port(stores, op)) for store in STORES for op in observations(store)]  # noqa: B023


def _recordings(context: Context) -> Finding:
    report = replay.Report()
    for path in replay.bundled():
        report += replay.replay_file(path, context.make, context.capabilities.lacking)
    if report.mismatches:
        shown = "\n".join(map(str, report.mismatches[: replay.SHOWN]))
        first = report.mismatches[0].call.replace(" ", ".")
        return Finding(report.calls, report.summary(), counterexample=shown, step=first)
    return Finding(report.calls, tried=f"{report.sequences:,} recorded sequences")


_ROUNDS: Final = 20
"""How often a rule group is tried with another seed before a call that never succeeded makes it unknown."""


def _refinement(group: str) -> Callable[[Context], Finding]:
    def check(context: Context) -> Finding:
        results: list[RefinementResult] = []
        for attempt in range(_ROUNDS):
            seed = context.seed + attempt * 1_000_003
            results.append(
                refine(group, context.make, context.profile, seed, name=context.name, source=context.source)
            )
            example = results[-1].counterexample
            calls = sum(result.calls for result in results)
            if example is not None:
                return Finding.of(calls, example)
            missed = unreached(results, context.capabilities)
            if not missed:
                missing = sorted(set(map(call_name, GROUPS[group])) & context.capabilities.not_yet)
                return Finding(calls, doubt=f"not yet: {', '.join(missing)}" if missing else "")
        return Finding(calls, doubt=f"never made with success: {', '.join(missed)}")

    return check


def _handles(context: Context) -> Finding:
    """Two handles on one storage see each other's calls at once, and a reopened storage has lost nothing."""
    factory, clock = context.make(), ManualClock()
    calls = [call for call in smoke.EXECUTED if not context.capabilities.lacks(call)]
    try:
        handles = (factory.open(clock), factory.open(clock))
        for number, operation in enumerate(calls):
            # A call whose predecessor is refused finds another state, and may have to end with an error.
            with suppress(*([MobStoreError] if context.capabilities.lacking else [])):
                call_port(handles[number % 2], operation)
            for read in observations(operation.store):
                seen = [outcome_of(lambda: call_port(handle, read)) for handle in handles]  # noqa: B023
                if not same_outcome(*seen):
                    return Finding(number + 1, f"two handles disagree about {read} after {operation.call}")
        before = visible_state(handles[0])
        handles[0].reopen()
        if visible_state(handles[0]) != before:
            return Finding(len(calls), "a reopened storage shows another state")
    finally:
        factory.destroy()
    return Finding(len(calls))


def _subscriptions(context: Context) -> Finding:
    factory, clock = context.make(), ManualClock()
    try:
        stores, other = factory.open(clock), factory.open(clock)
        stores.events.append(pools.EVENTS[0])
        subscription = stores.events.subscribe()
        expected = [other.events.append(pools.EVENTS[1])]
        expected += stores.events.append_batch(pools.EVENTS[2:4])
        stores.events.clear()
        expected.append(other.events.append(pools.EVENTS[0]))
        got: list[Any] = []
        while len(got) < len(expected) and (delivery := subscription.drain(5.0)).events:
            got += delivery.events
        if got != expected:
            return Finding(6, f"appended {to_json(expected)}, delivered {to_json(got)}")
        if subscription.drain(0.05).events:
            return Finding(6, "an event was delivered twice")
        return _lag(stores, subscription)
    finally:
        factory.destroy()


def _lag(stores: Stores, subscription: Any) -> Finding:
    batch = [pools.EVENTS[0]] * (FEED_CAPACITY // 2)
    for _ in range(2):
        stores.events.append_batch(batch)
    stores.events.append_batch(batch[:3])
    delivery = subscription.drain(5.0)
    if delivery.lagged != 3 or len(delivery.events) != FEED_CAPACITY:
        found = f"{delivery.lagged} missed and {len(delivery.events)} delivered"
        return Finding(9, f"3 events more than {FEED_CAPACITY} were appended: {found}")
    subscription.close()
    kind = outcome_of(lambda: subscription.drain(0.0)).kind
    return Finding(9, "" if kind == "Internal" else f"a closed subscription answers {kind}")


def _crashes(context: Context) -> Finding:
    """Let the backend die between calls: what it answered is there afterwards."""
    comparison = Comparison(context.make(), context.source)
    if not can_crash(comparison.factory):
        comparison.close()
        return Finding(0, not_applicable="the factory has no crash: nothing is known of its durability")
    try:
        for number, operation in enumerate(smoke.EXECUTED, 1):
            if not context.capabilities.lacks(operation):
                comparison.call(operation)
            if number % _CRASH_EVERY == 0:
                comparison.crash()
                for store in STORES:
                    comparison.observe(store)
    finally:
        comparison.close()
    return Finding(comparison.calls)


_CRASH_EVERY: Final = 7


def _clock(context: Context) -> Finding:
    return Finding(*disturb_clock(context.make()))


_WORKERS: Final = 4


_RACES: Final = 20
_SECONDS: Final = 1.0


def _threads(context: Context) -> Finding:
    """Race again and again on new storages, for a second at least or some races where a backend is that fast."""
    calls, begun = 0, time.perf_counter()
    for _ in range(_RACES):
        finding = _raced(context)
        calls += finding.calls
        if finding.failure or time.perf_counter() - begun > _SECONDS:
            return attrs.evolve(finding, calls=calls)
    return Finding(calls)


def _raced(context: Context) -> Finding:
    """Threads race for one cell: every round has one winner, and all that was answered is there."""
    rounds = context.profile.examples
    factory, clock = context.make(), ManualClock()
    try:
        stores = factory.open(clock)
        stores.runs.create_run(evolve(pools.RUNS[0], {"status": MobRunStatus.RUNNING}))
        winners = _race(factory, clock, rounds)
        run = stores.runs.get_run(pools.RUNS[0].run_id)
    finally:
        factory.destroy()
    wrong = {number: count for number, count in winners.items() if count != 1}
    if wrong:
        return Finding(
            rounds * _WORKERS, f"of {_WORKERS} threads with one expectation, {wrong} won (round: winners)"
        )
    if run is None or run.flow_state.failure_count != rounds or len(run.step_ledger) != rounds * _WORKERS:
        return Finding(rounds * _WORKERS, "what was answered is not there")
    return Finding(2 * rounds * _WORKERS)


@contextmanager
def _switching_often() -> Iterator[None]:
    """Let threads take turns every few bytecodes: by default a whole call fits between two turns."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        yield
    finally:
        sys.setswitchinterval(interval)


def _race(factory: Factory, clock: ManualClock, rounds: int) -> Counter[int]:
    winners: Counter[int] = Counter()
    errors: list[BaseException] = []
    barrier, lock = threading.Barrier(_WORKERS), threading.Lock()
    run_id, first = pools.RUNS[0].run_id, pools.RUNS[0].flow_state
    states = [first, *(evolve(first, {"failure_count": number + 1}) for number in range(rounds))]

    def work() -> None:
        try:
            stores = factory.open(clock)
            for number in range(rounds):
                barrier.wait(60)
                won = stores.runs.cas_flow_state(run_id, states[number], states[number + 1])
                with lock:
                    winners[number] += won
                stores.runs.append_step_entry(run_id, pools.STEP_ENTRIES[0])
        except BaseException as error:  # noqa: BLE001 - it is raised again in the thread that waits
            errors.append(error)
            barrier.abort()

    threads = [threading.Thread(target=work) for _ in range(_WORKERS)]
    with _switching_often():
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    for error in errors:
        if not isinstance(error, threading.BrokenBarrierError):
            raise error
    return winners


_REMOTE_PEERS: Final = ("peer-1", "peer-2")


def _rotation(context: Context) -> Finding:
    reached: Counter[tuple[str, str]] = Counter()
    for number in range(context.profile.examples):
        comparison = Comparison(context.make(), context.source, reached)
        random = Random(f"{context.seed} {number}")  # noqa: S311 - no secret
        try:
            mob = Mob(lambda operation: comparison.call(operation).value, random, 2, _REMOTE_PEERS)  # noqa: B023
            for _ in range(2 * context.profile.steps):
                mob.advance()
            settled = mob.settle()
        finally:
            comparison.close()
        if not settled:
            return Finding(reached.total(), "a supervisor that is left alone cannot finish the rotation")
    compared = ops.CompareAndPutSupervisorAuthority.call
    missed = [kind for kind in ("changed", "answered") if not reached[compared, kind]]
    return Finding(reached.total(), doubt=f"never reached: {compared} {missed}" if missed else "")


def _generated(profile: Profile) -> str:
    return f"{profile.examples} generated sequences of up to {profile.steps} calls"


CHAPTERS: Final[tuple[Chapter, ...]] = (
    Chapter("smoke", "every call does what the contract says, once", lambda _: "57 calls", _smoke),
    Chapter(
        "capabilities",
        "what is declared to be refused is refused, always, and nothing changes",
        lambda _: "every call that is declared to be refused",
        _capabilities,
    ),
    Chapter(
        "rows",
        "each row of the wrapper table succeeds, and is refused by each of its comparisons alone",
        _counted(rows.cases),
        _cases(rows.cases, [row.operation for row in ROWS]),
    ),
    Chapter(
        "comparisons",
        "every other call that compares succeeds, and is refused by each of its comparisons alone",
        _counted(comparisons.cases),
        _cases(comparisons.cases, comparisons.COVERED),
    ),
    Chapter(
        "values",
        "what is stored is read back as it was, also when opened again",
        _counted(roundtrip.cases),
        _cases(roundtrip.cases, roundtrip.COVERED),
    ),
    Chapter(
        "cursors",
        "cursors go up by one, and pruning and clearing remove what they should",
        _counted(cursors.cases),
        _cases(cursors.cases, cursors.COVERED),
    ),
    Chapter(
        "awkward-ids",
        "any string is an id like any other, and is taken for no other",
        lambda _: f"{len(AWKWARD_IDS)} strings, one of a megabyte",
        _awkward_ids,
        needs=(
            "spec.put_spec",
            "spec.get_spec",
            "spec.list_specs",
            "profile.create",
            "profile.get",
            "profile.list",
        ),
    ),
    Chapter("bad-input", "what has no form is refused, and nothing changes", lambda _: "a fixed list", _bad_input),
    Chapter(
        "requests",
        "what a program is sent and is no request is refused, and nothing changes",
        lambda _: "every argument of every call, missing and wrong",
        _requests,
    ),
    Chapter(
        "recordings",
        "every recorded answer of the original is given again",
        lambda _: "1,292 recorded sequences",
        _recordings,
    ),
    Chapter(
        "handles",
        "two handles see one storage, and opening it again loses nothing",
        lambda _: "57 calls by two handles in turn",
        _handles,
    ),
    *(
        Chapter(f"refines-{group}", f"{group} calls refine the model", _generated, _refinement(group))
        for group in GROUPS
    ),
    Chapter(
        "subscriptions",
        "every event appended after subscribing is delivered once, in order; lag is counted",
        lambda _: "two handles, a clear, 4,099 events behind",
        _subscriptions,
        needs=("event.subscribe",),
    ),
    Chapter(
        "clock",
        "a clock that jumps back changes no order, and nothing that was set",
        lambda _: f"57 calls beside the model and the order of events and runs, {len(TIMES)} times in turn",
        _clock,
        needs=("event.subscribe", "event.append", "event.prune", "run.create_run", "run.cas_run_status"),
    ),
    Chapter(
        "rotation",
        "supervisors that rotate the key together, and die, leave one key that every peer trusts",
        lambda profile: f"{profile.examples} orders of two supervisors and {len(_REMOTE_PEERS)} peers",
        _rotation,
        needs=tuple(call_name(kind) for kind in GROUPS["metadata-supervisor"]),
    ),
    Chapter(
        "threads",
        "of calls that race with one expectation exactly one wins",
        lambda profile: f"{_WORKERS} threads, {profile.examples} rounds or more",
        _threads,
        needs=("run.create_run", "run.get_run", "run.cas_flow_state", "run.append_step_entry"),
    ),
    Chapter(
        "crashes",
        "what was answered is there after the backend died",
        lambda _: f"{len(smoke.EXECUTED) // _CRASH_EVERY} deaths between {len(smoke.EXECUTED)} calls",
        _crashes,
    ),
)
"""The chapters in the order in which they are run."""
