"""What the rows of the file must add up to, kept beside them in a b-tree of its own.

SQLite keeps no checksum of its pages, and does not know that a page is another's, or older than the others.  So:

- A *scope* is a set of rows of one table that some call asks for: the row with a key, a list of a run, sixteen
  neighbouring events.  Its *check* is the exclusive or of its rows' sums (of the ledgers' last entries: the place).
- Triggers keep the checks, in the very statements that change the rows, so that no call has code for it.
- Rows are answered from, and so is their absence, only where they add up to their check.
- A row that calls replace all the time (`REPLACED`) has its own sum in it, and its check is of its key alone:
  a check of what it holds would make each of those calls write one page more, which takes a third of their time.

A check lies in another b-tree than its rows, so that an answer rests on at least two pages, which must agree:
whatever is wrong with one page of the file is told, but for sums that are equal by chance.  Only a page
of `REPLACED` rows as they all once were is not told from the present one.
"""

# ruff: noqa: S608 - names of our own tables and columns are put into statements; values never are

from __future__ import annotations

import hashlib
import re
import sqlite3
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final

import attrs

FUNCTION: Final = "mobstore_sum"
"""What `row_sum` is called in statements."""

OWN: Final = "mobstore_crc"
"""What `own_sum` is called in statements."""

CHECKS: Final = """CREATE TABLE checks (
    owner INTEGER NOT NULL,
    scope INTEGER NOT NULL,
    total INTEGER NOT NULL,
    PRIMARY KEY (owner, scope)
) STRICT, WITHOUT ROWID"""
"""The table of the checks.  The owner keeps those of a run together."""

CHUNK: Final = 16
"""How many neighbouring places of the events, and of the feed, are a scope."""

REPLACED: Final = ("runs", "frames", "loops")
"""The tables whose rows have their own sums, in the column ``row_sum``."""

EVENTS: Final = -1
FEED: Final = -2
_NOBODY: Final = "0"


def row_sum(*values: str | int | None) -> int:
    """Return the sum of a row, or the name of a scope: 64 bits, of which equal ones come by chance alone."""
    text = "".join([f"{len(value)}:{value}" if isinstance(value, str) else f"{value};" for value in values])
    digest = hashlib.blake2b(text.encode(errors="surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)


def own_sum(*values: str | int | None) -> int:
    """Return the sum that a row has in it: 32 bits, which tell any bit that flipped, at half the other's cost."""
    return zlib.crc32("\0".join(map(str, values)).encode(errors="surrogatepass"))


def install(connection: sqlite3.Connection) -> None:
    """Give a connection the functions that the tables and their triggers call."""
    connection.create_function(FUNCTION, -1, row_sum, deterministic=True)
    connection.create_function(OWN, -1, own_sum, deterministic=True)


@attrs.frozen
class Scope:
    """Rows of a table that have a check.

    Attributes:
        name: what the scope is called.
        table: whose rows they are.
        owner: the column with the run, or a number, under which the check is kept.
        by: the columns that tell one scope of this name from another.
        of: the columns that are summed; none: all of them.
        place: what the check is found by, in place of the sum of the name and ``by``.
        single: there is one row at most.
        last: the check is the place of the last row and one, not the sum of all.
        when: which rows count.
    """

    name: str
    table: str
    owner: str = _NOBODY
    by: tuple[str, ...] = ()
    of: tuple[str, ...] = ()
    place: str = ""
    single: bool = False
    last: bool = False
    when: str = ""

    def key(self, *by: str | int | None) -> int:
        """Return what the check of a scope is found by."""
        return row_sum(self.name, *by)

    def sum_of(self, row: str, columns: Sequence[str]) -> str:
        """Return what a row adds, as SQL; ``columns`` are those of its table, ``row`` says which row."""
        return f"{FUNCTION}({_listed(row, self.of or columns)})"

    def key_of(self, row: str) -> str:
        """Return what the check of a row's scope is found by, as SQL."""
        if self.place:
            return self.place.format(row=row)
        if not self.by:
            return str(self.key())
        return f"{FUNCTION}('{self.name}', {_listed(row, self.by)})"

    def total(self, owner: str = _NOBODY) -> str:
        """Return the check of the scope that parameters name, 0 where there is none, as SQL."""
        key = f"{FUNCTION}('{self.name}'{', ?' * len(self.by)})" if self.by else self.key_of("")
        return f"coalesce((SELECT total FROM checks WHERE owner = {owner} AND scope = {key}), 0)"

    def _owner_of(self, row: str) -> str:
        return self.owner if self.owner.lstrip("-").isdigit() else f"{row}.{self.owner}"

    def put(self, row: str, columns: Sequence[str], source: str = "") -> str:
        """Return the statement that takes a row into its check, or out of it, and those of a ``source`` in."""
        both = "max(total, excluded.total)" if self.last else _EXCLUSIVE_OR
        both = "excluded.total" if self.single else both
        return (
            f"INSERT INTO checks (owner, scope, total) {self.parts(row, columns, source)} "
            f"ON CONFLICT (owner, scope) DO UPDATE SET total = {both}"
        )

    def parts(self, row: str, columns: Sequence[str], source: str = "") -> str:
        """Return the SELECT of what rows add to which checks."""
        added = f"{row}.place + 1" if self.last else self.sum_of(row, columns)
        when = self.when.format(row=row) or "true"
        return f"SELECT {self._owner_of(row)}, {self.key_of(row)}, {added}{source} WHERE {when}"

    def take(self, row: str, columns: Sequence[str]) -> tuple[str, ...]:
        """Return the statements that take a row out of its check, which goes with its last row."""
        check = f"owner = {self._owner_of(row)} AND scope = {self.key_of(row)}"
        if self.single:
            return (f"DELETE FROM checks WHERE {check}",)
        return self.put(row, columns), f"DELETE FROM checks WHERE {check} AND total = 0"


# SQLite has no exclusive or; this one never overflows.
_EXCLUSIVE_OR: Final = "(total | excluded.total) - (total & excluded.total)"


def _listed(row: str, columns: Sequence[str]) -> str:
    return ", ".join(f"{row}.{column}" for column in columns)


def _ledger(table: str, *keys: str) -> tuple[Scope, ...]:
    """A list of a run, of which the last entry with some keys is looked for."""
    last = (
        Scope(f"{table} by {count}", table, "run", keys[:count], last=True)
        for count in sorted({1, len(keys)} if table == "step_ledger" else {len(keys)})
        if keys
    )
    return (Scope(table, table, "run"), *last)


_NAMED: Final = ("seq", "run_id")

SCOPES: Final[dict[str, Scope]] = {
    scope.name: scope
    for scope in (
        Scope("run_id", "runs", by=("run_id",), of=_NAMED, single=True),
        Scope("runs_of_mob", "runs", by=("mob_id",), of=_NAMED),
        Scope("runs_of_flow", "runs", by=("mob_id", "flow_id"), of=_NAMED),
        Scope("run_params", "run_params", "run", single=True),
        Scope("frame", "frames", "run", ("frame_id",), of=("run", "frame_id"), single=True),
        Scope("frames", "frames", "run", of=("run", "frame_id")),
        Scope("loop", "loops", "run", ("loop_instance_id",), of=("run", "loop_instance_id"), single=True),
        Scope("loops", "loops", "run", of=("run", "loop_instance_id")),
        Scope("root_outputs", "root_outputs", "run"),
        Scope("loop_outputs", "loop_outputs", "run"),
        Scope("loop_iterations", "loop_iterations", "run"),
        *_ledger("step_ledger", "step_id", "agent_identity", "status"),
        *_ledger("failure_ledger"),
        *_ledger("iteration_ledger", "loop_instance_id", "iteration", "frame_id"),
        *_ledger("authority_inputs"),
        Scope("events", "events", str(EVENTS), place=f"{{row}}.cursor / {CHUNK}"),
        Scope(
            "terminal",
            "events",
            by=("mob_id", "terminal_run", "terminal_flow"),
            of=("cursor",),
            when="{row}.terminal_run IS NOT NULL",
        ),
        Scope("feed", "feed", str(FEED), place=f"{{row}}.place / {CHUNK}"),
        Scope("fed", "feed", last=True),
        Scope("meta", "meta", by=("key",), single=True),
        Scope("supervisor", "supervisors", by=("mob_id",), single=True),
        Scope("overlay", "overlays", by=("mob_id", "agent_identity", "generation"), single=True),
        Scope("overlays", "overlays", by=("mob_id",)),
        Scope("spec", "specs", by=("mob_id",), single=True),
        Scope("specs", "specs", of=("mob_id",)),
        Scope("profile", "profiles", by=("name",), single=True),
        Scope("profiles", "profiles"),
    )
}
"""Every scope by its name; a ledger's are called by how many columns of an entry they go."""

_COLUMN: Final = re.compile(r"^    (\w+) (?:TEXT|INTEGER)[\w ]*", re.MULTILINE)


def columns_of(sql: str) -> tuple[str, ...]:
    """Return the columns that a CREATE TABLE of ours has."""
    return tuple(_COLUMN.findall(sql))


def sum_within(table: str, columns: Sequence[str], row: str = "") -> str:
    """Return what the sum in a row must be, as SQL; ``row`` says which row, but in the table's own definition."""
    return f"{OWN}('{table}', {_listed(row, columns) if row else ', '.join(columns)})"


def with_sum(table: str, sql: str) -> str:
    """Return the CREATE TABLE of one of `REPLACED`, from that without sums."""
    *_, last = _COLUMN.finditer(sql)
    column = f"row_sum INTEGER NOT NULL AS ({sum_within(table, columns_of(sql))}) STORED"
    return f"{sql[: last.end()]},\n    {column}{sql[last.end() :]}"


def triggers(tables: dict[str, str]) -> Iterator[tuple[str, str]]:
    """Return the triggers that keep the checks of tables, by name."""
    for table, sql in tables.items():
        columns = columns_of(sql)
        scopes = [scope for scope in SCOPES.values() if scope.table == table]
        yield _trigger(table, "INSERT", table, [scope.put("NEW", columns) for scope in scopes])
        summed = [scope for scope in scopes if not scope.last]
        yield _trigger(table, "DELETE", table, [out for scope in summed for out in scope.take("OLD", columns)])
        for scope in summed:
            yield from _updates(scope, columns)


def _updates(scope: Scope, columns: Sequence[str]) -> Iterator[tuple[str, str]]:
    """What rows are found by, and summed of by name, no call changes."""
    keys = (scope.owner, *scope.by)
    values = () if scope.of else tuple(column for column in columns if column not in keys)
    if values:
        # The check of a row that stays the one with its key is put in the place of what it was.
        taken = () if scope.single else scope.take("OLD", columns)[:1]
        changed = (*taken, scope.put("NEW", columns))
        yield _trigger(scope.name, f"UPDATE OF {', '.join(values)}", scope.table, changed)


def _trigger(name: str, event: str, table: str, statements: Sequence[str]) -> tuple[str, str]:
    full = f"{name}_{event.partition(' ')[0].lower()}"
    body = "".join(f"    {statement};\n" for statement in statements)
    return full, f"CREATE TRIGGER {full} AFTER {event} ON {table} BEGIN\n{body}END"


def fill(tables: dict[str, str]) -> Iterator[str]:
    """Return the statements that make the checks of tables that have none."""
    for scope in SCOPES.values():
        yield scope.put("t", columns_of(tables[scope.table]), f" FROM {scope.table} AS t")


def disagreeing(connection: sqlite3.Connection, tables: dict[str, str]) -> Iterator[tuple[str, int]]:
    """Return the tables of which some checks do not agree with their rows, and how many; "" of no row at all."""
    held: dict[tuple[int, int], int] = {
        (owner, key): total for owner, key, total in connection.execute("SELECT owner, scope, total FROM checks")
    }
    wrong: Counter[str] = Counter()
    for scope in SCOPES.values():
        found: dict[tuple[int, int], int] = {}
        for owner, key, part in connection.execute(
            scope.parts("t", columns_of(tables[scope.table]), f" FROM {scope.table} AS t")
        ):
            before = found.get((owner, key), 0)
            found[owner, key] = max(before, part) if scope.last else before ^ part
        wrong[scope.table] += sum(held.pop(check, 0) != total for check, total in found.items())
    for table in REPLACED:
        sound = f"row_sum = {sum_within(table, columns_of(tables[table]))}"
        wrong[table] += connection.execute(f"SELECT count(*) FROM {table} WHERE NOT {sound}").fetchone()[0]
    wrong[""] = sum(map(bool, held.values()))
    yield from ((table, count) for table, count in wrong.items() if count)
