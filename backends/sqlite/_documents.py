"""Supervisor authorities, overlays, specs and realm profiles (contract, sections 6 and 7)."""

# ruff: noqa: S608 - names of our own tables and columns are put into statements; values never are

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from mobstore.backends.sqlite._agreement import find, listed
from mobstore.backends.sqlite._codec import decode, encode, unreadable
from mobstore.backends.sqlite._session import Session
from mobstore.backends.sqlite._shapes import shape
from mobstore.model import (
    CasConflict,
    ExternalBindingOverlayRecord,
    ReadFailed,
    Serialization,
    SpecRevisionConflict,
    StoredRealmProfile,
    SupervisorAuthorityRecord,
    Timestamp,
)
from mobstore.model import operations as ops
from mobstore.model._json import Document
from mobstore.model.step import expected_profile

# --- supervisors --------------------------------------------------------------------------------------------

_PUT_AUTHORITY: Final = (
    "INSERT INTO supervisors (mob_id, record) VALUES (?, ?) "
    "ON CONFLICT (mob_id) DO UPDATE SET record = excluded.record"
)


def _authority(session: Session, mob_id: str) -> SupervisorAuthorityRecord | None:
    row = find(session, "supervisor", ("record",), (mob_id,))
    if row is None:
        return None
    record: SupervisorAuthorityRecord = decode(
        SupervisorAuthorityRecord, row[0], session.shown, f"supervisor of mob {mob_id!r}"
    )
    return record


def every_authority(session: Session) -> Iterator[tuple[str, SupervisorAuthorityRecord]]:
    """Iterate over the mobs that have an authority record, and the records."""
    query = "SELECT mob_id FROM supervisors ORDER BY mob_id"
    for (mob_id,) in session.rows(query, (), shape("supervisors", "mob_id")):
        record = _authority(session, mob_id)
        if record is None:
            raise ReadFailed(f"{session.shown}: supervisor of mob {mob_id!r}: was just listed, and is not found")
        yield mob_id, record


def put_authority(session: Session, operation: Any) -> None:
    """Set the authority record of a mob."""
    insert_authority(session, operation.mob_id, operation.record)


def insert_authority(session: Session, mob_id: str, record: SupervisorAuthorityRecord) -> None:
    """Set the authority record of a mob."""
    session.change(_PUT_AUTHORITY, (mob_id, encode(record)))


def load_authority(session: Session, operation: ops.LoadSupervisorAuthority) -> SupervisorAuthorityRecord | None:
    """Answer the authority record of a mob."""
    return _authority(session, operation.mob_id)


def compare_and_put_authority(session: Session, operation: ops.CompareAndPutSupervisorAuthority) -> bool:
    """Replace an equal authority record."""
    if _authority(session, operation.mob_id) != operation.expected:
        return False
    put_authority(session, operation)
    return True


def put_authority_if_absent(session: Session, operation: ops.PutSupervisorAuthorityIfAbsent) -> bool:
    """Set the authority record of a mob that has none."""
    if find(session, "supervisor", ("record",), (operation.mob_id,)) is not None:
        return False
    put_authority(session, operation)
    return True


def delete_authority(session: Session, operation: ops.DeleteSupervisorAuthority) -> None:
    """Remove the authority record of a mob."""
    session.change("DELETE FROM supervisors WHERE mob_id = ?", (operation.mob_id,))


# --- overlays -----------------------------------------------------------------------------------------------

_OVERLAY: Final = "WHERE mob_id = ? AND agent_identity = ? AND generation = ?"
_KEYED_OVERLAY: Final = ("agent_identity", "generation", "record")
_PUT_OVERLAY: Final = (
    "INSERT INTO overlays (mob_id, agent_identity, generation, record) VALUES (?, ?, ?, ?) "
    "ON CONFLICT (mob_id, agent_identity, generation) DO UPDATE SET record = excluded.record"
)


def list_overlays(
    session: Session, operation: ops.ListExternalBindingOverlays
) -> tuple[ExternalBindingOverlayRecord, ...]:
    """Answer the overlays of a mob in key order."""
    rows = listed(session, "overlays", _KEYED_OVERLAY, (operation.mob_id,), "t.agent_identity, t.generation")
    return tuple(_overlay(session, operation.mob_id, *row) for row in rows)


def _overlay(session: Session, mob_id: str, agent: str, generation: int, text: str) -> ExternalBindingOverlayRecord:
    place = f"overlay of mob {mob_id!r}, agent {agent!r}, generation {generation}"
    overlay: ExternalBindingOverlayRecord = decode(ExternalBindingOverlayRecord, text, session.shown, place)
    if (overlay.agent_identity, overlay.generation) != (agent, generation):
        raise ReadFailed(f"{session.shown}: {place}: the record is of another agent or generation than its key")
    return overlay


def upsert_overlay(session: Session, operation: Any) -> None:
    """Set an overlay."""
    insert_overlay(session, operation.mob_id, operation.record)


def insert_overlay(session: Session, mob_id: str, record: ExternalBindingOverlayRecord) -> None:
    """Set an overlay."""
    session.change(_PUT_OVERLAY, (mob_id, record.agent_identity, record.generation, encode(record)))


def put_overlay_if_absent(session: Session, operation: ops.PutExternalBindingOverlayIfAbsent) -> bool:
    """Set an overlay unless there is one."""
    key = (operation.mob_id, operation.record.agent_identity, operation.record.generation)
    if find(session, "overlay", ("record",), key) is not None:
        return False
    upsert_overlay(session, operation)
    return True


def delete_overlay(session: Session, operation: ops.DeleteExternalBindingOverlay) -> None:
    """Remove one overlay."""
    key = (operation.mob_id, operation.agent_identity, operation.generation)
    session.change(f"DELETE FROM overlays {_OVERLAY}", key)


def delete_overlays(session: Session, operation: ops.DeleteExternalBindingOverlays) -> None:
    """Remove every overlay of a mob."""
    session.change("DELETE FROM overlays WHERE mob_id = ?", (operation.mob_id,))


# --- specs --------------------------------------------------------------------------------------------------

_PUT_SPEC: Final = (
    "INSERT INTO specs (mob_id, definition, revision) VALUES (?, ?, ?) "
    "ON CONFLICT (mob_id) DO UPDATE SET definition = excluded.definition, revision = excluded.revision"
)


def _revision(session: Session, mob_id: str) -> int:
    row = find(session, "spec", ("revision",), (mob_id,))
    return 0 if row is None else row[0]


def put_spec(session: Session, operation: ops.PutSpec) -> int:
    """Set the definition of a mob; answer its revision."""
    present = _revision(session, operation.mob_id)
    if operation.revision is not None and operation.revision != present:
        raise SpecRevisionConflict(operation.mob_id, operation.revision, present)
    insert_spec(session, operation.mob_id, operation.definition, present + 1)
    return present + 1


def insert_spec(session: Session, mob_id: str, definition: Document, revision: int) -> None:
    """Set a definition with its revision."""
    session.change(_PUT_SPEC, (mob_id, definition.text, revision))


def get_spec(session: Session, operation: ops.GetSpec) -> tuple[Document, int] | None:
    """Answer the definition of a mob and its revision."""
    row = find(session, "spec", ("definition", "revision"), (operation.mob_id,))
    if row is None:
        return None
    return decode(Document, row[0], session.shown, f"spec of mob {operation.mob_id!r}"), row[1]


def list_specs(session: Session, _operation: ops.ListSpecs) -> tuple[str, ...]:
    """Answer the mobs that have a definition."""
    rows = listed(session, "specs", ("mob_id",), (), "t.mob_id")
    return tuple(mob_id for (mob_id,) in rows)


def delete_spec(session: Session, operation: ops.DeleteSpec) -> bool:
    """Remove a definition."""
    present = _revision(session, operation.mob_id)
    if not present or operation.revision not in (None, present):
        return False
    session.change("DELETE FROM specs WHERE mob_id = ?", (operation.mob_id,))
    return True


# --- realm profiles -----------------------------------------------------------------------------------------

_PROFILE: Final = ("name", "profile", "revision", "created_at", "updated_at")
_PUT_PROFILE: Final = (
    "INSERT INTO profiles (name, profile, revision, created_at, updated_at) VALUES (?, ?, ?, ?, ?) "
    "ON CONFLICT (name) DO UPDATE "
    "SET profile = excluded.profile, revision = excluded.revision, updated_at = excluded.updated_at"
)


def create_profile(session: Session, operation: ops.CreateProfile) -> StoredRealmProfile:
    """Create a profile with revision 1."""
    if find(session, "profile", ("revision",), (operation.name,)) is not None:
        raise CasConflict(f"realm profile already exists: {operation.name}")
    now = Timestamp.from_nanos(session.clock())
    return put_profile(session, StoredRealmProfile(operation.name, operation.profile, 1, now, now))


def put_profile(session: Session, profile: StoredRealmProfile) -> StoredRealmProfile:
    """Set a profile and return it; the time of its creation stays."""
    created, updated = str(profile.created_at), str(profile.updated_at)
    session.change(_PUT_PROFILE, (profile.name, profile.profile.text, profile.revision, created, updated))
    return profile


def get_profile(session: Session, operation: Any) -> StoredRealmProfile | None:
    """Answer a profile."""
    row = find(session, "profile", _PROFILE, (operation.name,))
    return None if row is None else _profile(session, row)


def list_profiles(session: Session, _operation: ops.ListProfiles) -> tuple[StoredRealmProfile, ...]:
    """Answer the profiles by name."""
    rows = listed(session, "profiles", _PROFILE, (), "t.name")
    return tuple(_profile(session, row) for row in rows)


def update_profile(session: Session, operation: ops.UpdateProfile) -> StoredRealmProfile:
    """Replace a profile of the expected revision."""
    held = expected_profile(operation.name, get_profile(session, operation), operation.expected_revision)
    now = Timestamp.from_nanos(session.clock())
    return put_profile(
        session,
        StoredRealmProfile(operation.name, operation.profile, held.revision + 1, held.created_at, now),
    )


def delete_profile(session: Session, operation: ops.DeleteProfile) -> StoredRealmProfile:
    """Remove a profile of the expected revision, and answer it."""
    held = expected_profile(operation.name, get_profile(session, operation), operation.expected_revision)
    session.change("DELETE FROM profiles WHERE name = ?", (operation.name,))
    return held


def _profile(session: Session, row: tuple[Any, ...]) -> StoredRealmProfile:
    name, text, revision, created_at, updated_at = row
    place = f"profile {name!r}"
    document = decode(Document, text, session.shown, place)
    try:
        return StoredRealmProfile(name, document, revision, created_at, updated_at)
    except Serialization as error:
        raise unreadable(session.shown, f"{place}: ", error) from None
