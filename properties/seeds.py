"""Seeds that reproduce: what Hypothesis draws is decided by the seed alone.

Left to itself, Hypothesis also draws numbers and texts that it finds in the source of whatever modules are loaded,
a backend's among them.  So a seed would draw other calls after every change of the backend that it found wrong, and
in a process that has loaded other modules.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from hypothesis.internal.conjecture import providers

_GETTER: Final = "_get_local_constants"
"""What looks for them, where this Hypothesis does."""


@contextmanager
def decided_by_seed() -> Iterator[None]:
    """Let Hypothesis draw nothing that it finds in modules, as long as this lasts."""
    internals: Any = providers
    look = getattr(internals, _GETTER, None)
    if look is None:
        yield
        return
    none = internals.Constants()
    internals.CONSTANTS_CACHE.cache.clear()
    setattr(internals, _GETTER, lambda: none)
    try:
        yield
    finally:
        setattr(internals, _GETTER, look)
        internals.CONSTANTS_CACHE.cache.clear()
