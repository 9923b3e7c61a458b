"""The simulated disk as a VFS of the very SQLite that Python's ``sqlite3`` has loaded.

A `Disk` that is mounted is opened with a URI: ``file:/7/stores.db?vfs=mobstore-disk``; the number says which disk.
What SQLite asks for is what its own VFS for Unix does: the same locks, the same device characteristics (writes do
not damage their neighbours), the same moments at which a directory is synchronised (after the first sync of a
journal through each handle that might have created it, and where SQLite asks for it on a delete).  Shared memory is
memory of this process, so that a write-ahead log works with several connections in it; it is gone with the power.
(Source: sqlite.org/c3ref/vfs.html and c3ref/io_methods.html.)
"""

from __future__ import annotations

import ctypes
import itertools
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ctypes import CFUNCTYPE, POINTER, c_char, c_char_p, c_double, c_int, c_int64, c_void_p
from typing import Any, ClassVar, Final

from mobstore.properties.faults.disk import Disk, DiskFailure, File

NAME: Final = "mobstore-disk"
"""What the VFS is called."""

_OK, _BUSY, _IOERR, _NOTFOUND, _FULL, _CANTOPEN = 0, 5, 10, 12, 13, 14
_SHORT_READ: Final = _IOERR | 2 << 8
_EXTENDED: Final = {
    "read": 1 << 8,
    "write": 3 << 8,
    "sync": 4 << 8,
    "truncate": 6 << 8,
    "size": 7 << 8,
    "delete": 10 << 8,
    "lock": 15 << 8,
    "shared memory": 19 << 8,
}
_READONLY_CANTINIT: Final = 8 | 5 << 8
_NO_ENTRY: Final = _IOERR | 23 << 8

_READ_ONLY, _READ_WRITE = 0x1, 0x2
_CREATE, _DELETE_ON_CLOSE, _JOURNALS = 0x4, 0x8, 0x800 | 0x4000 | 0x80000
_SHARED, _RESERVED, _PENDING, _EXCLUSIVE = 1, 2, 3, 4
_SHM_UNLOCK, _SHM_EXCLUSIVE, _SHM_SLOTS = 1, 8, 8
_POWERSAFE_OVERWRITE: Final = 0x1000
_SECTOR_SIZE: Final = 4096
_JULIAN_2026: Final = int(2_461_041.5 * 86_400_000)
_PRNG_SEED: Final = 28


class Unreachable(Exception):
    """The SQLite of this Python cannot be given a disk."""


class _Handle:
    """An open file, and the locks that it has."""

    __slots__ = ("disk", "file", "level", "new_journal", "on_close", "slots")

    def __init__(self, disk: Disk, file: File, new_journal: bool, on_close: str | None) -> None:
        self.disk = disk
        self.file = file
        self.level = 0
        self.new_journal = new_journal
        self.on_close = on_close
        self.slots: dict[int, bool] = {}


# SQLite names a file by the address of the structure that it keeps for it.
_handles: Final[dict[int, _Handle]] = {}
_disks: Final[dict[str, Disk]] = {}
_defects: Final[list[BaseException]] = []


# --- files --------------------------------------------------------------------------------------------------


def _close(address: int) -> int:
    handle = _handles.pop(address)
    handle.file.handles.remove(handle)
    if handle.on_close is not None:
        handle.disk.delete(handle.on_close)
    return _OK


def _read(address: int, buffer: int, size: int, offset: int) -> int:
    handle = _handles[address]
    handle.disk.touch("read")
    data = bytes(handle.file.content[offset : offset + size])
    ctypes.memmove(buffer, data, len(data))
    if len(data) == size:
        return _OK
    ctypes.memset(buffer + len(data), 0, size - len(data))
    return _SHORT_READ


def _write(address: int, buffer: int, size: int, offset: int) -> int:
    handle = _handles[address]
    with handle.disk.lock:
        handle.disk.write(handle.file, offset, ctypes.string_at(buffer, size))
    return _OK


def _truncate(address: int, size: int) -> int:
    handle = _handles[address]
    with handle.disk.lock:
        handle.disk.truncate(handle.file, size)
    return _OK


def _sync(address: int, _flags: int) -> int:
    handle = _handles[address]
    with handle.disk.lock:
        handle.disk.sync(handle.file, directory=handle.new_journal)
        handle.new_journal = False
    return _OK


def _file_size(address: int, size: Any) -> int:
    handle = _handles[address]
    handle.disk.touch("size")
    size[0] = len(handle.file.content)
    return _OK


def _file_control(_address: int, _operation: int, _argument: int) -> int:
    return _NOTFOUND


def _sector_size(_address: int) -> int:
    return _SECTOR_SIZE


def _device_characteristics(_address: int) -> int:
    return _POWERSAFE_OVERWRITE


# --- locks --------------------------------------------------------------------------------------------------


def _lock(address: int, level: int) -> int:
    handle = _handles[address]
    with handle.disk.lock:
        if handle.level >= level:
            return _OK
        handle.disk.touch("lock")
        highest = max((other.level for other in handle.file.handles if other is not handle), default=0)
        if level == _SHARED:
            refused = highest >= _PENDING
        elif level == _RESERVED:
            refused = highest >= _RESERVED
        else:
            if highest >= _RESERVED:
                return _BUSY
            # Whoever waits for the last reader keeps new ones out.
            handle.level = _PENDING
            refused = highest >= _SHARED
        if refused:
            return _BUSY
        handle.level = level
        return _OK


def _unlock(address: int, level: int) -> int:
    handle = _handles[address]
    with handle.disk.lock:
        handle.level = min(handle.level, level)
    return _OK


def _check_reserved_lock(address: int, answer: Any) -> int:
    handle = _handles[address]
    with handle.disk.lock:
        answer[0] = int(any(other.level >= _RESERVED for other in handle.file.handles))
    return _OK


# --- shared memory ------------------------------------------------------------------------------------------


def _shm_map(address: int, region: int, size: int, extend: int, pointer: Any) -> int:
    handle = _handles[address]
    with handle.disk.lock:
        handle.disk.touch("shared memory")
        file = handle.file
        if file.shared is None:
            if handle.disk.read_only:
                return _READONLY_CANTINIT
            file.shared = []
        while extend and len(file.shared) <= region:
            file.shared.append((c_char * size)())
        pointer[0] = ctypes.addressof(file.shared[region]) if region < len(file.shared) else None
    return _OK


def _shm_lock(address: int, first: int, count: int, flags: int) -> int:
    handle = _handles[address]
    slots = range(first, first + count)
    with handle.disk.lock:
        if flags & _SHM_UNLOCK:
            for slot in slots:
                handle.slots.pop(slot, None)
            return _OK
        handle.disk.touch("lock")
        exclusive = bool(flags & _SHM_EXCLUSIVE)
        for other in handle.file.handles:
            if other is not handle and any(
                slot in other.slots and (exclusive or other.slots[slot]) for slot in slots
            ):
                return _BUSY
        handle.slots.update(dict.fromkeys(slots, exclusive))
    return _OK


def _shm_barrier(_address: int) -> None:
    return None


def _shm_unmap(address: int, delete: int) -> int:
    handle = _handles[address]
    with handle.disk.lock:
        handle.slots.clear()
        if delete:
            handle.file.shared = None
    return _OK


# --- the file system ----------------------------------------------------------------------------------------


def _where(name: bytes) -> tuple[Disk, str]:
    _, number, path = name.decode().split("/", 2)
    disk = _disks.get(number)
    if disk is None:
        # Whoever has a file of it open may close it still, and finds no other one.
        raise DiskFailure("unmounted", full=False)
    return disk, path


def _open(_vfs: int, name: bytes | None, address: int, flags: int, out_flags: Any) -> int:
    ctypes.c_void_p.from_address(address).value = None
    if name is None:
        disk, path = _TEMPORARY, None
        file: File | None = disk.temporary()
    else:
        disk, path = _where(name)
        with disk.lock:
            file = disk.open(path, create=bool(flags & _CREATE))
    if file is None:
        return _CANTOPEN
    on_close = path if flags & _DELETE_ON_CLOSE else None
    handle = _Handle(disk, file, bool(flags & _CREATE and flags & _JOURNALS), on_close)
    file.handles.append(handle)
    _handles[address] = handle
    if out_flags:
        out_flags[0] = flags & ~_READ_WRITE | _READ_ONLY if disk.read_only else flags
    ctypes.c_void_p.from_address(address).value = ctypes.addressof(_METHODS)
    return _OK


def _delete(_vfs: int, name: bytes, sync_directory: int) -> int:
    disk, path = _where(name)
    with disk.lock:
        if not disk.delete(path):
            return _NO_ENTRY
        if sync_directory:
            disk.sync_directory()
    return _OK


def _access(_vfs: int, name: bytes, flags: int, answer: Any) -> int:
    disk, path = _where(name)
    file = disk.find(path)
    # An empty file is none, when SQLite asks whether there is one.
    answer[0] = int(file is not None and (flags != 0 or bool(file.content)))
    return _OK


def _full_pathname(_vfs: int, name: bytes, size: int, out: int) -> int:
    if len(name) >= size:
        return _CANTOPEN
    ctypes.memmove(out, name + b"\0", len(name) + 1)
    return _OK


def _randomness(_vfs: int, size: int, out: int) -> int:
    ctypes.memset(out, 0, size)
    return size


def _sleep(_vfs: int, microseconds: int) -> int:
    time.sleep(microseconds / 1e6)
    return microseconds


def _current_time(_vfs: int, answer: Any) -> int:
    answer[0] = _JULIAN_2026 / 86_400_000
    return _OK


def _current_time_int64(_vfs: int, answer: Any) -> int:
    answer[0] = _JULIAN_2026
    return _OK


def _last_error(_vfs: int, _size: int, _out: int) -> int:
    return _OK


_TEMPORARY: Final = Disk()


# --- the structures -----------------------------------------------------------------------------------------


def _callback(function: Callable[..., Any], answers: Any, *arguments: Any) -> Any:
    """Return what SQLite calls: an error is its code, and a defect of ours is kept to be raised later."""

    def call(*given: Any) -> Any:
        try:
            return function(*given)
        except DiskFailure as failure:
            if failure.full:
                return _FULL
            return _CANTOPEN if failure.kind == "open" else _IOERR | _EXTENDED.get(failure.kind, 0)
        except BaseException as error:  # noqa: BLE001 - it cannot pass through SQLite
            _defects.append(error)
            return _IOERR

    return CFUNCTYPE(answers, *arguments)(call if answers is not None else function)


_IN, _OUT_INT, _OUT_INT64 = c_void_p, POINTER(c_int), POINTER(c_int64)


class _Methods(ctypes.Structure):
    """``sqlite3_io_methods``, version 2."""

    _fields_: ClassVar[Any] = [("version", c_int)] + [
        (name, c_void_p)
        for name in (
            *("close", "read", "write", "truncate", "sync", "file_size", "lock", "unlock", "check_reserved_lock"),
            *("file_control", "sector_size", "device_characteristics"),
            *("shm_map", "shm_lock", "shm_barrier", "shm_unmap"),
        )
    ]


class _Vfs(ctypes.Structure):
    """``sqlite3_vfs``, version 2."""

    _fields_: ClassVar = [  # type: ignore[assignment]  # the stub knows no untyped pointers
        ("version", c_int),
        ("file_size", c_int),
        ("longest_path", c_int),
        ("next", c_void_p),
        ("name", c_char_p),
        ("data", c_void_p),
    ] + [
        (name, c_void_p)
        for name in (
            *("open", "delete", "access", "full_pathname", "dl_open", "dl_error", "dl_sym", "dl_close"),
            *("randomness", "sleep", "current_time", "last_error", "current_time_int64"),
        )
    ]


_METHOD_CALLBACKS: Final = {
    "close": _callback(_close, c_int, _IN),
    "read": _callback(_read, c_int, _IN, c_void_p, c_int, c_int64),
    "write": _callback(_write, c_int, _IN, c_void_p, c_int, c_int64),
    "truncate": _callback(_truncate, c_int, _IN, c_int64),
    "sync": _callback(_sync, c_int, _IN, c_int),
    "file_size": _callback(_file_size, c_int, _IN, _OUT_INT64),
    "lock": _callback(_lock, c_int, _IN, c_int),
    "unlock": _callback(_unlock, c_int, _IN, c_int),
    "check_reserved_lock": _callback(_check_reserved_lock, c_int, _IN, _OUT_INT),
    "file_control": _callback(_file_control, c_int, _IN, c_int, c_void_p),
    "sector_size": _callback(_sector_size, c_int, _IN),
    "device_characteristics": _callback(_device_characteristics, c_int, _IN),
    "shm_map": _callback(_shm_map, c_int, _IN, c_int, c_int, c_int, POINTER(c_void_p)),
    "shm_lock": _callback(_shm_lock, c_int, _IN, c_int, c_int, c_int),
    "shm_barrier": _callback(_shm_barrier, None, _IN),
    "shm_unmap": _callback(_shm_unmap, c_int, _IN, c_int),
}
_VFS_CALLBACKS: Final = {
    "open": _callback(_open, c_int, _IN, c_char_p, c_void_p, c_int, _OUT_INT),
    "delete": _callback(_delete, c_int, _IN, c_char_p, c_int),
    "access": _callback(_access, c_int, _IN, c_char_p, c_int, _OUT_INT),
    "full_pathname": _callback(_full_pathname, c_int, _IN, c_char_p, c_int, c_void_p),
    "randomness": _callback(_randomness, c_int, _IN, c_int, c_void_p),
    "sleep": _callback(_sleep, c_int, _IN, c_int),
    "current_time": _callback(_current_time, c_int, _IN, POINTER(c_double)),
    "last_error": _callback(_last_error, c_int, _IN, c_int, c_void_p),
    "current_time_int64": _callback(_current_time_int64, c_int, _IN, _OUT_INT64),
}


def _filled(structure: Any, callbacks: dict[str, Any]) -> Any:
    for name, callback in callbacks.items():
        setattr(structure, name, ctypes.cast(callback, c_void_p))
    return structure


_METHODS: Final = _filled(_Methods(version=2), _METHOD_CALLBACKS)
_VFS: Final = _filled(
    _Vfs(version=2, file_size=ctypes.sizeof(c_void_p), longest_path=512, name=NAME.encode()), _VFS_CALLBACKS
)


# --- registration -------------------------------------------------------------------------------------------

_registration: Final = threading.Lock()
_library: ctypes.CDLL | None = None
_numbers: Final = itertools.count()


def library() -> ctypes.CDLL:
    """Return the SQLite that Python's ``sqlite3`` uses, with the VFS registered in it.

    Raises:
        Unreachable: this Python's SQLite shows none of its functions, or is another one.
    """
    global _library  # noqa: PLW0603 - a library is registered with once
    with _registration:
        if _library is None:
            _library = _register(_find())
        return _library


def _find() -> ctypes.CDLL:
    """Look through the extension module: a symbol that it shows is its own, or of the library it is linked to."""
    import _sqlite3  # noqa: PLC0415 - not there in every Python

    where = getattr(_sqlite3, "__file__", None)
    try:
        found = ctypes.CDLL(where)
        found.sqlite3_libversion.restype = c_char_p
        version = found.sqlite3_libversion().decode()
    except (OSError, AttributeError) as error:
        msg = (
            f"the SQLite {sqlite3.sqlite_version} of this Python ({where or 'built in'}) hides its functions, so "
            f"no simulated disk can be put under it ({error}); "
            f"a Python that is linked to a shared libsqlite3 shows them"
        )
        raise Unreachable(msg) from None
    if version != sqlite3.sqlite_version:
        msg = f"the library found is SQLite {version}, and Python uses {sqlite3.sqlite_version}"
        raise Unreachable(msg)
    return found


def _register(found: ctypes.CDLL) -> ctypes.CDLL:
    found.sqlite3_vfs_register.argtypes = [c_void_p, c_int]
    code = found.sqlite3_vfs_register(ctypes.addressof(_VFS), 0)
    if code != _OK:
        msg = f"SQLite {sqlite3.sqlite_version} takes no VFS (error {code})"
        raise Unreachable(msg)
    return found


def seed_randomness(seed: int) -> None:
    """Let the salts and nonces that SQLite draws follow from the seed; 0: from the system again."""
    library().sqlite3_test_control(c_int(_PRNG_SEED), c_int(seed), c_void_p(None))


@contextmanager
def mounted(disk: Disk) -> Iterator[str]:
    """Mount the disk; the value is the URI of the file ``stores.db`` on it.

    Raises:
        Unreachable: see `library`.
    """
    library()
    number = str(next(_numbers))
    _disks[number] = disk
    try:
        yield f"file:/{number}/{FILE}?vfs={NAME}"
    finally:
        del _disks[number]
        raise_defects()


FILE: Final = "stores.db"
"""The file that a mounted disk is opened with."""


def raise_defects() -> None:
    """Raise what went wrong in the VFS itself, which SQLite took for an error of the disk."""
    if _defects:
        error = _defects[0]
        _defects.clear()
        raise error
