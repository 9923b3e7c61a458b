"""What workflows reached, and what they must reach: a check that never came somewhere says nothing about it."""

from __future__ import annotations

from collections import Counter
from typing import Final

import attrs

from mobstore.model import Operation
from mobstore.model.callers.commits import COMMITS
from mobstore.model.machines import FRAME, LOOP, RUN, run_inputs

MACHINES: Final = (RUN, FRAME, LOOP)
NEVER: Final = frozenset({run_inputs.ProjectFrameStepStatus.__name__})
"""Transitions that no state allows."""

WRAPPERS: Final = tuple(sorted({commit.operation.call for commit in COMMITS.values()}))
"""The calls that commits are made of: the eight wrappers, and the two of the run alone, with authority inputs."""


@attrs.frozen
class Coverage:
    """Counts of what was reached.

    Attributes:
        transitions: by (machine, transition), those that stand in the log.
        commits: by (kind of commit, whether it was made).
        wrappers: by (call, what it answered).
        windows: crashes, by the window that was open.
        refusals: by (machine, transition, guard or phase).
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
