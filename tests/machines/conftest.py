"""The recorded vectors of the original's reducers, as values of the model."""

import functools

import pytest

from mobstore.model import from_json
from mobstore.properties import replay
from mobstore.properties.vectors import MACHINES, is_overruled

FILES = {"run": "flow_run", "frame": "flow_frame", "loop": "loop_iteration", "rotation": "rotation"}
BY_NAME = {machine.name: machine for machine in MACHINES}


@functools.cache
def read_rows(name):
    (path,) = (path for path in replay.bundled_vectors() if path.name == f"vectors-{FILES[name]}.jsonl.xz")
    return list(replay.read_lines(path))


@functools.cache
def read_vectors(name):
    machine = BY_NAME[name]
    return [
        (from_json(machine.state, row["state"]), machine.read_input(row["input"]), row.get("ok") or row["err"])
        for row in read_rows(name)
        if not is_overruled(row)
    ]


@pytest.fixture(scope="session")
def rows():
    """A function from the name of a machine to the rows of its vectors."""
    return read_rows


@pytest.fixture(scope="session")
def vectors():
    """A function from the name of a machine to its (state, input, expected JSON), the overruled one left out."""
    return read_vectors
