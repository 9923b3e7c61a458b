"""Broken backends that show only when calls overlap, the power fails, a call is interrupted or a file is changed.

No factory of the suite opens them: each brings the means that find it out.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import attrs

from mobstore.properties.faults.broken import EVERY_BROKEN, BrokenEngine, BrokenStorage
from mobstore.properties.faults.power import LEVELS
from mobstore.properties.schedules.races import RACES, Race
from mobstore.properties.zoo import files

SCHEDULES: Final = "schedules"
"""What rejects a race: `mobstore.properties.schedules`."""
FILES: Final = "files"
"""What rejects a backend that treats its file wrongly: `mobstore.properties.zoo.files`."""


@attrs.frozen
class Exhibit:
    """A broken backend that is found out by ``by``; ``give_away`` takes a seed, returns the proof and its calls."""

    name: str
    mistake: str
    by: str
    give_away: Callable[[int], tuple[str, int]]


def _race(race: Race) -> Exhibit:
    def give_away(_seed: int) -> tuple[str, int]:
        failure = race.explore().failure
        if failure is None:
            return "", 0
        simple = race.simplest(failure)
        scenario = simple.observed.scenario
        return simple.table(), len(scenario.prefix) + len(scenario.calls)

    return Exhibit(race.name, race.mistake, SCHEDULES, give_away)


def _fault(name: str, broken: BrokenStorage | BrokenEngine) -> Exhibit:
    def give_away(seed: int) -> tuple[str, int]:
        proof = broken.given_away(LEVELS["quick"], seed)
        # One call is cut off or fails; what was called before it only made the state that it works on.
        return proof, int(bool(proof))

    return Exhibit(name, broken.mistake, broken.by, give_away)


def _file(name: str, mistake: str, engine: Callable[..., Any]) -> Exhibit:
    return Exhibit(name, mistake, FILES, lambda _seed: files.find_out(engine))


EXHIBITS: Final = {
    exhibit.name: exhibit
    for exhibit in (
        *map(_race, RACES.values()),
        *(_fault(*item) for item in EVERY_BROKEN.items()),
        *(_file(name, *broken) for name, broken in files.BROKEN.items()),
    )
}
"""These broken backends by name."""
