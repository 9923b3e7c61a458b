"""The chapters of the suite: one promise of the contract each, in a fixed order, with its bound stated.

A chapter passes only when it has tested something: one that reached too little is unknown, and unknown is
never a pass.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from random import Random
from typing import Any, Final

import attrs

from mobstore.backends.capabilities import Capabilities, call_name
from mobstore.model import (
    ROWS,
    STORES,
    Cell,
    FrameAtomicPersistenceUnavailable,
    Operation,
    TrieMap,
    evolve,
)
from mobstore.model import operations as ops
from mobstore.model.wrappers import Equals
from mobstore.properties import (
    comparisons,
    cursors,
    handles,
    identifiers,
    pools,
    replay,
    roundtrip,
    rows,
    secrecy,
    smoke,
    subscribing,
)
from mobstore.properties.badinput import bad_calls
from mobstore.properties.cases import Case, try_cases
from mobstore.properties.chapter import Chapter, Context, Finding
from mobstore.properties.concurrency import chapters as concurrency
from mobstore.properties.concurrency import racing
from mobstore.properties.faults.clock import TIMES, disturb_clock
from mobstore.properties.faults.crashing import Crashed, SimulatedFactory, crash_amid_calls
from mobstore.properties.faults.overlap import cut_schedules
from mobstore.properties.faults.power import LEVELS, Tally, cut_calls
from mobstore.properties.faults.vfs import Unreachable, library
from mobstore.properties.own_time import stamps, stamps_program
from mobstore.properties.refinement import (
    GROUPS,
    READINGS,
    Comparison,
    Kind,
    Profile,
    RefinementResult,
    refine,
    repeated,
    shrunk,
    unreached,
    visible_state,
)
from mobstore.properties.requests import BadRequest, bad_requests, refused, session
from mobstore.properties.rotations import Mob
from mobstore.properties.scenarios import Scenario, try_scenarios
from mobstore.properties.source import Aside, Step
from mobstore.properties.subject import (
    Factory,
    ManualClock,
    Outcome,
    ProgramFactory,
    call_port,
    can_crash,
    opened,
    outcome_of,
)
from mobstore.properties.workflows.coverage import NEEDS
from mobstore.properties.workflows.workload import FIXED, Workload


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


def _bad_input(context: Context) -> Finding:
    calls = 0
    with opened(context.make(), ManualClock()) as stores:
        call_port(stores, smoke.CALLS[0])
        before = visible_state(stores)
        for calls, bad in enumerate(bad_calls(), 1):
            outcome = outcome_of(lambda: bad.make(stores))  # noqa: B023
            told = ""
            if outcome.kind != bad.kind and not _is_refused(context.capabilities, outcome):
                told = f"{bad.what}: {outcome.kind or repr(outcome.value)}, and not {bad.kind}"
            elif visible_state(stores) != before:
                told = f"{bad.what}: the call was refused and changed something"
            if told:
                return Finding(calls, told, "", bad.program(context.source), length=2, step=bad.what)
    return Finding(calls)


def _requests(context: Context) -> Finding:
    if not isinstance(context.make(), ProgramFactory):
        return Finding(0, not_applicable="in Python the types of the ports refuse it", excused=True)
    requests = list(bad_requests())
    found = _sent(context, requests, _LOOKS_EVERY)
    if found.failure and not found.counterexample:
        # One of the last did it: which one is seen on a new storage.
        alone = _sent(context, requests[max(0, found.calls - _LOOKS_EVERY) : found.calls], 1)
        return attrs.evolve(alone, calls=found.calls + alone.calls) if alone.failure else found
    return found


def _sent(context: Context, requests: Sequence[BadRequest], looks_every: int) -> Finding:
    factory = context.make()
    assert isinstance(factory, ProgramFactory), "a program"
    with opened(factory, ManualClock()) as stores:
        call_port(stores, smoke.CALLS[0])
        before = visible_state(stores)
        for number, (what, message) in enumerate(requests, 1):
            sent, step = session(message, factory.name), what.partition(" ")[0]
            if came_to := refused(factory.program, message):
                told = f"{what}: {came_to}, and not Serialization"
                return Finding(number, told, "", sent, length=1, step=step)
            if (number % looks_every == 0 or number == len(requests)) and visible_state(stores) != before:
                if looks_every == 1:
                    return Finding(number, f"{what}: was refused and changed something", "", sent, 1, step)
                return Finding(number, f"one of {looks_every} requests up to {what} changed something")
    return Finding(len(requests), tried=f"{len(requests)} requests that are none")


_LOOKS_EVERY: Final = 20


def _is_refused(capabilities: Capabilities, outcome: Outcome) -> bool:
    """Whether a call may have ended so because it is declared to be refused, whatever its arguments are."""
    if capabilities.refused and outcome.kind == FrameAtomicPersistenceUnavailable.kind:
        return True
    return bool(capabilities.not_yet) and outcome.kind is not None


def _recordings(context: Context) -> Finding:
    report, every = replay.Report(), context.profile.recordings
    chosen = slice(context.seed % every, None, every)
    for path in replay.bundled():
        report += replay.replay_file(path, context.make, context.capabilities.lacking, chosen)
    if not report.mismatches:
        return Finding(report.calls, tried=f"{report.sequences:,} recorded sequences")
    first = report.mismatches[0]
    example = repeated(tuple(replay.steps_to(first)), context.make, context.source)
    if example is not None:
        found = Finding.of(report.calls, shrunk(example, context.make))
        return attrs.evolve(found, failure=f"{report.summary()}; {found.failure}")
    shown = "\n".join(map(str, report.mismatches[: replay.SHOWN]))
    step = first.call.replace(" ", ".")
    return Finding(report.calls, report.summary(), "", shown, (first.step or 0) + 1, step)


def _recorded(profile: Profile) -> str:
    part = f"one in {profile.recordings} of " if profile.recordings > 1 else ""
    return f"{part}1,292 recorded sequences"


_ROUNDS: Final = 20
"""How often a rule group is tried with another seed before a call that never succeeded makes it unknown."""


def _refinement(group: str) -> Callable[[Context], Finding]:
    def check(context: Context) -> Finding:
        results: list[RefinementResult] = []
        for attempt in range(_ROUNDS):
            seed = context.seed + attempt * 1_000_003
            found = refine(
                group,
                context.make,
                context.profile,
                seed,
                name=context.name,
                source=context.source,
                shrinks=context.shrinks,
            )
            results.append(found)
            example = found.counterexample
            calls = sum(result.calls for result in results)
            if example is not None:
                return Finding.of(calls, example)
            missed = unreached(results, context.capabilities)
            if not missed:
                missing = sorted(set(map(call_name, GROUPS[group])) & context.capabilities.not_yet)
                return Finding(calls, doubt=f"not yet: {', '.join(missing)}" if missing else "")
        return Finding(calls, doubt=f"never made with success: {', '.join(missed)}")

    return check


def _scenarios(scenarios: Sequence[Scenario]) -> Callable[[Context], Finding]:
    def check(context: Context) -> Finding:
        result = try_scenarios(scenarios, context.make, context.source)
        return Finding(result.calls, result.problem, "", result.program, result.length, result.step)

    return check


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


def _kills(context: Context) -> Finding:
    """Kill the backend amid its calls; one that can be put on a simulated disk loses its power."""
    factory = context.make()
    storages = _storages(factory)
    mortal: Any = SimulatedFactory(storages[0], context.seed) if storages else factory
    mortal.open(ManualClock())
    if not hasattr(mortal, "kill") or not getattr(mortal, "can_crash", True):
        mortal.destroy()
        return Finding(0, not_applicable="the factory has no kill: it dies between calls alone", excused=True)
    deaths = _DEATHS if storages else _REAL_DEATHS
    found = crash_amid_calls(mortal, deaths, context.seed, context.capabilities)
    if found.wrong:
        return _killed(context, found, again=not storages)
    doubt = "" if found.amid else "no call was under way when it was killed"
    return Finding(found.answered, doubt=doubt, tried=f"{found.deaths} deaths, {found.amid} with a call under way")


def _killed(context: Context, found: Crashed, *, again: bool) -> Finding:
    """Tell what a kill came to: as a test to paste, if it comes to it between calls, too."""
    steps: list[Step] = [(call, Outcome()) for call in found.made]
    steps.append(Aside.KILL)
    steps += [(reading, Outcome()) for reading in READINGS]
    example = repeated(tuple(steps), context.make, context.source) if again else None
    if example is None:
        return Finding(found.answered, found.wrong, "", found.story(), len(found.made) + 1, step="kill")
    return attrs.evolve(Finding.of(found.answered, shrunk(example, context.make)), failure=found.wrong)


_DEATHS: Final = 40
_REAL_DEATHS: Final = 12
"""As many lives begin with a process that starts."""


def _power_cuts(context: Context) -> Finding:
    """Cut the power at every operation of the disk, in calls one after another and in calls that overlap."""
    storages = _storages(context.make())
    if not storages:
        return Finding(0, not_applicable="it cannot be put on a simulated disk", excused=True)
    try:
        library()
    except Unreachable as error:
        return Finding(0, doubt=str(error))
    level = LEVELS["quick"]
    tallies: list[Tally] = []
    for cut in (cut_calls, cut_schedules):
        for storage in storages:
            tallies += cut(storage, level, context.seed)
        if losses := [loss for tally in tallies for loss in tally.losses]:
            break
    images = sum(tally.images + tally.recoveries for tally in tallies)
    if losses:
        least = min(losses, key=lambda loss: loss.size)
        told = f"{len(losses):,} of {images:,} images are not as they may be"
        return Finding(len(tallies), told, "", least.story(), step=least.doing)
    return Finding(len(tallies), tried=f"{images:,} images, none lost or torn")


def _storages(factory: Factory) -> tuple[Any, ...]:
    """How the backend of a factory is put on a simulated disk, if it can be."""
    storages: tuple[Any, ...] = getattr(factory, "storages", ())
    return storages


def _clock(context: Context) -> Finding:
    calls = disturb_clock(context.make, context.source)
    more, wrong = stamps(context.make())
    return Finding(calls + more, wrong, "", stamps_program(context.source) if wrong else "", more, "append")


_RACES: Final = 20
_SECONDS: Final = 1.0


def _threads(context: Context) -> Finding:
    """Race again and again on new storages, for a second at least or some races where a backend is that fast."""
    calls, begun, rounds = 0, time.perf_counter(), context.profile.examples
    for _ in range(_RACES):
        calls += rounds * racing.WORKERS
        wrong, step = racing.raced(context.make(), rounds)
        if wrong:
            return _lost(context, calls, wrong, step)
        calls += rounds * racing.WORKERS
        if time.perf_counter() - begun > _SECONDS:
            break
    return Finding(calls)


def _lost(context: Context, calls: int, wrong: str, step: str) -> Finding:
    """Tell what a race came to: call by call, if one round shows it."""
    failure = racing.one_round(context.make, shrinks=context.shrinks) if step else None
    if failure is None:
        again = racing.program(context.source, context.profile.examples)
        return Finding(calls, wrong, "", again, 1 + racing.WORKERS, step)
    shown = failure.program(context.source)
    length = len(failure.scenario.prefix + failure.scenario.calls)
    return Finding(calls, wrong, "", shown, length, step, trace=failure.lines())


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


def _workflows(context: Context) -> Finding:
    found = Workload(context.make, context.source).run(context.profile, context.seed)
    doubt = f"never reached: {', '.join(found.missing)}" if found.missing else ""
    return Finding(found.calls, found.failure, doubt, found.counterexample)


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
        _counted(identifiers.cases),
        _cases(identifiers.cases, identifiers.COVERED),
        needs=tuple(call_name(kind) for kind in identifiers.COVERED),
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
        _recorded,
        _recordings,
    ),
    Chapter(
        "handles",
        "two handles see one storage, and opening it again loses nothing",
        _counted(handles.cases),
        _cases(handles.cases, handles.COVERED),
    ),
    *(
        Chapter(f"refines-{group}", f"{group} calls refine the model", _generated, _refinement(group))
        for group in GROUPS
    ),
    Chapter(
        "subscriptions",
        "every event appended after subscribing is delivered once, in order; lag is counted",
        lambda _: f"{len(subscribing.SCENARIOS)} scenarios, one 4,099 events behind",
        _scenarios(subscribing.SCENARIOS),
        needs=subscribing.NEEDS,
    ),
    Chapter(
        "secrets",
        "keys and tokens stand in no log, output, error or repr",
        lambda _: f"{len(secrecy.SCENARIOS)} scenarios",
        _scenarios(secrecy.SCENARIOS),
        needs=secrecy.NEEDS,
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
        "workflows",
        "workflow drivers that take turns, and die, keep every invariant and come to the end of a single one",
        lambda profile: (
            f"{FIXED} fixed workflows and {profile.examples} drawn ones; every transition, call and window"
        ),
        _workflows,
        needs=NEEDS,
    ),
    Chapter(
        "threads",
        "of calls that race with one expectation exactly one wins",
        lambda profile: f"{racing.WORKERS} threads, {profile.examples} rounds or more",
        _threads,
        needs=("run.create_run", "run.get_run", "run.cas_flow_state", "run.append_step_entry"),
    ),
    *concurrency.CHAPTERS,
    Chapter(
        "crashes",
        "what was answered is there after the backend died",
        lambda _: f"{len(smoke.EXECUTED) // _CRASH_EVERY} deaths between {len(smoke.EXECUTED)} calls",
        _crashes,
    ),
    Chapter(
        "kills",
        "killed amid its calls, a backend keeps what it answered, and no half of a call",
        lambda _: f"{_REAL_DEATHS} deaths",
        _kills,
    ),
    Chapter(
        "power-cuts",
        "wherever the power is cut, calls are there as a whole, and those that had answered are there",
        lambda _: "every changing call, on a simulated disk",
        _power_cuts,
    ),
)
"""The chapters in the order in which they are run."""
