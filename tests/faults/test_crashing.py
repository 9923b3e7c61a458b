"""A backend that is killed amid its calls keeps what it answered, and no half of a call."""

import shlex
import sys
import time

import pytest

from mobstore.backends import Stores
from mobstore.properties.faults.broken import BROKEN, CAREFUL
from mobstore.properties.faults.crashing import SimulatedFactory, crash_amid_calls
from mobstore.properties.faults.power import sqlite_storages
from mobstore.properties.subject import factory_of


@pytest.mark.parametrize("storage", [*sqlite_storages(), CAREFUL], ids=lambda storage: storage.name)
def test_what_was_answered_survives_a_power_cut_amid_calls(storage):
    """Again and again, each time on what the last one left."""
    found = crash_amid_calls(SimulatedFactory(storage, 1), 30, 1)
    assert found.wrong == ""
    assert found.deaths >= 30
    assert found.amid >= 3
    assert found.answered > 60


@pytest.mark.parametrize("name", ["write-behind", "never-renamed", "answered-before-sync"])
def test_a_broken_store_is_found_out(name):
    """It has lost what it answered."""
    found = crash_amid_calls(SimulatedFactory(BROKEN[name].storage, 1), 200, 1)
    assert "shows something else than was answered" in found.wrong


class Failing(SimulatedFactory):
    """Opens stores that are closed."""

    def open(self, clock):
        stores = super().open(clock)
        stores.close()
        return stores


def test_an_error_without_a_death_is_one():
    """And is told."""
    found = crash_amid_calls(Failing(sqlite_storages()[0], 1), 5, 1)
    assert found.deaths == 1
    assert "ended with WriteFailed: Write failed" in found.wrong


def test_a_program_is_killed_amid_its_calls(tmp_path):
    """By its process, and started again on the file that it left."""
    serve = (sys.executable, "-m", "mobstore.properties.cli", "serve", "--scratch")
    backend = factory_of(f"exec:{shlex.join((*serve, f'sqlite:{tmp_path}/stores.db'))}")
    found = crash_amid_calls(backend(), 4, 1)
    backend.close()
    assert found.wrong == ""
    assert found.deaths >= 4
    assert list(tmp_path.glob("stores.db*")) == []


class Dawdling:
    """An engine that takes its time."""

    def __init__(self, engine):
        self._engine = engine

    def __getattr__(self, name):
        return getattr(self.__dict__["_engine"], name)

    def execute(self, operation):
        if not operation.reads:
            time.sleep(0.003)
        return self._engine.execute(operation)


class Slow(SimulatedFactory):
    """Takes longer to be killed than a call takes."""

    def open(self, clock):
        return Stores(Dawdling(super().open(clock).engine))

    def kill(self):
        time.sleep(0.01)
        super().kill()


def test_who_takes_long_to_die_is_called_more_often_meanwhile():
    """Or hardly a call would ever be under way."""
    found = crash_amid_calls(Slow(CAREFUL, 1), 20, 1)
    assert found.wrong == ""
    assert found.amid >= 3
