"""The file: its tables, and the two numbers in its header that say whose file it is.

A part of a run that a call compares or writes is a row of its own, so that a call touches the rows it names.
What grows with a run has the run's number first in its key; what has an order has its place there.
"""

# ruff: noqa: S608 - names of our own tables and columns are put into statements; values never are

from collections.abc import Iterator
from typing import Final

from mobstore.backends.sqlite._checks import CHECKS, REPLACED, columns_of, fill, triggers, with_sum

APPLICATION_ID: Final = 0x6D6F6273
"""``PRAGMA application_id`` of a file of ours: the letters "mobs"."""

VERSION: Final = 2
"""``PRAGMA user_version``: the version of the tables below."""

UNCHECKED: Final = 1
"""The version that had the tables without checks and sums; such a file gets them when it is opened."""

TABLES: Final = {
    # The activation parameters never change and may be large: beside the state, every commit would rewrite them.
    "runs": """CREATE TABLE runs (
    seq INTEGER PRIMARY KEY,
    run_id TEXT NOT NULL UNIQUE,
    mob_id TEXT NOT NULL,
    flow_id TEXT NOT NULL,
    schema_version INTEGER NOT NULL,
    created_at TEXT NOT NULL,
    completed_at TEXT,
    status TEXT NOT NULL,
    flow_state TEXT NOT NULL
) STRICT""",
    "runs_of_mob": "CREATE INDEX runs_of_mob ON runs (mob_id)",
    "runs_of_flow": "CREATE INDEX runs_of_flow ON runs (mob_id, flow_id)",
    "run_params": """CREATE TABLE run_params (
    run INTEGER PRIMARY KEY,
    activation_params TEXT NOT NULL
) STRICT""",
    # With a rowid, a snapshot of up to 4 kB stays on one page; without, it would spill from 1 kB on.
    "frames": """CREATE TABLE frames (
    id INTEGER PRIMARY KEY,
    run INTEGER NOT NULL,
    frame_id TEXT NOT NULL,
    snapshot TEXT NOT NULL,
    UNIQUE (run, frame_id)
) STRICT""",
    "loops": """CREATE TABLE loops (
    id INTEGER PRIMARY KEY,
    run INTEGER NOT NULL,
    loop_instance_id TEXT NOT NULL,
    snapshot TEXT NOT NULL,
    UNIQUE (run, loop_instance_id)
) STRICT""",
    "root_outputs": """CREATE TABLE root_outputs (
    run INTEGER NOT NULL,
    place INTEGER NOT NULL,
    key TEXT NOT NULL,
    output TEXT NOT NULL,
    PRIMARY KEY (run, place),
    UNIQUE (run, key)
) STRICT, WITHOUT ROWID""",
    "loop_outputs": """CREATE TABLE loop_outputs (
    run INTEGER NOT NULL,
    place INTEGER NOT NULL,
    loop_id TEXT NOT NULL,
    iteration INTEGER NOT NULL,
    key TEXT NOT NULL,
    output TEXT NOT NULL,
    PRIMARY KEY (run, place),
    UNIQUE (run, loop_id, iteration, key)
) STRICT, WITHOUT ROWID""",
    # An iteration without output has no row in loop_outputs, yet the list of iterations is as long as that.
    "loop_iterations": """CREATE TABLE loop_iterations (
    run INTEGER NOT NULL,
    loop_id TEXT NOT NULL,
    iterations INTEGER NOT NULL,
    PRIMARY KEY (run, loop_id)
) STRICT, WITHOUT ROWID""",
    "step_ledger": """CREATE TABLE step_ledger (
    run INTEGER NOT NULL,
    place INTEGER NOT NULL,
    step_id TEXT NOT NULL,
    agent_identity TEXT NOT NULL,
    status TEXT NOT NULL,
    output TEXT NOT NULL,
    timestamp TEXT NOT NULL,
    PRIMARY KEY (run, place)
) STRICT, WITHOUT ROWID""",
    "step_ledger_steps": "CREATE INDEX step_ledger_steps ON step_ledger (run, step_id)",
    "step_ledger_entries": """CREATE INDEX step_ledger_entries
ON step_ledger (run, step_id, agent_identity, status)""",
    "failure_ledger": """CREATE TABLE failure_ledger (
    run INTEGER NOT NULL,
    place INTEGER NOT NULL,
    entry TEXT NOT NULL,
    PRIMARY KEY (run, place)
) STRICT, WITHOUT ROWID""",
    # An iteration may be any u64, which an INTEGER would cut.
    "iteration_ledger": """CREATE TABLE iteration_ledger (
    run INTEGER NOT NULL,
    place INTEGER NOT NULL,
    loop_instance_id TEXT NOT NULL,
    iteration TEXT NOT NULL,
    frame_id TEXT NOT NULL,
    PRIMARY KEY (run, place)
) STRICT, WITHOUT ROWID""",
    "iteration_ledger_entries": """CREATE INDEX iteration_ledger_entries
ON iteration_ledger (run, loop_instance_id, iteration, frame_id)""",
    "authority_inputs": """CREATE TABLE authority_inputs (
    run INTEGER NOT NULL,
    place INTEGER NOT NULL,
    input TEXT NOT NULL,
    PRIMARY KEY (run, place)
) STRICT, WITHOUT ROWID""",
    # seconds and nanos are the event's time, sortable; the terminal columns are NULL but for terminal flow events.
    "events": """CREATE TABLE events (
    cursor INTEGER PRIMARY KEY,
    seconds INTEGER NOT NULL,
    nanos INTEGER NOT NULL,
    mob_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    terminal_run TEXT,
    terminal_flow TEXT
) STRICT""",
    "events_by_time": "CREATE INDEX events_by_time ON events (seconds, nanos)",
    "events_terminal": """CREATE INDEX events_terminal ON events (mob_id, terminal_run, terminal_flow)
WHERE terminal_run IS NOT NULL""",
    # The last appends, whatever was removed from the events since; place counts every append ever made.
    "feed": """CREATE TABLE feed (
    place INTEGER PRIMARY KEY,
    cursor INTEGER NOT NULL,
    seconds INTEGER NOT NULL,
    nanos INTEGER NOT NULL,
    mob_id TEXT NOT NULL,
    kind TEXT NOT NULL
) STRICT""",
    "meta": """CREATE TABLE meta (
    key TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) STRICT, WITHOUT ROWID""",
    "supervisors": """CREATE TABLE supervisors (
    mob_id TEXT PRIMARY KEY,
    record TEXT NOT NULL
) STRICT""",
    "overlays": """CREATE TABLE overlays (
    mob_id TEXT NOT NULL,
    agent_identity TEXT NOT NULL,
    generation INTEGER NOT NULL,
    record TEXT NOT NULL,
    PRIMARY KEY (mob_id, agent_identity, generation)
) STRICT, WITHOUT ROWID""",
    "specs": """CREATE TABLE specs (
    mob_id TEXT PRIMARY KEY,
    definition TEXT NOT NULL,
    revision INTEGER NOT NULL
) STRICT""",
    "profiles": """CREATE TABLE profiles (
    name TEXT PRIMARY KEY,
    profile TEXT NOT NULL,
    revision INTEGER NOT NULL,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL
) STRICT""",
}
"""Every table and index by name, without checks and sums."""

SCHEMA: Final = {
    **TABLES,
    **{table: with_sum(table, TABLES[table]) for table in REPLACED},
    "checks": CHECKS,
    **dict(triggers({name: sql for name, sql in TABLES.items() if sql.startswith("CREATE TABLE")})),
}
"""Every table, index and trigger by name, as ``sqlite_schema`` shows it."""

NEXT_CURSOR: Final = "next_cursor"
"""The key in ``meta`` of the cursor that the next event gets."""

CONTENT: Final = (f"INSERT INTO meta (key, value) VALUES ('{NEXT_CURSOR}', 1)",)
"""What a new file holds beside empty tables."""


def upgrade() -> Iterator[str]:
    """Return the statements that give checks and sums to a file of the version `UNCHECKED`, as it stands."""
    for table in REPLACED:
        columns = ", ".join(columns_of(TABLES[table]))
        yield f"ALTER TABLE {table} RENAME TO unchecked"
        yield SCHEMA[table]
        yield f"INSERT INTO {table} ({columns}) SELECT {columns} FROM unchecked"
        yield "DROP TABLE unchecked"
        yield from (sql for sql in TABLES.values() if sql.startswith("CREATE INDEX") and f" ON {table} " in sql)
    yield CHECKS
    yield from fill(TABLES)
    yield from (sql for sql in SCHEMA.values() if sql.startswith("CREATE TRIGGER"))
