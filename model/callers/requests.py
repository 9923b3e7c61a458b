"""What a driver asks of whoever runs it, beside the store's calls, and what it is answered."""

import enum
from typing import Any, TypeAlias

import attrs

from mobstore.model._json import Payload
from mobstore.model._records import record
from mobstore.model.callers.flow import SEPARATOR, Step, instance_of, root_frame
from mobstore.model.operations import Operation
from mobstore.model.values import FlowNodeId, FrameId, LoopInstanceId, RunId, StepId


@attrs.frozen
class Place:
    """A step where it stands in a run: the node of a frame."""

    run_id: RunId
    frame_id: FrameId
    step: Step

    @property
    def at_root(self) -> bool:
        """Whether it is a node of the root frame, and the run tracks its status."""
        return self.frame_id == root_frame(self.run_id)

    @property
    def node_id(self) -> FlowNodeId:
        """The node's id."""
        return self.step.id

    @property
    def address(self) -> StepId:
        """The name of this one execution, in the ledgers and among the counts of retries."""
        return self.step.id if self.at_root else instance_of(self.frame_id, self.step.id)

    @property
    def tracked(self) -> StepId:
        """The step that the run tracks: of a node in a loop, the loop of the root frame."""
        return self.step.id if self.at_root else self.frame_id.split(SEPARATOR)[1]


@attrs.frozen
class ReadClock:
    """Asks for the time, a `Timestamp`."""


@attrs.frozen
class EvaluateCondition:
    """Asks whether the condition of a step holds, a truth value."""

    place: Place


@attrs.frozen
class PerformStep:
    """Asks for the result of an attempt (0, 1, ...) at a step: `Completed`, `Failed` or `Canceled`.

    A driver that dies between the attempt and the line of the ledger leaves nothing behind, and whoever resumes
    asks for the same attempt again.  The address and the attempt together are the key by which the one who does
    the work may recognise it.
    """

    place: Place
    attempt: int


@attrs.frozen
class EvaluateUntil:
    """Asks what the until-condition says after an iteration (0, 1, ...) of a loop instance, an `Until`."""

    run_id: RunId
    loop_instance_id: LoopInstanceId
    iteration: int


@attrs.frozen
class Idle:
    """Nothing is due but what others admitted; True answers that they are gone, and their steps taken over."""

    others: tuple[Place, ...]


@record
class Completed:
    """The step was done, with this output."""

    output: Payload


@attrs.frozen
class Failed:
    """The attempt at a step failed."""

    reason: str


@attrs.frozen
class Canceled:
    """The step was canceled."""


class Until(enum.Enum):
    """What an until-condition comes to."""

    MET = "met"
    NOT_MET = "not met"
    CANCELED = "canceled"


Result: TypeAlias = Completed | Failed | Canceled
Request: TypeAlias = Operation[Any] | ReadClock | EvaluateCondition | PerformStep | EvaluateUntil | Idle
