"""Capabilities: what a backend says that it does not do.  Declared, never guessed, and checked like a promise.

Four words say all: a backend is *full*; or *partial*, when it refuses some of the eight wrappers because it
cannot commit them atomically; a call may be *unsupported* by the backend's nature, where the contract lets it
(subscribing and pruning); or it may be *not yet* there.  Whoever refuses a call refuses it always, and nothing
changes.
"""

from collections.abc import Iterable
from typing import Any, Final

import attrs

from mobstore.model import (
    OPERATIONS,
    ROWS,
    Cell,
    FrameAtomicPersistenceUnavailable,
    Internal,
    MobStoreError,
    Operation,
    Serialization,
)
from mobstore.model._records import record

WRAPPERS: Final = tuple(
    row.name
    for row in ROWS
    if row.answers and row.authority is None and {write.cell for write in row.writes} & {Cell.FRAME, Cell.LOOP}
)
"""The eight calls that `FrameAtomicPersistenceUnavailable` may name, each of which has a twin."""

OPTIONAL: Final = ("event.subscribe", "event.prune")
"""The calls that a backend may lack by its nature (contract, section 5)."""

NO_SUBSCRIPTIONS: Final = "mob event store does not support native event subscriptions"
_TWIN: Final = "_with_authority"


def call_name(operation: Operation[Any] | type[Operation[Any]]) -> str:
    """Return the name that capabilities use: ``run.cas_flow_state``."""
    return f"{operation.store}.{operation.call}"


_CALLS: Final = tuple(map(call_name, OPERATIONS.values()))


def _names(rule: str, allowed: Iterable[str]) -> Any:
    known = frozenset(allowed)

    def check(_instance: Any, attribute: Any, value: frozenset[str]) -> None:
        for name in sorted(value - known):
            raise Serialization(f"{attribute.name}: {name!r} is not {rule}")

    return attrs.field(default=frozenset(), validator=check, metadata={ALLOWED: tuple(allowed)})


ALLOWED: Final = "mobstore.allowed"
"""Metadata of a field of names: those that it may hold."""


@record
class Capabilities:
    """What a backend declares that it refuses, and what it can do beside its calls; by default neither.

    Attributes:
        refused: wrappers that it cannot commit atomically (``"cas_start_loop"``, which means the twin too).
        unsupported: optional calls that it lacks by its nature (``"event.subscribe"``, ``"event.prune"``).
        not_yet: calls that are still to come (``"profile.update"``); each ends with an error of any kind.

    Raises:
        Serialization: there is no such wrapper or call.
    """

    refused: frozenset[str] = _names("one of the eight wrappers", WRAPPERS)
    unsupported: frozenset[str] = _names(f"optional ({', '.join(OPTIONAL)})", OPTIONAL)
    not_yet: frozenset[str] = _names("a call (STORE.CALL)", _CALLS)

    @property
    def lacking(self) -> frozenset[str]:
        """The calls that are refused, the twins of refused wrappers included."""
        wrappers = (f"run.{name}{twin}" for name in self.refused for twin in ("", _TWIN))
        return frozenset((*wrappers, *self.unsupported, *self.not_yet))

    def lacks(self, operation: Operation[Any] | type[Operation[Any]]) -> bool:
        """Whether a call is refused, for whatever reason."""
        return call_name(operation) in self.lacking

    def is_not_yet(self, operation: Operation[Any]) -> bool:
        """Whether the call is still to come: any error is then the answer that it must have."""
        return call_name(operation) in self.not_yet

    def refusal(self, operation: Operation[Any]) -> MobStoreError | None:
        """Return the error that a declared refusal must end with, whatever its arguments are."""
        wrapper = operation.call.removesuffix(_TWIN)
        if wrapper in self.refused:
            return FrameAtomicPersistenceUnavailable(wrapper)
        if call_name(operation) == "event.subscribe" and "event.subscribe" in self.unsupported:
            return Internal(NO_SUBSCRIPTIONS)
        return None

    def ignores(self, operation: Operation[Any]) -> bool:
        """Whether the call does nothing and answers 0, as pruning does where it is unsupported."""
        return call_name(operation) == "event.prune" and "event.prune" in self.unsupported

    def __str__(self) -> str:
        parts = [
            f"{word}: {', '.join(sorted(names))}"
            for word, names in (
                ("partial, refuses", self.refused),
                ("unsupported", self.unsupported),
                ("not yet", self.not_yet),
            )
            if names
        ]
        return "; ".join(parts) or "full"


FULL: Final = Capabilities()
"""Every call is there."""
