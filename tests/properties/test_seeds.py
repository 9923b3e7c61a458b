"""A seed draws the same calls, whatever else is loaded."""

import importlib
from contextlib import nullcontext

import pytest
from hypothesis.internal.conjecture import providers

from mobstore.properties import refinement
from mobstore.properties.refinement import PROFILES, refine
from mobstore.properties.seeds import decided_by_seed
from mobstore.properties.zoo import ZOO


def drawn():
    """What was called with one seed, and the counterexample that was found."""
    broken = ZOO["delete-ignores-revision"]
    found = refine("spec", broken, PROFILES["ci"], 5, name="broken", source="X()")
    return found.reached, found.counterexample.program()


def test_what_is_loaded_does_not_matter(tmp_path, monkeypatch):
    """Nor does it afterwards, to whoever draws without us."""
    look = providers._get_local_constants
    before = drawn()
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "backend_of_today.py").write_text(f"NUMBERS = {list(range(100, 300))}\n")
    importlib.import_module("backend_of_today")
    assert drawn() == before
    assert providers._get_local_constants is look
    assert set(range(100, 300)) <= set(look().integers)


def test_without_us_it_would(monkeypatch):
    """So the check above can fail."""
    monkeypatch.setattr(refinement, "decided_by_seed", nullcontext)
    found = []
    for numbers in ((), range(100, 300)):
        constants = type(providers._get_local_constants())(integers=set(numbers))
        monkeypatch.setattr(providers, "_get_local_constants", lambda: constants)  # noqa: B023
        providers.CONSTANTS_CACHE.cache.clear()
        found.append(drawn())
    providers.CONSTANTS_CACHE.cache.clear()
    assert found[0] != found[1]


def test_an_error_ends_it():
    """What Hypothesis does by itself it does again."""
    look = providers._get_local_constants
    with pytest.raises(ZeroDivisionError), decided_by_seed():
        raise ZeroDivisionError
    assert providers._get_local_constants is look


def test_a_hypothesis_that_looks_for_nothing_is_left_alone(monkeypatch):
    monkeypatch.delattr(providers, "_get_local_constants")
    with decided_by_seed():
        pass
    assert not hasattr(providers, "_get_local_constants")
