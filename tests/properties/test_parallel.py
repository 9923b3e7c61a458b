"""Work in several processes comes to what it comes to in one."""

import functools
import operator
import subprocess
import time

import pytest

from mobstore.properties.parallel import as_done, in_order


def tasks(numbers):
    return [functools.partial(operator.mul, number, number) for number in numbers]


@pytest.mark.parametrize("jobs", [0, 1, 2])
def test_results_come_in_order(jobs):
    """Or as they come, all of them."""
    assert list(in_order(tasks(range(9)), jobs)) == [number * number for number in range(9)]
    assert sorted(as_done(tasks(range(9)), jobs)) == [number * number for number in range(9)]


def test_what_is_done_first_comes_first(tmp_path):
    """Where the order does not count."""
    file = tmp_path / "now"
    until = ["/bin/sh", "-c", f"until [ -e {file} ]; do sleep 0.01; done"]
    done = as_done([functools.partial(subprocess.call, until), *tasks([3])], 2)
    assert next(done) == 9
    file.touch()
    assert next(done) == 0
    assert next(in_order([functools.partial(time.sleep, 0.2), *tasks([3])], 2)) is None


def test_a_task_that_fails_is_told():
    """As if it had been done here."""
    failing = functools.partial(operator.truediv, 1, 0)
    for jobs in (1, 2):
        with pytest.raises(ZeroDivisionError):
            list(in_order([failing], jobs))


def test_what_nobody_asks_for_is_not_begun(tmp_path):
    """In this process, and in others."""
    todo = [functools.partial((tmp_path / str(number)).mkdir) for number in range(400)]
    for jobs in (1, 2):
        done = in_order(todo, jobs)
        next(done)
        done.close()
        assert len(list(tmp_path.iterdir())) < len(todo)
        for made in tmp_path.iterdir():
            made.rmdir()
