"""What workflows reached, and what they must reach: a check that never came somewhere says nothing about it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any, Final

import attrs

from mobstore.model import Operation
from mobstore.model.callers.commits import COMMITS
from mobstore.model.machines import FRAME, LOOP, RUN, NoMatchingTransition, Refusal, run_inputs

MACHINES: Final = (RUN, FRAME, LOOP)
NEVER: Final = frozenset({run_inputs.ProjectFrameStepStatus.__name__})
"""Transitions that no state allows, and so no caller asks for."""

WRAPPERS: Final = tuple(sorted({commit.operation.call for commit in COMMITS.values()}))
"""The calls that commits are made of: the eight wrappers, and the two of the run alone, with authority inputs."""

NEEDS: Final = (
    *(f"run.{call}" for call in WRAPPERS),
    *("run.create_run", "run.get_run", "run.append_step_entry_if_absent", "run.append_failure_entry"),
    *("event.append", "event.append_terminal_event_if_absent", "event.replay_all"),
)
"""All calls that drivers make, with their stores."""

UNREACHABLE: Final = frozenset({("frame", "AdmitNextReadyNode", "NodeExists")})
"""Guards that no started frame fails: what is ready is a node of it, and every node has a kind."""


def _guards() -> Iterator[tuple[str, str, str]]:
    for machine in MACHINES:
        for transition in machine.transitions:
            for guard in transition.guards if transition.id not in NEVER else ():
                yield machine.name, transition.id, guard.id


REFUSALS: Final = frozenset(_guards()) - UNREACHABLE
"""What a machine may refuse, by (machine, transition, guard)."""


@attrs.frozen
class Coverage:
    """Counts of what was reached.

    Attributes:
        transitions: by (machine, transition), those that stand in the log.
        commits: by (kind of commit, whether it was made).
        wrappers: by (call, what it answered).
        windows: crashes, by the window that was open.
        refusals: by (machine, transition, guard), or the phase where no transition takes the input.
    """

    transitions: Counter[tuple[str, str]] = attrs.field(factory=Counter)
    commits: Counter[tuple[str, bool]] = attrs.field(factory=Counter)
    wrappers: Counter[tuple[str, bool]] = attrs.field(factory=Counter)
    windows: Counter[str] = attrs.field(factory=Counter)
    refusals: Counter[tuple[str, str, str]] = attrs.field(factory=Counter)

    def commit(self, name: str, operation: type[Operation[bool]], *, made: bool) -> None:
        """Count a commit."""
        self.commits[name, made] += 1
        self.wrappers[operation.call, made] += 1

    def refusal(self, machine: str, refusal: Refusal) -> None:
        """Count a refusal."""
        if isinstance(refusal, NoMatchingTransition):
            self.refusals[machine, refusal.input, f"phase {refusal.phase}"] += 1
        else:
            self.refusals.update((machine, item.transition_id, item.guard_id) for item in refusal.rejections)

    def missing(self, windows: Iterable[str]) -> list[str]:
        """Return what must be reached and was not, given the names of the windows."""
        wanted: list[tuple[Counter[Any], Any, str]]
        wanted = [(self.transitions, key, " ".join(key)) for key in _TRANSITIONS]
        wanted += [(self.commits, (name, True), f"commit {name}") for name in COMMITS]
        wanted += [(self.wrappers, (call, made), f"{call}: {made}") for call in WRAPPERS for made in (True, False)]
        wanted += [(self.windows, window, f"a crash when: {window}") for window in windows]
        wanted += [(self.refusals, key, f"refused: {' '.join(key)}") for key in sorted(REFUSALS)]
        return [text for counts, key, text in wanted if not counts[key]]

    def rows(self) -> Iterator[tuple[str, str, int]]:
        """Iterate over all counts: what kind of thing, which, and how often."""
        yield from (("transition", " ".join(key), self.transitions[key]) for key in _TRANSITIONS)
        yield from (("refusal", " ".join(key), count) for key, count in sorted(self.refusals.items()))
        for what, counts in (("commit", self.commits), ("call", self.wrappers)):
            for (name, made), count in sorted(counts.items()):
                yield what, f"{name}: {'made' if made else 'answered false'}", count
        yield from (("crash when", name, count) for name, count in sorted(self.windows.items()))


_TRANSITIONS: Final = tuple(
    (machine.name, transition.id)
    for machine in MACHINES
    for transition in machine.transitions
    if transition.id not in NEVER
)
