"""Broken backends that show only when calls overlap, the power fails, a call is interrupted or a file is changed.

No factory of the suite opens them: each brings the means that find it out.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import attrs

from mobstore.properties.faults.broken import EVERY_BROKEN, BrokenEngine, BrokenStorage
from mobstore.properties.faults.power import LEVELS
from mobstore.properties.schedules.races import RACES, Race, discover
from mobstore.properties.subject import Factory
from mobstore.properties.zoo import files

SCHEDULES: Final = "schedules"
"""What rejects a race: `mobstore.properties.schedules`."""
FILES: Final = "files"
"""What rejects a backend that treats its file wrongly: `mobstore.properties.zoo.files`."""


@attrs.frozen
class Given:
    """What gives a mistake away: the proof (empty, if nothing does), how many calls it takes, and how."""

    proof: str
    calls: int
    how: str


@attrs.frozen
class Exhibit:
    """A broken backend that is found out by ``by``; ``give_away`` takes a seed.

    ``make`` makes a factory of it, if it can be opened like any other.
    """

    name: str
    mistake: str
    by: str
    give_away: Callable[[int], Given]
    make: Callable[[], Factory] | None = None


def _race(race: Race) -> Exhibit:
    def give_away(_seed: int) -> Given:
        found = discover(race)
        how = f"in schedule {found.schedules:,}"
        if found.failure is None:
            return Given("", 0, how)
        scenario = found.failure.observed.scenario
        proof = f"{found.failure.table()}\n\n{found.failure.program(race.source)}"
        return Given(proof, len(scenario.prefix) + len(scenario.calls), how)

    return Exhibit(race.name, race.mistake, SCHEDULES, give_away, race)


def _fault(name: str, broken: BrokenStorage | BrokenEngine) -> Exhibit:
    def give_away(seed: int) -> Given:
        proof = broken.given_away(LEVELS["quick"], seed)
        return Given(proof, int(bool(proof)), "cut off; those before it made the state")

    return Exhibit(name, broken.mistake, broken.by, give_away)


def _file(name: str, mistake: str, engine: Callable[..., Any]) -> Exhibit:
    def give_away(_seed: int) -> Given:
        proof, calls = files.find_out(engine)
        return Given(proof, calls, "with the file changed in between")

    return Exhibit(name, mistake, FILES, give_away)


EXHIBITS: Final = {
    exhibit.name: exhibit
    for exhibit in (
        *map(_race, RACES.values()),
        *(_fault(*item) for item in EVERY_BROKEN.items()),
        *(_file(name, *broken) for name, broken in files.BROKEN.items()),
    )
}
"""These broken backends by name."""
