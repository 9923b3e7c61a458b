"""The suite as tests of pytest, and backends with an async face."""

import subprocess
import sys

import pytest

from mobstore.backends.aio import AsyncStores
from mobstore.properties.chapter import Context, Verdict
from mobstore.properties.chapters import CHAPTERS
from mobstore.properties.refinement import Profile
from mobstore.properties.subject import MemoryFactory, SqliteFactory, adapted

TEST = """
import pytest
from mobstore.properties.suite import StoreSuite
from mobstore.properties.subject import MemoryFactory
from mobstore.properties.zoo import ZOO


class TestOne(StoreSuite):
    @pytest.fixture
    def factory(self):
        return {factory}
"""


def run_pytest(path, factory, *arguments):
    (path / "test_one.py").write_text(TEST.format(factory=factory))
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments]
    done = subprocess.run(command, cwd=path, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout


def test_a_broken_backend_fails_its_chapter(tmp_path):
    """With the program to paste, what to do again, and no traceback of the suite's own."""
    code, out = run_pytest(
        tmp_path, "ZOO['delete-ignores-revision']", "-k", "refines-spec", "--mobstore-seed", "1", "-n", "1"
    )
    assert code == 1, out
    assert "failed: spec calls refine the model: delete_spec" in out
    assert "def test_counterexample() -> None:" in out
    assert "again: pytest --mobstore-profile quick --mobstore-seed 1" in out
    assert "Traceback" not in out
    assert "test_one.py::TestOne: level: none (profile quick, seed 1)" in out


def test_a_suite_that_tested_nothing_fails(tmp_path):
    """Though every test that ran was skipped."""
    code, out = run_pytest(tmp_path, "MemoryFactory", "-k", "capabilities or crashes")
    assert code == 1, out
    assert "vacuous: nothing was tested" in out


def test_a_suite_without_a_factory_says_so(tmp_path):
    """By the name of the fixture."""
    text = "from mobstore.properties.suite import StoreSuite\n\n\nclass TestTwo(StoreSuite):\n    pass\n"
    (tmp_path / "test_two.py").write_text(text)
    _, out = run_pytest(tmp_path, "MemoryFactory", "-k", "TestTwo and smoke")
    assert "NotImplementedError: TestTwo must override the fixture 'factory'" in out


class AsyncFactory:
    """A backend with an async face over one of ours."""

    name = "async"

    def __init__(self, factory):
        self._factory = factory

    async def open(self, clock):
        return AsyncStores(self._factory.open(clock))

    async def destroy(self):
        self._factory.destroy()


class TwoStorages(AsyncFactory):
    """Every handle has a storage of its own."""

    async def open(self, clock):
        self._factory = MemoryFactory()
        return await super().open(clock)


def checked(make, chapter):
    (found,) = (each for each in CHAPTERS if each.name == chapter)
    return found.run(Context(lambda: adapted(make()), "async", "X()", Profile("small", 10, 12), 3))


@pytest.mark.parametrize("chapter", ["smoke", "bad-input", "handles", "refines-spec", "subscriptions", "threads"])
@pytest.mark.parametrize("factory", [MemoryFactory, SqliteFactory], ids=lambda factory: factory.name)
def test_a_backend_with_an_async_face_is_driven(factory, chapter):
    """To the end of each call."""
    result = checked(lambda: AsyncFactory(factory()), chapter)
    assert result.verdict is Verdict.PASSED, result


def test_a_broken_backend_with_an_async_face_is_rejected():
    """The check is not vacuous."""
    assert checked(lambda: TwoStorages(MemoryFactory()), "handles").verdict is Verdict.FAILED


def test_what_an_async_factory_has_is_passed_on():
    """Capabilities, and a crash if it has one."""
    factory = adapted(AsyncFactory(MemoryFactory()))
    assert (factory.name, factory.can_crash) == ("async", False)
    assert not factory.capabilities.lacking
    factory.destroy()
