"""Chapters in which calls overlap take a time of their own; here they take less."""

import pytest


@pytest.fixture(autouse=True)
def brief_branches(monkeypatch):
    """No further round of branches begins where calls have overlapped already, and few simpler ones are tried."""
    monkeypatch.setattr("mobstore.properties.concurrency.branches._DRAWING", 0.3)
    monkeypatch.setattr("mobstore.properties.concurrency.branches._AN_EXAMPLE", 0.0)
    monkeypatch.setattr("mobstore.properties.concurrency.branches._SHRINKING", 1.0)


@pytest.fixture
def patient_branches(monkeypatch):
    """As long as anywhere else."""
    monkeypatch.setattr("mobstore.properties.concurrency.branches._DRAWING", 4.0)
    monkeypatch.setattr("mobstore.properties.concurrency.branches._AN_EXAMPLE", 0.1)
