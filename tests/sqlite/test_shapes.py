"""Every column is held to the schema as it is read."""

import sqlite3
from contextlib import closing

import pytest

from mobstore.backends.sqlite._checks import install
from mobstore.backends.sqlite._schema import SCHEMA
from mobstore.backends.sqlite._shapes import COLUMNS, Shape, kinds, shape
from mobstore.model import ReadFailed


def test_the_schema_is_read_as_sqlite_reads_it():
    """Each column of each table, with its type, and whether it may hold nothing."""
    with closing(sqlite3.connect(":memory:")) as connection:
        install(connection)
        for sql in SCHEMA.values():
            connection.execute(sql)
        for table, columns in COLUMNS.items():
            held = connection.execute(f"PRAGMA table_info({table})").fetchall()
            assert columns == {
                name: ({"TEXT": str, "INTEGER": int}[kind], *(() if rule or key else (type(None),)))
                for _, name, kind, rule, _, key in held
            }
    assert len(COLUMNS) > 15


def test_a_row_of_another_shape_is_told():
    """With the file and the table, and no value of it."""
    of_specs = shape("specs", "definition", "revision")
    of_specs.check(("{}", 1), "a.db")
    for row in (("{}", "1"), (None, 1), ("{}", 1.0), ("{}", True), (b"{}", 1), ("{}",)):
        with pytest.raises(ReadFailed, match=r"a\.db: specs: a column holds another type than it should$"):
            of_specs.check(row, "a.db")


def test_what_is_joined_may_be_absent():
    """A column that may hold nothing anyway, too."""
    joined = Shape.made("runs", kinds("frames", "snapshot", optional=True), kinds("runs", "completed_at"))
    assert all(joined.fits(row) for row in (("x", None), (None, None), (None, "y"), ("x", "y")))
    assert not joined.fits((1, None))
