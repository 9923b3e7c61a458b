"""A file of its own for every test, and what several tests do with one."""

import lzma
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from mobstore.backends.sqlite import SqliteEngine
from mobstore.backends.sqlite._checks import install
from mobstore.model import MobRunStatus, evolve
from mobstore.model import operations as ops
from mobstore.properties import pools

RUN = evolve(pools.RUNS[3], {"status": MobRunStatus.RUNNING, "completed_at": None})


@pytest.fixture
def path(tmp_path):
    """Where the file is, or will be."""
    return tmp_path / "stores.db"


@pytest.fixture
def run():
    """A running run that has something of everything."""
    return RUN


@pytest.fixture
def make(path):
    """Open an engine on the file, and close it after the test."""
    made = []

    def make_engine(**options):
        engine = SqliteEngine(options.pop("path", path), **{"clock": lambda: 1_800_000_000_000_000_001, **options})
        made.append(engine)
        return engine

    yield make_engine
    for engine in made:
        engine.close()


@pytest.fixture
def engine(make, run):
    """An engine on a file that holds the run."""
    engine = make()
    engine.execute(ops.CreateRun(run))
    return engine


@pytest.fixture
def sql(path):
    """Send statements to the file behind the engine's back, and return the rows of the last."""

    def send(statement, parameters=(), file=path):
        with closing(sqlite3.connect(file, isolation_level=None)) as connection:
            install(connection)
            *before, statement = statement.split(";\n")
            for each in before:
                connection.execute(each)
            if "CAST(x'" not in statement:
                return connection.execute(statement, parameters).fetchall()
            # A function of Python's takes no text that is not UTF-8.
            triggers = connection.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'").fetchall()
            for name, _ in triggers:
                connection.execute(f"DROP TRIGGER {name}")
            rows = connection.execute(statement, parameters).fetchall()
            for _, definition in triggers:
                connection.execute(definition)
            return rows

    return send


@pytest.fixture
def original(tmp_path):
    """A file that the original implementation wrote."""
    file = tmp_path / "original.db"
    file.write_bytes(lzma.decompress((Path(__file__).parent / "original.db.xz").read_bytes()))
    return file


@pytest.fixture
def states(tmp_path):
    """Return what is in the directory: every name, and the bytes of every file."""

    def read():
        return {
            file.relative_to(tmp_path): file.read_bytes() if file.is_file() else None
            for file in tmp_path.rglob("*")
            if not file.is_fifo()
        }

    return read
