"""Schedules: real backends taken through the interleavings of their clients, step by step, and judged."""

from mobstore.properties.schedules.bounds import BACKENDS, SHAPES, Bound, bound_of, bounds
from mobstore.properties.schedules.connections import Control
from mobstore.properties.schedules.exploration import (
    Exploration,
    Explorer,
    Failure,
    exhaust,
    explore,
    replay,
    simplest,
)
from mobstore.properties.schedules.footprint import Footprint, row_footprint
from mobstore.properties.schedules.judge import history_of_execution, verdict_on
from mobstore.properties.schedules.races import RACES, Race
from mobstore.properties.schedules.scenario import CHANGING, Observed, Recorded, Scenario, beginning_of, rivals
from mobstore.properties.schedules.scheduler import Execution, NotUnderControl, Scheduler, Taken, Turn
from mobstore.properties.schedules.strategies import Exhaustive, Pct, Preferences, Replay, Strategy
from mobstore.properties.schedules.systems import MemorySystem, SqliteSystem, SteppedStore, System

__all__ = [
    "BACKENDS",
    "CHANGING",
    "RACES",
    "SHAPES",
    "Bound",
    "Control",
    "Execution",
    "Exhaustive",
    "Exploration",
    "Explorer",
    "Failure",
    "Footprint",
    "MemorySystem",
    "NotUnderControl",
    "Observed",
    "Pct",
    "Preferences",
    "Race",
    "Recorded",
    "Replay",
    "Scenario",
    "Scheduler",
    "SqliteSystem",
    "SteppedStore",
    "Strategy",
    "System",
    "Taken",
    "Turn",
    "beginning_of",
    "bound_of",
    "bounds",
    "exhaust",
    "explore",
    "history_of_execution",
    "replay",
    "rivals",
    "row_footprint",
    "simplest",
    "verdict_on",
]
