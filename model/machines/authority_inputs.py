"""The inputs of the authority machine: what a rotating supervisor writes by compare-and-put."""

from mobstore.model._records import record
from mobstore.model.machines.machine import Input
from mobstore.model.values import PeerId, SupervisorPendingRotationRecord


@record
class RecordAcceptance(Input):
    """Remote peers accepted the next authority, or are about to be asked: ``attempt`` names them, and it.

    Our callers write a peer down before they ask it, so that no peer ever trusts a key that no record knows.
    """

    attempt: SupervisorPendingRotationRecord


@record
class CommitRotation(Input):
    """Every one of the ``remote_peers`` accepted the attempted authority: it becomes the authority.

    Without remote peers there is nothing to accept, and the attempt need not have been recorded.
    """

    attempt: SupervisorPendingRotationRecord
    remote_peers: tuple[PeerId, ...]


@record
class AbandonRotation(Input):
    """The ``restored`` peers trust the present authority again: nobody is left who trusts the attempted one."""

    restored: tuple[PeerId, ...]
