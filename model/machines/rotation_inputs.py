"""The input of the rotation machine."""

from mobstore.model._records import record
from mobstore.model.machines.machine import Input
from mobstore.model.values import SupervisorPendingRotationRecord


@record
class ApplyProcessLocalPendingRotation(Input):
    """Lay the pending rotation that a process remembers over the record that it loaded."""

    pending: SupervisorPendingRotationRecord
