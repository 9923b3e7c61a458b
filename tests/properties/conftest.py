"""Chapters in which calls overlap take a time of their own; here they take less."""

import pytest

from mobstore.properties.concurrency import branches

AS_THEY_ARE = {name: getattr(branches, name) for name in ("_DRAWING", "_AN_EXAMPLE")}


@pytest.fixture(autouse=True)
def brief_branches(monkeypatch):
    """No further round of branches begins where calls have overlapped already, and few simpler ones are tried."""
    monkeypatch.setattr(branches, "_DRAWING", 0.3)
    monkeypatch.setattr(branches, "_AN_EXAMPLE", 0.0)
    monkeypatch.setattr(branches, "_SHRINKING", 1.0)


@pytest.fixture
def patient_branches(monkeypatch):
    """As long as anywhere else."""
    for name, seconds in AS_THEY_ARE.items():
        monkeypatch.setattr(branches, name, seconds)
