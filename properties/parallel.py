"""Work in several processes.

Each process begins anew: a fork of one with threads and connections may hang.  Tasks, and what they return, are
pickled.  With one job there is no other process: each task is done when its result is asked for.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from typing import TypeAlias, TypeVar

R = TypeVar("R")
Task: TypeAlias = Callable[[], R]


def in_order(tasks: Sequence[Task[R]], jobs: int) -> Generator[R, None, None]:
    """Do tasks, so many at a time, and yield what they return, in their order.

    When nobody asks for more, those that have not begun are left.
    """
    return _done(tasks, jobs, iter)


def as_done(tasks: Sequence[Task[R]], jobs: int) -> Generator[R, None, None]:
    """Do tasks as `in_order` does, but yield what they return as it comes."""
    return _done(tasks, jobs, as_completed)


def processes(jobs: int) -> ProcessPoolExecutor:
    """Return so many processes."""
    return ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn"))


def _done(
    tasks: Sequence[Task[R]], jobs: int, ordered: Callable[[Sequence[Future[R]]], Iterable[Future[R]]]
) -> Generator[R, None, None]:
    if jobs <= 1:
        for task in tasks:
            yield task()
        return
    with processes(jobs) as pool:
        try:
            for future in ordered([pool.submit(task) for task in tasks]):
                yield future.result()
        finally:
            pool.shutdown(cancel_futures=True)
