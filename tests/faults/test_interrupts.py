"""A call on the memory backend that is interrupted anywhere leaves the old or the new state, and no lock."""

from mobstore.properties.faults.interrupts import WithState, interrupt_calls


def test_every_call_at_every_point():
    """Thousands of points, and both states come up."""
    found = list(interrupt_calls(1))
    assert sum(call.points for call in found) > 5000
    assert all(call.points for call in found)
    assert sum(call.changed for call in found) > 40
    assert [harm for call in found for harm in call.harms] == []


class EntersInPython(WithState):
    """Wakes subscribers under the condition, whose ``__enter__`` is a function of Python."""

    def wake(self):
        with self._events.changed:
            self._events.changed.notify_all()


class ReleasesByHand(WithState):
    """Takes the lock without a ``with``."""

    def execute(self, operation):
        store, handle = self._calls[type(operation)]
        store.lock.acquire()
        store.state, answer = handle(store.state, operation, self._clock())
        store.lock.release()
        return answer


class InTwoSteps(WithState):
    """Writes the runs, and a moment later their authority logs."""

    def execute(self, operation):
        store, _ = self._calls[type(operation)]
        before = store.state
        answer = super().execute(operation)
        if operation.call.endswith("_with_authority"):
            after, store.state = store.state, before
            plain = type(operation).__mro__[1]
            arguments = {name: getattr(operation, name) for name in plain.parameters()}
            super().execute(plain(**arguments))
            store.state = after
        return answer


def test_broken_backends_are_found_out():
    """By a lock that stays, or a state between the two."""
    for engine, rule in (
        (EntersInPython, "the lock of event is still held"),
        (ReleasesByHand, "is still held"),
        (InTwoSteps, "the state is neither the old nor the new one"),
    ):
        harms = [harm for call in interrupt_calls(3, engine=engine) for harm in call.harms]
        assert any(rule in harm for harm in harms), engine
