"""Workflow drivers that drive one run at once are judged by the answers of the store."""

import pytest

from mobstore.backends.capabilities import FULL, Capabilities
from mobstore.properties.concurrency import Face, faces_of
from mobstore.properties.concurrency.drivers import drive_workflows, lacks_any
from mobstore.properties.subject import MemoryFactory, SqliteFactory
from mobstore.properties.zoo.twins import TWINS

FACES = [(make, face) for make in (MemoryFactory, SqliteFactory) for face in faces_of(make())]


@pytest.mark.parametrize(("make", "face"), FACES, ids=lambda value: getattr(value, "name", str(value)))
def test_workflows_come_to_their_end_and_are_linearizable(make, face):
    """Also where drivers die, not told what became of their calls."""
    driven = drive_workflows(make, face, 1)
    assert (driven.failure, driven.doubt) == ("", "")
    assert driven.calls > 30


def test_a_store_without_transactions_is_found_out():
    untransacted = TWINS["stress-handles"].backend
    found = (drive_workflows(untransacted, Face.THREADS, 1) for _ in range(20))
    assert next(driven for driven in found if driven.failure).failure.startswith("not linearizable")


def test_who_lacks_what_drivers_call_is_not_driven():
    assert not lacks_any(FULL)
    assert not lacks_any(Capabilities(not_yet={"spec.delete_spec"}))
    assert lacks_any(Capabilities(refused={"cas_start_loop"}))
