"""The machines that the store's callers run (contract, section 8).  The rules:

1. A machine takes an input in a state and answers with the next state and effects, or with a refusal.  A
   refusal changes nothing.
2. Each transition is written once, as data: the phases it starts from, its guards in order, the fields it
   writes, its effects (`Transition`).  A field that it does not write stays; so the transitions out of Absent
   write only what differs from that state, which is the default of its record.
3. An input that no transition takes in the present phase is refused with `NoMatchingTransition`; where a phase
   fits but a guard does not hold, with `GuardRejected`, which names the first such guard.
4. Nothing about a transition is Python that only Python can read: guards and updates are `terms`, which
   `evaluation` turns into functions, and which translations and exporters read as they stand.
5. The parameters of an input are the fields of its class (`run_inputs`, `frame_inputs`, `loop_inputs`); the
   fields of a state are those of its record in `mobstore.model.values`.  Neither is said a second time.
6. Counters are unsigned 32-bit numbers and saturate, but for the loop's iterations: there the step beyond the
   greatest number is refused (contract, section 9).

`RUN`, `FRAME` and `LOOP` are the reducers of runs, frames and loops; `ROTATION` and the functions around it are
the supervisor's key rotation; `AUTHORITY` is the durable record that rotating supervisors change.
"""

from mobstore.model.machines import (
    authority_inputs,
    frame_effects,
    frame_inputs,
    loop_effects,
    loop_inputs,
    rotation_inputs,
    run_effects,
    run_inputs,
)
from mobstore.model.machines.authority import AUTHORITY
from mobstore.model.machines.frame import FRAME
from mobstore.model.machines.loop import LOOP
from mobstore.model.machines.machine import (
    Definition,
    Effect,
    Emit,
    Guard,
    GuardRejected,
    Input,
    Machine,
    NoMatchingTransition,
    Refusal,
    Rejection,
    Transition,
    Transitioned,
)
from mobstore.model.machines.rotation import (
    ROTATION,
    apply_process_local_pending_rotation,
    authority_record,
    from_authority,
    remove_accepted_peer_ids,
    same_attempted_authority,
    without_pending_rotation,
)
from mobstore.model.machines.run import RUN

__all__ = [
    "AUTHORITY",
    "FRAME",
    "LOOP",
    "ROTATION",
    "RUN",
    "Definition",
    "Effect",
    "Emit",
    "Guard",
    "GuardRejected",
    "Input",
    "Machine",
    "NoMatchingTransition",
    "Refusal",
    "Rejection",
    "Transition",
    "Transitioned",
    "apply_process_local_pending_rotation",
    "authority_inputs",
    "authority_record",
    "frame_effects",
    "frame_inputs",
    "from_authority",
    "loop_effects",
    "loop_inputs",
    "remove_accepted_peer_ids",
    "rotation_inputs",
    "run_effects",
    "run_inputs",
    "same_attempted_authority",
    "without_pending_rotation",
]
