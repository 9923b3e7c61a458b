"""Histories written as a drawing: one line a process, time from left to right."""

import pytest

from mobstore.properties.linearizability import Call, History, Outcome
from mobstore.properties.linearizability.history import NEVER


@pytest.fixture
def drawn():
    """Return the history of calls ``(process, f, value, answer, inv, res)``; no ``res`` is an unknown outcome."""

    def make(*calls, key=None):
        return History.of(
            Call(0, process, f, key, value, answer, *_span(*span)) for process, f, value, answer, *span in calls
        )

    return make


def _span(inv, res=NEVER):
    return Outcome.INFO if res == NEVER else Outcome.OK, inv, res
