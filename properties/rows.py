"""The wrapper table as cases: for every row success, and whatever it compares wrong, one thing at a time.

Of a row that succeeds every written cell is looked at, with every value of the pools; of a row that is refused one
comparison fails and all others hold, so that nothing but that comparison can refuse it.  The twins also append
their authority inputs, and refuse those that may not be appended.  A row that is wrong in one part is rejected in a
few calls, whatever the seed.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping
from types import SimpleNamespace
from typing import Any, Final, TypeAlias, TypeVar

import attrs

from mobstore.model import MobRun, MobRunStatus, RunId, evolve
from mobstore.model import operations as ops
from mobstore.model.step import CURRENT
from mobstore.model.values import StepRunStatus
from mobstore.model.wrappers import ROWS, Absent, Cell, Equals, NotTerminal, Present, Put, Row, Write
from mobstore.properties import pools
from mobstore.properties.cases import Case
from mobstore.properties.strategies import CELL_VALUES

TERMINAL: Final = tuple(status for status in MobRunStatus if status.is_terminal)

T = TypeVar("T")
_Tries: TypeAlias = Iterator[tuple[str, MobRun, Any]]
"""What each is about, the run that there is, and the call."""

_RUN: Final = pools.RUNS[3]
_KEYS: Final = {
    Cell.FRAME: ("frame_id", "frames", pools.FRAME_IDS),
    Cell.LOOP: ("loop_instance_id", "loops", pools.LOOP_IDS),
}
"""The cells that an argument names: the argument, the field that holds them, the pool of names."""

_STEP, _ITERATION = pools.STEP_ENTRIES[0], pools.ITERATION_ENTRIES[0]
_SIMILAR: Final[Mapping[Cell, tuple[Any, ...]]] = {
    Cell.STEP_LEDGER: tuple(
        evolve(_STEP, change)
        for change in ({"step_id": "s1 "}, {"agent_identity": "worker "}, {"status": StepRunStatus.FAILED})
    ),
    Cell.ITERATION_LEDGER: tuple(
        evolve(_ITERATION, change)
        for change in ({"loop_instance_id": "root::n "}, {"iteration": 2}, {"frame_id": "l::iter-0 "})
    ),
}
"""Entries that agree with one in the run's ledger in all of its key but one part."""
_SIMILAR_KEYS: Final = {Cell.FRAME: ("root  ", "ROOT"), Cell.LOOP: ("root::n ", "ROOT::N")}
"""Keys that no part of the run has, and that are like one of its."""


def cases() -> Iterator[Case]:
    """Iterate over the cases, each on runs of its own: the first of every row, the second of every row, ..."""
    run_ids = (RunId(f"22222222-0000-4000-8000-{number:012}") for number in itertools.count(1))
    yield from _in_turn(_cases(_Row(row), run_ids) for row in ROWS)


def _in_turn(iterators: Iterable[Iterator[T]]) -> Iterator[T]:
    """Iterate over the first of each, then the second of each, and so on: what differs most comes first."""
    for each in itertools.zip_longest(*iterators):
        yield from (item for item in each if item is not None)


def _cases(tried: _Row, run_ids: Iterator[RunId]) -> Iterator[Case]:
    for number, (name, run, operation, again) in enumerate(tried.cases()):
        if number == 1:
            yield _beside_another(tried, next(run_ids), next(run_ids))
        run_id = next(run_ids)
        created = () if run is None else (ops.CreateRun(evolve(run, {"run_id": run_id})),)
        calls = (attrs.evolve(call, run_id=run_id) for call in (operation, *again))
        yield Case(f"{tried.row.name}: {name}", (*created, *calls))


def _beside_another(tried: _Row, run_id: RunId, other: RunId) -> Case:
    runs = (ops.CreateRun(evolve(tried.run, {"run_id": each})) for each in (other, run_id))
    calls = (*runs, attrs.evolve(tried.operation, run_id=run_id), ops.GetRun(other))
    return Case(f"{tried.row.name}: another run has the same parts", calls)


class _Row:
    """One row, with a run on which it succeeds."""

    def __init__(self, row: Row) -> None:
        self.row = row
        self.run = _RUN
        self.puts = {item.cell: item.argument for item in row.writes if isinstance(item, Put)}
        self.absent = {item.cell for item in row.comparisons if isinstance(item, Absent)}
        self.equals = {item.cell: item.argument for item in row.comparisons if isinstance(item, Equals)}
        self.operation = self._succeeding()

    def _succeeding(self) -> Any:
        """The call that finds what it expects, and writes into every cell something else than it holds."""
        arguments: dict[str, Any] = {"run_id": self.run.run_id, "step_id": "s1"}
        for cell, (argument, field, pool) in _KEYS.items():
            held = getattr(self.run, field)
            arguments[argument] = next(key for key in pool if (key in held) is not (cell in self.absent))
        for cell, argument in self.equals.items():
            arguments[argument] = CURRENT[cell](self.run, SimpleNamespace(**arguments))
        for write in self.row.writes:
            arguments[write.argument] = self._other(write.cell, SimpleNamespace(**arguments))
        arguments |= {"step_output_key": "s2", "loop_context": None}
        if self.row.authority is not None:
            arguments[self.row.authority] = pools.ACCEPTED_INPUTS[2:4]
        return self.row.operation(**{name: arguments[name] for name in self.row.operation.parameters()})

    def _other(self, cell: Cell, arguments: Any) -> Any:
        """A value that the cell does not hold."""
        if cell is Cell.AUTHORITY_LOG:
            return ()
        held = CURRENT[cell](self.run, arguments) if cell in _COMPARED else None
        if cell is Cell.STEP_OUTPUT:
            held = self.run.step_ledger[CURRENT[cell](self.run, arguments)].output
        entries: Any = {
            Cell.STEP_LEDGER: self.run.step_ledger,
            Cell.FAILURE_LEDGER: self.run.failure_ledger,
            Cell.ITERATION_LEDGER: self.run.loop_iteration_ledger,
        }.get(cell, ())
        return next(value for value in CELL_VALUES[cell] if value != held and value not in entries)

    def cases(self) -> Iterator[tuple[str, MobRun | None, Any, tuple[Any, ...]]]:
        """Iterate over what is tried: what it is about, the run that there is, the call, and what follows it."""
        yield "all is as expected, and then it is made again", self.run, self.operation, (self.operation,)
        yield "the run does not exist", None, self.operation, ()
        for name, run, operation in _in_turn((*self._refused(), *self._accepted())):
            yield name, run, operation, ()

    def _with(self, **changes: Any) -> Any:
        return attrs.evolve(self.operation, **changes)

    # --- what is refused ------------------------------------------------------------------------------------

    def _refused(self) -> Iterator[_Tries]:
        for item in self.row.comparisons:
            if isinstance(item, Equals):
                yield self._unequal(item)
                if item.cell in _KEYS:
                    yield self._missing(item.cell)
            elif isinstance(item, NotTerminal):
                yield self._terminal()
            elif isinstance(item, Present):
                yield iter((("the step has no entry", self.run, self._with(step_id="s1 ")),))
            elif item.cell in _KEYS:
                yield self._present(item.cell)
        if issubclass(self.row.operation, ops.CasFrameState):
            yield iter((("no frame is expected, and there is one", self.run, self._with(expected=None)),))
        if self.row.authority is not None:
            yield self._refused_inputs(self.row.authority)

    def _unequal(self, item: Equals) -> _Tries:
        held = getattr(self.operation, item.argument)
        for value in CELL_VALUES[item.cell]:
            if value != held:
                yield f"the {item.cell.value} is another", self.run, self._with(**{item.argument: value})

    def _missing(self, cell: Cell) -> _Tries:
        argument, field, pool = _KEYS[cell]
        for key in (*_SIMILAR_KEYS[cell], *pool):
            if key not in getattr(self.run, field):
                yield f"the {cell.value} does not exist", self.run, self._with(**{argument: key})

    def _terminal(self) -> _Tries:
        for status in TERMINAL:
            expected = {self.equals[Cell.STATUS]: status}
            yield f"the run is {status.value}", evolve(self.run, {"status": status}), self._with(**expected)

    def _present(self, cell: Cell) -> _Tries:
        argument, field, _ = _KEYS[cell]
        for key in getattr(self.run, field):
            yield f"the {cell.value} exists", self.run, self._with(**{argument: key})

    def _refused_inputs(self, authority: str) -> _Tries:
        accepted = pools.ACCEPTED_INPUTS[:1]
        for refused in pools.REFUSED_INPUTS:
            for inputs in ((refused,), (*accepted, refused), (refused, *accepted)):
                operation = self._with(**{authority: inputs})
                yield "an input may not be appended", self.run, operation
            for cell, argument in self.equals.items():
                value = next(value for value in CELL_VALUES[cell] if value != getattr(self.operation, argument))
                operation = self._with(**{authority: (refused,), argument: value})
                yield f"an input may not be appended, and the {cell.value} is another", self.run, operation

    # --- what is accepted -----------------------------------------------------------------------------------

    def _accepted(self) -> Iterator[_Tries]:
        yield self._whatever_the_status()
        for item in self.row.writes:
            yield self._written(item)
        yield self._equal()
        if self.row.authority is not None:
            yield self._inputs(self.row.authority)
        if issubclass(self.row.operation, ops.CasFrameState):
            inserted = self._with(expected=None, frame_id="")
            yield iter((("no frame is expected, and there is none", self.run, inserted),))
        if issubclass(self.row.operation, ops.CasCompleteStepAndRecordOutput):
            yield self._outputs()
        if self.row.operation is ops.UpsertLoopSnapshot:
            yield iter((("there is no ledger entry", self.run, self._with(ledger_entry=None)),))

    def _written(self, item: Write) -> _Tries:
        for value in (*CELL_VALUES.get(item.cell, ()), *_SIMILAR.get(item.cell, ())):
            yield f"the {item.cell.value} written is another", self.run, self._with(**{item.argument: value})

    def _equal(self) -> _Tries:
        for argument in self.equals.values():
            held = getattr(self.operation, argument)
            if attrs.has(type(held)):
                operation = self._with(**{argument: evolve(held, {})})
                yield "an equal value is expected, but not the same object", self.run, operation

    def _inputs(self, authority: str) -> _Tries:
        for inputs in ((), pools.ACCEPTED_INPUTS, pools.ACCEPTED_INPUTS[:1] * 2):
            yield f"there are {len(inputs)} inputs", self.run, self._with(**{authority: inputs})

    def _whatever_the_status(self) -> _Tries:
        if Cell.STATUS in self.puts:
            for status in MobRunStatus:
                unset = evolve(self.run, {"completed_at": None})
                yield f"the run becomes {status.value}", unset, self._with(**{self.puts[Cell.STATUS]: status})
        elif NotTerminal() not in self.row.comparisons:
            for status in TERMINAL:
                yield f"the run is {status.value}", evolve(self.run, {"status": status}), self.operation

    def _outputs(self) -> _Tries:
        for key in pools.OUTPUT_KEYS:
            for loop_context in (None, ("loop", 2), ("loop", 0), ("loop", 3), ("loop\x00", 2), ("loop", 1_000_001)):
                operation = self._with(step_output_key=key, loop_context=loop_context)
                yield f"the output is {key!r} of {loop_context}", self.run, operation


_COMPARED: Final = frozenset(CURRENT) - {Cell.STEP_LEDGER, Cell.STEP_OUTPUT}
