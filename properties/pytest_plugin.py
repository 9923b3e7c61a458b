"""The plugin of pytest: options, a line about the seed, and the level that each suite earned.

It is loaded wherever the package is installed, and so imports what it needs when it is needed.
"""

from __future__ import annotations

import random
from typing import Any, Final

import pytest

RESULT: Final = "mobstore"
"""The name under which a test of the suite reports its result."""
_SEED: Final = pytest.StashKey[int]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the profile and the seed."""
    group = parser.getgroup("mobstore", "the suite that holds stores to their contract")
    group.addoption(
        "--mobstore-profile", default="quick", choices=("quick", "ci", "long"), help="how much is tried (quick)"
    )
    group.addoption("--mobstore-seed", type=int, help="what is generated (default: drawn, and printed)")


def pytest_configure(config: pytest.Config) -> None:
    """Draw the seed, once for all processes of pytest-xdist."""
    given = getattr(config, "workerinput", {}).get(RESULT, config.getoption("--mobstore-seed"))
    config.stash[_SEED] = random.SystemRandom().randrange(1_000_000) if given is None else given
    # The reports come to one process, and that one sums them up.
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(_Summary(config), "mobstore-summary")


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell a process of pytest-xdist the seed."""
    node.workerinput[RESULT] = node.config.stash[_SEED]


def seed_of(config: pytest.Config) -> int:
    """Return the seed of this run."""
    return config.stash[_SEED]


def profile_of(config: pytest.Config) -> str:
    """Return the name of the profile of this run."""
    profile: str = config.getoption("--mobstore-profile")
    return profile


class _Summary:
    """What the suites of a run came to."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._suites: dict[str, list[dict[str, Any]]] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take note of the result that a test of a suite reports."""
        if report.when == "call":
            for name, value in report.user_properties:
                if name == RESULT and isinstance(value, dict):
                    self._suites.setdefault(value["suite"], []).append(value)

    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        """Fail a run in which a suite tested nothing."""
        if exitstatus == pytest.ExitCode.OK and any(map(_is_vacuous, self._suites.values())):
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Say which level each suite earned."""
        for suite, values in self._suites.items():
            told = "vacuous: nothing was tested" if _is_vacuous(values) else f"level: {_level(values)}"
            seed, profile = seed_of(self._config), profile_of(self._config)
            terminalreporter.write_line(f"{suite}: {told} (profile {profile}, seed {seed})")


def _is_vacuous(values: list[dict[str, Any]]) -> bool:
    return all(value["verdict"] == "not applicable" for value in values)


def _level(values: list[dict[str, Any]]) -> str:
    from mobstore.properties.chapter import Result, Verdict  # noqa: PLC0415 - not in every run of pytest
    from mobstore.properties.levels import awarded  # noqa: PLC0415

    names = ("chapter", "seconds", "calls", "excused", "missing")
    results = [
        Result(verdict=Verdict(value["verdict"]), **{name: value[name] for name in names}) for value in values
    ]
    return str(awarded(results) or "none")
