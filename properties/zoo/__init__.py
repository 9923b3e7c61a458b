"""The zoo: broken backends, each one a plausible mistake of a real author, each of which the suite must reject.

A check is believed as far as it has caught something.  Most are made by turning a row of the wrapper table; the
others serve a call of their own, in memory or on SQLite, or keep a connection that is not as it should be.
"""

from __future__ import annotations

from typing import Final

from mobstore.properties.zoo import engines, in_memory, keys, on_sqlite, rows
from mobstore.properties.zoo.backend import BrokenBackend, Kind

__all__ = ["BY_HAND", "ZOO", "BrokenBackend", "Kind"]

_MODULES: Final = (in_memory.BACKENDS, keys.BACKENDS, engines.BACKENDS, on_sqlite.BACKENDS)

BY_HAND: Final = {backend.name: backend for backends in _MODULES for backend in backends}
"""The broken backends that are no mutants of a row, by name."""

ZOO: Final = BY_HAND | {backend.name: backend for backend in rows.backends()}
"""All broken backends by name."""
