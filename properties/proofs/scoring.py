"""The score: every change of `mutation` is tried, in processes of their own; none may live without a reason."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final

import attrs

from mobstore.properties.parallel import as_done
from mobstore.properties.proofs.mutation import Death, Trial, kill, trials

_STEPS: Final = (
    *("DispatchStep", "CompleteStep", "FailStep", "SkipStep", "CancelStep"),
    *("RecordStepOutput", "ConditionPassed", "ConditionRejected", "RegisterTargets"),
    *("RecordTargetSuccess", "RecordTargetTerminalFailure", "RecordTargetCanceled", "RecordTargetFailure"),
)
_BODY: Final = (
    "BodyFrameCompleted",
    "BodyFrameFailed",
    "BodyFrameCanceled",
    "UntilConditionMet",
    "UntilConditionFailed",
)
_NO_STEPS: Final = "a run that was not created tracks no step, and the next guard refuses"
_NOTHING_WAITS: Final = "nothing waits before a run has begun, and the next guard refuses"
_BLANK_LOOP: Final = "a loop that was not started awaits its first body, and the guard of the stage refuses"
_NUMBERS: Final = (
    "a loop that goes on has had fewer iterations than its maximum, which is a number of the same size"
)

_ONE_VERSION: Final = "there is one protocol version, and every record has it"
_ALL_OPEN: Final = "at the start every node is open, and none is completed"
_BLANK_FRAME: Final = "a frame that was not started has no nodes, and the next guard refuses"
_ALL_ENDED: Final = "in a sealed frame every node has ended, and the next guard refuses"
_READY_ALREADY: Final = "what is found out anew is as it was: the invariants say so of every running frame"

_ENDS: Final = ("CompleteNode", "FailNode", "SkipNode", "CancelNode")
_RUNS_NOT: Final = "a node without a status does not run, and the next guard refuses"
_NO_MORE_READY: Final = "an end that completes nothing makes no node ready, and what is ready stays so"

EQUIVALENT: Final[dict[str, str]] = {
    **{
        f"frame/Start{scope}Frame/status {what}": _ALL_OPEN
        for scope in ("Root", "Body")
        for what in ("always chosen 1", "never chosen 6")
    },
    "frame/SealFrame/phase always chosen 5": "of three ends, what is not the other two is the third",
    "authority/CommitRotation/update dropped: protocol_version": _ONE_VERSION,
    **{f"frame/{input}/from Absent, too": _BLANK_FRAME for input in ("AdmitNextReadyNode", "RecordNodeOutput")},
    **{f"frame/AdmitNextReadyNode/from {phase}, too": _ALL_ENDED for phase in ("Completed", "Failed", "Canceled")},
    **{f"frame/AdmitNextReadyNode/status never chosen {place}": _READY_ALREADY for place in (2, 4)},
    **{f"frame/{input}/from Absent, too": _BLANK_FRAME for input in _ENDS},
    **{
        f"frame/{input}/from {phase}, too": _ALL_ENDED
        for input in _ENDS
        for phase in ("Completed", "Failed", "Canceled")
    },
    **{f"frame/{input}/guard dropped: the node has a status": _RUNS_NOT for input in _ENDS},
    **{
        f"frame/{input}/{what}": _NO_MORE_READY
        for input in _ENDS[1:]
        for what in ("update dropped: ready_queue", "status never chosen 2")
    },
    **{f"run/{step}/from Absent, too": _NO_STEPS for step in _STEPS},
    **{
        f"run/Pump{kind}Scheduler/from {phase}, too": _NOTHING_WAITS
        for kind in ("Node", "Frame")
        for phase in ("Absent", "Pending")
    },
    **{f"loop/{input}/from Absent, too": _BLANK_LOOP for input in _BODY},
    "loop/BodyFrameCompleted/guard dropped: there is a number for the next iteration": _NUMBERS,
    "loop/BodyFrameCompleted/guard limit 1: there is a number for the next iteration": _NUMBERS,
}
"""The changes that no case shows, with the reason."""


@attrs.frozen
class Score:
    """What became of all changes.

    Attributes:
        deaths: what became of each, in the order in which they were made.
        survivors: those that nothing refutes and that are not said to be equivalent.
        stale: those that are said to be equivalent, and are refuted or are not there.
        unconfirmed: those whose countermodel Python does not confirm.
    """

    deaths: tuple[Death, ...]
    survivors: tuple[str, ...]
    stale: tuple[str, ...]
    unconfirmed: tuple[str, ...]

    @property
    def is_full(self) -> bool:
        """Whether every change was refuted, or stands in the list with a reason that still holds."""
        return bool(self.deaths) and not (self.survivors or self.stale or self.unconfirmed)


def score(deaths: Sequence[Death], equivalent: dict[str, str]) -> Score:
    """Return what the deaths of some mutants come to."""
    alive = {death.mutant for death in deaths if not death.killed_by}
    tried = {death.mutant for death in deaths}
    stale = [name for name in equivalent if name in tried and name not in alive]
    confirmed = {
        death.mutant for death in deaths if death.countermodel is not None and death.countermodel.confirmed
    }
    return Score(
        tuple(deaths),
        tuple(sorted(alive - set(equivalent))),
        tuple(stale),
        tuple(sorted(tried - alive - confirmed)),
    )


@functools.cache
def _by_name() -> dict[str, Trial]:
    return {trial.name: trial for trial in trials()}


def _kill_named(names: Sequence[str]) -> list[Death]:
    return [kill(_by_name()[name]) for name in names]


_TOGETHER: Final = 6
"""How many a process is given at once."""


def try_all(names: Sequence[str], jobs: int) -> Iterator[Death]:
    """Iterate over what becomes of mutants, in the order in which it comes out."""
    together = _TOGETHER if jobs > 1 else 1
    parts = [names[place : place + together] for place in range(0, len(names), together)]
    for deaths in as_done([functools.partial(_kill_named, part) for part in parts], jobs):
        yield from deaths


def by_kind(deaths: Sequence[Death]) -> dict[str, tuple[int, int]]:
    """Return how many mutants of each kind there are, and how many of them were killed."""
    tried = Counter(death.mutant.partition("/")[0] for death in deaths)
    killed = Counter(death.mutant.partition("/")[0] for death in deaths if death.killed_by)
    return {kind: (number, killed[kind]) for kind, number in tried.items()}
