"""The table of the contract, section 4: what each changing call of the run store compares and writes.

A call is a row over a few cells of one run.  Its meaning is the same for every row: if the run is unknown,
answer as the row says; if a comparison does not hold, answer ``False`` (or the error it names); if an
authority input may not be appended, fail; else write all of the row's cells at once.  `step`, the backends,
the generators, the proofs and the documentation read these rows; no call has code of its own.
"""

import enum
from collections.abc import Callable
from typing import Any, Final, TypeAlias

import attrs

from mobstore.model import operations as ops
from mobstore.model._errors import Internal, MobStoreError


class Cell(enum.StrEnum):
    """A part of a run that a call reads or writes as a whole."""

    STATUS = "status"
    FLOW_STATE = "flow state"
    FRAME = "frame"
    LOOP = "loop"
    STEP_LEDGER = "step ledger"
    STEP_OUTPUT = "output of the last entry of a step"
    FAILURE_LEDGER = "failure ledger"
    ITERATION_LEDGER = "iteration ledger"
    OUTPUT = "root output or loop output"
    AUTHORITY_LOG = "authority log"


class Unknown(enum.Enum):
    """What a call answers about a run that does not exist."""

    FALSE = "false"
    NOT_FOUND = "NotFound"


@attrs.frozen
class Equals:
    """The cell equals the argument; an argument of None means that the cell is absent."""

    cell: Cell
    argument: str


@attrs.frozen
class Absent:
    """The cell does not exist yet; of a ledger: it has no entry with the key of the argument."""

    cell: Cell
    argument: str | None = None


@attrs.frozen
class NotTerminal:
    """The status is none of the terminal ones."""

    cell: Cell = Cell.STATUS


@attrs.frozen
class Present:
    """The cell exists; if not, the call raises what ``error`` makes of the operation."""

    cell: Cell
    error: Callable[[Any], MobStoreError]


Comparison: TypeAlias = Equals | Absent | NotTerminal | Present


@attrs.frozen
class Put:
    """The cell becomes the argument.  A status that turns terminal also sets ``completed_at``, once."""

    cell: Cell
    argument: str


@attrs.frozen
class Append:
    """The ledger gets the argument (an entry, or with ``many`` a list of them) at its end.

    With ``once`` an entry of None, or one whose key stands in the ledger already, adds nothing.
    """

    cell: Cell
    argument: str
    once: bool = False
    many: bool = False


Write: TypeAlias = Put | Append


@attrs.frozen
class Row:
    """One call: what it answers about an unknown run, what it compares, what it writes.

    ``answers`` is whether the call answers ``True`` or ``False`` (else it answers nothing).
    """

    operation: type[ops.RunOperation[Any]]
    unknown: Unknown
    comparisons: tuple[Comparison, ...]
    writes: tuple[Write, ...]
    answers: bool = True

    @property
    def name(self) -> str:
        """The name of the call."""
        return self.operation.call

    @property
    def authority(self) -> str | None:
        """The argument with the authority inputs, if the call has one."""
        return next((write.argument for write in self.writes if write.cell is Cell.AUTHORITY_LOG), None)

    def with_authority(self, operation: type[ops.RunOperation[Any]]) -> "Row":
        """Return the row of the twin that also appends its authority inputs."""
        append = Append(Cell.AUTHORITY_LOG, "authority_inputs", many=True)
        return attrs.evolve(self, operation=operation, writes=(*self.writes, append))


def _unknown_step(operation: ops.PutStepOutput) -> MobStoreError:
    return Internal(f"cannot set output for unknown step '{operation.step_id}' in run '{operation.run_id}'")


_FLOW: Final = (Equals(Cell.FLOW_STATE, "expected_run_state"), Put(Cell.FLOW_STATE, "next_run_state"))
_FRAME: Final = (Equals(Cell.FRAME, "expected_frame"), Put(Cell.FRAME, "next_frame"))
_LOOP: Final = (Equals(Cell.LOOP, "expected_loop"), Put(Cell.LOOP, "next_loop"))

_CAS_FLOW_STATE = Row(
    ops.CasFlowState,
    Unknown.FALSE,
    (Equals(Cell.FLOW_STATE, "expected"),),
    (Put(Cell.FLOW_STATE, "next"),),
)
_CAS_RUN_SNAPSHOT = Row(
    ops.CasRunSnapshot,
    Unknown.FALSE,
    (Equals(Cell.STATUS, "expected_status"), Equals(Cell.FLOW_STATE, "expected_flow_state"), NotTerminal()),
    (Put(Cell.STATUS, "next_status"), Put(Cell.FLOW_STATE, "next_flow_state")),
)
_CAS_FRAME_STATE = Row(
    ops.CasFrameState,
    Unknown.NOT_FOUND,
    (Equals(Cell.FRAME, "expected"),),
    (Put(Cell.FRAME, "next"),),
)
_CAS_GRANT_NODE_SLOT = Row(ops.CasGrantNodeSlot, Unknown.NOT_FOUND, (_FLOW[0], _FRAME[0]), (_FLOW[1], _FRAME[1]))
_CAS_COMPLETE_STEP = Row(
    ops.CasCompleteStepAndRecordOutput,
    Unknown.NOT_FOUND,
    (_FRAME[0],),
    (_FRAME[1], Put(Cell.OUTPUT, "step_output")),
)
_CAS_START_LOOP = Row(
    ops.CasStartLoop,
    Unknown.NOT_FOUND,
    (_FLOW[0], _FRAME[0], Absent(Cell.LOOP)),
    (_FLOW[1], _FRAME[1], Put(Cell.LOOP, "initial_loop")),
)
_CAS_LOOP_REQUEST_BODY_FRAME = Row(
    ops.CasLoopRequestBodyFrame, Unknown.NOT_FOUND, (_FLOW[0], _LOOP[0]), (_FLOW[1], _LOOP[1])
)
_CAS_GRANT_BODY_FRAME_START = Row(
    ops.CasGrantBodyFrameStart,
    Unknown.NOT_FOUND,
    (_FLOW[0], _LOOP[0], Absent(Cell.FRAME)),
    (
        _FLOW[1],
        _LOOP[1],
        Put(Cell.FRAME, "initial_frame"),
        Append(Cell.ITERATION_LEDGER, "ledger_entry", once=True),
    ),
)
_CAS_COMPLETE_BODY_FRAME = Row(
    ops.CasCompleteBodyFrame,
    Unknown.NOT_FOUND,
    (_FLOW[0], _LOOP[0], _FRAME[0]),
    (_FLOW[1], _LOOP[1], _FRAME[1]),
)
_CAS_COMPLETE_LOOP = attrs.evolve(_CAS_COMPLETE_BODY_FRAME, operation=ops.CasCompleteLoop)

ROWS: Final[tuple[Row, ...]] = (
    Row(
        ops.CasRunStatus,
        Unknown.FALSE,
        (Equals(Cell.STATUS, "expected"), NotTerminal()),
        (Put(Cell.STATUS, "next"),),
    ),
    _CAS_FLOW_STATE,
    _CAS_FLOW_STATE.with_authority(ops.CasFlowStateWithAuthority),
    _CAS_RUN_SNAPSHOT,
    _CAS_RUN_SNAPSHOT.with_authority(ops.CasRunSnapshotWithAuthority),
    Row(
        ops.AppendStepEntry,
        Unknown.NOT_FOUND,
        (),
        (Append(Cell.STEP_LEDGER, "entry"),),
        answers=False,
    ),
    Row(
        ops.AppendStepEntryIfAbsent,
        Unknown.NOT_FOUND,
        (Absent(Cell.STEP_LEDGER, "entry"),),
        (Append(Cell.STEP_LEDGER, "entry"),),
    ),
    Row(
        ops.PutStepOutput,
        Unknown.NOT_FOUND,
        (Present(Cell.STEP_OUTPUT, _unknown_step),),
        (Put(Cell.STEP_OUTPUT, "output"),),
        answers=False,
    ),
    Row(
        ops.AppendFailureEntry,
        Unknown.NOT_FOUND,
        (),
        (Append(Cell.FAILURE_LEDGER, "entry"),),
        answers=False,
    ),
    Row(
        ops.UpsertLoopSnapshot,
        Unknown.NOT_FOUND,
        (),
        (Put(Cell.LOOP, "snapshot"), Append(Cell.ITERATION_LEDGER, "ledger_entry", once=True)),
        answers=False,
    ),
    _CAS_FRAME_STATE,
    _CAS_FRAME_STATE.with_authority(ops.CasFrameStateWithAuthority),
    _CAS_GRANT_NODE_SLOT,
    _CAS_GRANT_NODE_SLOT.with_authority(ops.CasGrantNodeSlotWithAuthority),
    _CAS_COMPLETE_STEP,
    _CAS_COMPLETE_STEP.with_authority(ops.CasCompleteStepAndRecordOutputWithAuthority),
    _CAS_START_LOOP,
    _CAS_START_LOOP.with_authority(ops.CasStartLoopWithAuthority),
    _CAS_LOOP_REQUEST_BODY_FRAME,
    _CAS_LOOP_REQUEST_BODY_FRAME.with_authority(ops.CasLoopRequestBodyFrameWithAuthority),
    _CAS_GRANT_BODY_FRAME_START,
    _CAS_GRANT_BODY_FRAME_START.with_authority(ops.CasGrantBodyFrameStartWithAuthority),
    _CAS_COMPLETE_BODY_FRAME,
    _CAS_COMPLETE_BODY_FRAME.with_authority(ops.CasCompleteBodyFrameWithAuthority),
    _CAS_COMPLETE_LOOP,
    _CAS_COMPLETE_LOOP.with_authority(ops.CasCompleteLoopWithAuthority),
)
"""Every changing call of the run store but ``create_run``, in the order of the trait."""
