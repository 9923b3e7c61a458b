"""Calls at once on real backends: threads, handles, processes and asyncio tasks, judged by the checker."""

from mobstore.properties.concurrency.branches import Failure, Run, Tried, faces_of, repeat, run_once, try_branches
from mobstore.properties.concurrency.driving import Face, ProcessFailed, can_fork

__all__ = [
    "Face",
    "Failure",
    "ProcessFailed",
    "Run",
    "Tried",
    "can_fork",
    "faces_of",
    "repeat",
    "run_once",
    "try_branches",
]
