"""The errors of the contract (section 3), with the recorded texts.

A call that raises has changed nothing.  A compare-and-swap that does not match is not an error: it answers
``False``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Self


class MobStoreError(Exception):
    """Base of every error that a store call raises.

    ``str(error)`` is the recorded message; ``detail`` is the part after the prefix that names the kind.
    """

    kind: ClassVar[str]
    prefix: ClassVar[str]

    def __init__(self, detail: str) -> None:
        super().__init__(f"{self.prefix}{detail}")
        self.detail = detail

    @classmethod
    def of(cls, message: str, fields: Mapping[str, object]) -> Self:
        """Return the error of this kind that says just this, with the fields that `fields` returns."""
        error = cls.__new__(cls)
        Exception.__init__(error, message)
        vars(error).update(fields, detail=message.removeprefix(cls.prefix))
        return error

    def fields(self) -> dict[str, object]:
        """Return what the error's JSON form has beside kind and message."""
        return {}

    def __reduce__(self) -> tuple[type[MobStoreError], tuple[object, ...]]:
        return type(self), tuple(self.fields().values()) or (self.detail,)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, MobStoreError) and (self.kind, str(self)) == (other.kind, str(other))

    def __hash__(self) -> int:
        return hash((self.kind, str(self)))


class WriteFailed(MobStoreError):
    """The storage could not take a write.  Nothing happened, unless the message says that nobody knows."""

    kind = "WriteFailed"
    prefix = "Write failed: "


class ReadFailed(MobStoreError):
    """The storage could not be read."""

    kind = "ReadFailed"
    prefix = "Read failed: "


class NotFound(MobStoreError):
    """The run, or the realm profile, that the call names does not exist."""

    kind = "NotFound"
    prefix = "Not found: "


class CasConflict(MobStoreError):
    """A realm profile exists already, or has another revision than the expected one."""

    kind = "CasConflict"
    prefix = "CAS conflict: "


class SpecRevisionConflict(MobStoreError):
    """``put_spec`` named another revision than the present one (``actual``; 0 when there is no spec)."""

    kind = "SpecRevisionConflict"
    prefix = "spec revision conflict for mob "

    def __init__(self, mob_id: str, expected: int | None, actual: int) -> None:
        wanted = "None" if expected is None else f"Some({expected})"
        super().__init__(f"{mob_id}: expected {wanted}, actual {actual}")
        self.mob_id = mob_id
        self.expected = expected
        self.actual = actual

    def fields(self) -> dict[str, object]:
        """Return the mob, the expected and the actual revision."""
        return {"mob_id": self.mob_id, "expected": self.expected, "actual": self.actual}


class FrameAtomicPersistenceUnavailable(MobStoreError):
    """The backend cannot commit this wrapper atomically, and so refuses it, always.

    ``operation`` is the snake_case name of one of the eight wrappers.
    """

    kind = "FrameAtomicPersistenceUnavailable"
    prefix = "frame-aware atomic persistence unavailable for operation "

    def __init__(self, operation: str) -> None:
        super().__init__(f"'{operation}'")
        self.operation = operation

    def fields(self) -> dict[str, object]:
        """Return the operation."""
        return {"operation": self.operation}


class Serialization(MobStoreError):
    """A value has no form in the contract: wrong type or range, not JSON, not UTF-8, or nested too deep."""

    kind = "Serialization"
    prefix = "Serialization error: "

    def within(self, name: str) -> Serialization:
        """Return the same error, seen from the record or argument whose part ``name`` is at fault."""
        return Serialization(f"{name}{'' if self.detail[:1] in ':[' else '.'}{self.detail}")


class Internal(MobStoreError):
    """The call itself is not allowed in this state, or by its arguments."""

    kind = "Internal"
    prefix = "Internal error: "


KINDS: dict[str, type[MobStoreError]] = {
    error.kind: error
    for error in (
        WriteFailed,
        ReadFailed,
        NotFound,
        CasConflict,
        SpecRevisionConflict,
        FrameAtomicPersistenceUnavailable,
        Serialization,
        Internal,
    )
}
