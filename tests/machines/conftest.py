"""The recorded vectors of the original's reducers, as values of the model."""

import functools
import json
import lzma
from importlib import resources

import pytest

from mobstore.model import from_json
from mobstore.model.machines import FRAME, LOOP, RUN

FILES = {"run": "flow_run", "frame": "flow_frame", "loop": "loop_iteration"}
MACHINES = {machine.name: machine for machine in (RUN, FRAME, LOOP)}


@functools.cache
def read_rows(name):
    path = resources.files("mobstore.properties") / "recordings" / f"vectors-{name}.jsonl.xz"
    with path.open("rb") as packed, lzma.open(packed, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def is_overruled(row):
    """The original wraps its counter around; the contract (section 9) has it refused."""
    wrapped = row["input"].get("BodyFrameCompleted", {}).get("iteration") == 2**32 - 1
    return wrapped and row.get("ok") is not None


@functools.cache
def read_vectors(name):
    machine = MACHINES[name]
    return [
        (from_json(machine.state, row["state"]), machine.read_input(row["input"]), row.get("ok") or row["err"])
        for row in read_rows(FILES[name])
        if not is_overruled(row)
    ]


@pytest.fixture(scope="session")
def rows():
    """A function from the name of a file of vectors to its rows."""
    return read_rows


@pytest.fixture(scope="session")
def vectors():
    """A function from the name of a machine to its (state, input, expected JSON), the overruled one left out."""
    return read_vectors
