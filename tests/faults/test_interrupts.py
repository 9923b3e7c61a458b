"""A call on the memory backend that is interrupted anywhere leaves the old or the new state, and no lock."""

import pytest

from mobstore.properties.faults.broken import BROKEN_ENGINES
from mobstore.properties.faults.interrupts import interrupt_calls
from mobstore.properties.faults.power import LEVELS

QUICK = LEVELS["quick"]


def test_every_call_at_every_point():
    """Thousands of points, and both states come up."""
    found = list(interrupt_calls(1))
    assert sum(call.points for call in found) > 5000
    assert all(call.points for call in found)
    assert sum(call.changed for call in found) > 40
    assert [harm for call in found for harm in call.harms] == []


@pytest.mark.parametrize("name", BROKEN_ENGINES)
def test_broken_backends_are_found_out(name):
    """By a lock that stays, a state between the two, or a subscriber that nobody wakes."""
    told = BROKEN_ENGINES[name].given_away(QUICK, 1)
    rules = ("is still held", "neither the old nor the new", "a subscriber sleeps on")
    assert any(rule in told for rule in rules), told
