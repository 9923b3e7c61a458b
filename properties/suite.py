"""The suite for pytest: subclass `StoreSuite`, override its fixture ``factory``, and each chapter is a test.

class TestShop(StoreSuite):
    @pytest.fixture
    def factory(self):
        return ShopFactory
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs
import pytest

from mobstore.properties import report
from mobstore.properties.chapter import Chapter, Context, Verdict
from mobstore.properties.chapters import CHAPTERS
from mobstore.properties.pytest_plugin import RESULT, profile_of, seed_of
from mobstore.properties.refinement import PROFILES
from mobstore.properties.subject import Factory, adapted, declared_by, factory_source


class StoreSuite:
    """A test for every chapter of the suite; the profile and the seed are options of pytest."""

    @pytest.fixture
    def factory(self) -> Callable[[], Factory]:
        """Return what makes a factory of the backend (a class, say); override this."""
        msg = f"{type(self).__name__} must override the fixture 'factory'"
        raise NotImplementedError(msg)

    @pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda chapter: chapter.name)
    def test_chapter(
        self, chapter: Chapter, factory: Callable[[], Factory], request: pytest.FixtureRequest
    ) -> None:
        """The backend keeps the promise of the chapter, as far as it is tried."""
        context = _context(factory, request)
        result = chapter.run(context)
        more = {"verdict": result.verdict.value, "suite": _suite(request)}
        told = {**attrs.asdict(result), **more}
        request.node.user_properties.append((RESULT, told))
        if result.verdict is Verdict.NOT_APPLICABLE and not result.missing:
            pytest.skip(result.detail)
        if result.verdict is not Verdict.PASSED:
            again = f"again: pytest --mobstore-profile {context.profile.name} --mobstore-seed {context.seed}"
            headline = f"{report.WORDS[result.verdict]}: {chapter.promise}: {result.detail}"
            pytest.fail("\n".join((headline, result.counterexample, again)), pytrace=False)


def _suite(request: pytest.FixtureRequest) -> str:
    return str(request.node.nodeid).rpartition("::")[0]


def _context(make: Callable[[], Any], request: pytest.FixtureRequest) -> Context:
    def adapt() -> Factory:
        return adapted(make())

    factory = adapt()
    factory.destroy()
    module, name = getattr(make, "__module__", "?"), getattr(make, "__qualname__", "factory")
    profile, seed = PROFILES[profile_of(request.config)], seed_of(request.config)
    return Context(adapt, factory.name, factory_source(f"{module}:{name}"), profile, seed, declared_by(adapt))
