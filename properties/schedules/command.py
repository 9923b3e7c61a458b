"""``mobstore schedules``: take our backends through every interleaving of a few calls, step by step.

On SQLite a step is a statement on a real file with SQLite's own locks, waits included, the clients in processes of
their own or as threads that take turns first; in memory it ends at each lock and at each reading and replacing of
the state.  What is printed as exhausted is a bound and no more: so many clients, one call each.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from typing import Any, Final

import attrs

from mobstore.properties import report
from mobstore.properties.refinement import GROUPS
from mobstore.properties.schedules.bounds import BACKENDS, SHAPES, Bound, bounds
from mobstore.properties.schedules.drawing import draw_priorities, draw_schedules, scenarios
from mobstore.properties.schedules.races import RACES, discover
from mobstore.properties.schedules.scenario import CHANGING
from mobstore.properties.schedules.scheduler import NotUnderControl


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``mobstore schedules``."""
    parser.add_argument("calls", nargs="*", metavar="CALL", help="calls such as cas_start_loop (default: all)")
    parser.add_argument(
        "--clients", type=int, choices=(2, 3), default=2, help="clients, one call each (default: 2)"
    )
    parser.add_argument(
        "--limit", type=int, default=20_000, help="schedules of a scenario at most (default: 20,000)"
    )
    parser.add_argument(
        "--drawn", type=int, metavar="N", help="executions of drawn calls in each rule group instead"
    )
    parser.add_argument("--seed", type=int, help="what is drawn (default: drawn itself, and printed)")
    parser.add_argument("--races", action="store_true", help="find the races in the backends that have one instead")
    parser.add_argument("--json", action="store_true", help="print the report as JSON")


def run(arguments: argparse.Namespace) -> int:
    """Explore and return the exit code: 1 when a schedule was wrong, 2 when a bound was not exhausted."""
    known = {kind.call: kind for kind in CHANGING}
    unknown = set(arguments.calls) - set(known)
    if unknown:
        print(f"mobstore schedules: no changing call {min(unknown)!r}: {', '.join(known)}", file=sys.stderr)
        return 2
    if arguments.races:
        return _show_races(arguments.json)
    if arguments.drawn is not None:
        return _draw(arguments)
    kinds = [known[call] for call in arguments.calls] or CHANGING
    try:
        return _exhaust(kinds, arguments)
    except NotUnderControl as error:
        print(f"mobstore schedules: {error}", file=sys.stderr)
        return 2


def _exhaust(kinds: Sequence[Any], arguments: argparse.Namespace) -> int:
    found: list[Bound] = []
    begun, cpu = time.perf_counter(), time.process_time()
    if not arguments.json:
        print(_head(arguments.clients))
    for kind in kinds:
        found += bounds([kind], arguments.clients, limit=arguments.limit)
        if not arguments.json:
            print(_line(kind.call, found[-len(_COLUMNS) :]), flush=True)
    if arguments.json:
        report.print_json([_row(bound) for bound in found])
    else:
        _conclude(found, time.perf_counter() - begun, time.process_time() - cpu)
    if any(bound.failure or bound.lost for bound in found):
        return 1
    return 0 if all(bound.exhausted for bound in found) else 2


_COLUMNS: Final = tuple((shape, backend) for shape in SHAPES for backend in BACKENDS)
_WIDTHS: Final = (52, *(11 for _ in _COLUMNS))


def _columns(cells: Sequence[str]) -> str:
    return "  ".join(f"{cell:<{width}}" for cell, width in zip(cells, _WIDTHS, strict=True)).rstrip()


def _head(clients: int) -> str:
    bound = f"{clients} clients, one call each; schedules that differ"
    bound += ", of all interleavings of the steps" if clients == 2 else "; all others reorder what is independent"
    shapes, backends = zip(*_COLUMNS, strict=True)
    shown = ("", *(name.removeprefix("sqlite, ") for name in backends))
    return f"{bound}\n{_columns(('', *shapes))}\n{_columns(shown)}"


def _line(call: str, found: Sequence[Bound]) -> str:
    return _columns((call, *(str(bound) for bound in found)))


def _conclude(found: Sequence[Bound], seconds: float, cpu: float) -> None:
    taken = sum(bound.taken for bound in found)
    wrong = [bound for bound in found if not bound.holds]
    verdict = f"{len(wrong)} of {len(found)} bounds do not hold" if wrong else f"{len(found)} bounds exhausted"
    print(f"{verdict}: {taken:,} schedules in {seconds:.1f} s ({taken / cpu:,.0f} a second of processor time)")
    for backend in BACKENDS:
        print(_exhausted([bound for bound in found if bound.backend == backend and bound.exhausted]))
    for bound in wrong:
        print(f"\n{bound.call} on {bound.backend}, {bound.shape}: {_why(bound)}")


def _exhausted(found: Sequence[Bound]) -> str:
    """Say what was exhausted on one backend."""
    if not found:
        return ""
    first = found[0]
    every = [bound.interleavings for bound in found if bound.interleavings is not None]
    different = sum(bound.different for bound in found)
    scope = f"{first.backend}: {first.clients} clients, 1 call each"
    if every:
        return (
            f"{scope}, every interleaving of {first.unit}: {sum(every):,} schedules of rivals; {different:,} differ"
        )
    return f"{scope}, every interleaving of {first.unit} that differs: {different:,} schedules"


def _why(bound: Bound) -> str:
    if bound.failure is not None:
        return bound.failure.table()
    return f"{bound.lost} outcomes left out" if bound.lost else "not exhausted"


def _row(bound: Bound) -> dict[str, Any]:
    row = attrs.asdict(bound, recurse=False)
    return {**row, "failure": bound.failure and bound.failure.table()}


# --- drawn ------------------------------------------------------------------------------------------------------

_DRAWN: Final = {"drawn schedules": draw_schedules, "random priorities": draw_priorities}


def _draw(arguments: argparse.Namespace) -> int:
    seed, clients = report.seed_of(arguments.seed), arguments.clients
    rows, failures = [], []
    for group in GROUPS:
        for backend, make in BACKENDS.items():
            for strategy, draw in _DRAWN.items():
                with make(clients) as system:
                    drawn = draw(system, scenarios(group, clients), arguments.drawn, seed)
                failures += [] if drawn.failure is None else [drawn.failure]
                row = {
                    "group": group,
                    "backend": backend,
                    "strategy": strategy,
                    **attrs.asdict(drawn, recurse=False),
                }
                rows.append({**row, "failure": drawn.failure and drawn.failure.table()})
                if not arguments.json:
                    print(_drawn_line(rows[-1]), flush=True)
    if arguments.json:
        report.print_json({"seed": seed, "clients": clients, "drawn": rows})
    else:
        for failure in failures:
            print(f"\n{failure.table()}")
        print(f"{len(failures)} wrong schedules found ({clients} clients, seed {seed})")
    return 1 if failures else 2 if any(not row["overlapping"] for row in rows) else 0


def _drawn_line(row: dict[str, Any]) -> str:
    bound = (
        f"{row['executions']:,} executions, {row['calls']:,} calls, {row['overlapping']:,} with overlapping calls"
    )
    verdict = f": {row['failure'].splitlines()[0]}" if row["failure"] else ""
    return f"{row['group']:<20}  {row['backend']:<16} {row['strategy']:<18} {bound}{verdict}"


# --- races ------------------------------------------------------------------------------------------------------


def _show_races(as_json: bool) -> int:
    found = []
    for race in RACES.values():
        found.append(discover(race))
        if not as_json:
            print(f"{found[-1].story()}\n", flush=True)
    if as_json:
        report.print_json([each.to_json() for each in found])
    return int(any(each.failure is None for each in found))
