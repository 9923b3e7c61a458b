"""A disk in memory that keeps its promises and not one more.

- A write is *pending* until its file is synchronised.  When the power fails, any of the pending writes may be on
  the platter, whatever their order was, and of each write any of its sectors, one of them cut in the middle.
- A file's name is pending, too, until the directory is synchronised: a new file may be gone, a deleted one back.
- What survives a power cut is an *image*: the names, and the bytes of each.  A process that is killed loses
  nothing: whatever it wrote is with the operating system.
- Every operation is counted.  A `Fault` lets the n-th one fail, or find the disk full; a sync may lie.
- A disk may turn *read-only*, as when its file system is mounted anew after an error, and writable again.

The disk writes down every change (its *log*); a `Platter` reads the log and says what is durable after any part of
it, so that a call is made once and cut everywhere.  Nothing here knows SQLite, and nothing is random.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, TypeAlias

import attrs

Image: TypeAlias = Mapping[str, bytes]
"""What a disk holds for good: the bytes of every file by its name."""

SECTOR: Final = 512
"""The bytes that a disk writes at once, if at all."""


@attrs.frozen
class Write:
    """Bytes put at a place of a file."""

    inode: int
    offset: int
    data: bytes


@attrs.frozen
class Truncate:
    """A file cut, or lengthened, to a size."""

    inode: int
    size: int


@attrs.frozen
class Link:
    """A name given to a file, which another file may have had."""

    name: str
    inode: int


@attrs.frozen
class Unlink:
    """A name removed."""

    name: str


@attrs.frozen
class Sync:
    """A file's bytes made durable; with ``directory`` also every name."""

    inode: int
    directory: bool = False


@attrs.frozen
class SyncDirectory:
    """Every name made durable."""


Change: TypeAlias = Write | Truncate | Link | Unlink
Event: TypeAlias = Change | Sync | SyncDirectory


class DiskFailure(OSError):
    """An operation that the disk refused; ``full`` when for want of room."""

    def __init__(self, kind: str, *, full: bool) -> None:
        super().__init__(f"the disk {'is full' if full else 'failed'}: {kind}")
        self.kind = kind
        self.full = full


@attrs.frozen
class Fault:
    """The n-th operation fails, counted from 0; ``lasting``: and every one after it.

    ``full``: only what needs room fails, a write with half of its bytes written.
    """

    at: int
    full: bool = False
    lasting: bool = False


_GROWS: Final = frozenset({"write", "open", "truncate"})
_CHANGES: Final = frozenset({"write", "truncate", "delete", "rename"})


class File:
    """The bytes of a file as every process sees them, durable or not."""

    __slots__ = ("content", "handles", "inode", "name", "shared")

    def __init__(self, inode: int, name: str, content: bytes = b"") -> None:
        self.inode = inode
        self.name = name
        self.content = bytearray(content)
        self.handles: list[Any] = []
        self.shared: Any = None


class Disk:
    """A disk with the files of an image, all durable.

    ``lies``: synchronising answers that all is well, and does nothing.  ``read_only``: nothing can be changed.
    """

    def __init__(self, image: Image | None = None, *, lies: bool = False) -> None:
        self.lock = threading.RLock()
        self.lies = lies
        self.read_only = False
        self.log: list[Event] = []
        self.fault: Fault | None = None
        self.operations = 0
        self.failed: list[str] = []
        self.names: dict[int, str] = {}
        self._files: dict[str, File] = {}
        for name, content in (image or {}).items():
            self._files[name] = self._new(name, content)
        self._first = {name: file.inode for name, file in self._files.items()}, dict(image or {})

    def _new(self, name: str, content: bytes = b"") -> File:
        inode = len(self.names) + 1
        self.names[inode] = name
        return File(inode, name, content)

    def platter(self) -> Platter:
        """Return the platter as it was before the first change of the log."""
        names, image = self._first
        return Platter(names, {names[name]: content for name, content in image.items()})

    def image(self) -> Image:
        """Return what every process sees now: what a killed one leaves behind."""
        return {name: bytes(file.content) for name, file in self._files.items()}

    def flush(self) -> None:
        """Make everything durable, as a computer does that is shut down."""
        self.log += [Sync(file.inode) for file in self._files.values()]
        self.log.append(SyncDirectory())

    # --- faults ---------------------------------------------------------------------------------------------

    def arm(self, fault: Fault | None) -> None:
        """Count the operations from 0 again, and let one of them fail."""
        self.fault, self.operations, self.failed = fault, 0, []

    def touch(self, kind: str) -> None:
        """Count an operation.

        Raises:
            DiskFailure: it is one that fails.
        """
        number = self.operations
        self.operations = number + 1
        if self.read_only and kind in _CHANGES:
            self.failed.append(kind)
            raise DiskFailure(kind, full=False)
        fault = self.fault
        if fault is None:
            return
        if number < fault.at or (number > fault.at and not fault.lasting):
            return
        if fault.full and kind not in _GROWS:
            return
        self.failed.append(kind)
        raise DiskFailure(kind, full=fault.full)

    # --- operations -----------------------------------------------------------------------------------------

    def find(self, name: str) -> File | None:
        """Return the file of that name, if there is one."""
        return self._files.get(name)

    def open(self, name: str, *, create: bool = True, counted: bool = True) -> File | None:
        """Return the file of that name, a new one where there is none, or None."""
        if counted:
            self.touch("open")
        file = self._files.get(name)
        if file is None and create:
            if self.read_only:
                raise DiskFailure("open", full=False)
            file = self._files[name] = self._new(name)
            self.log.append(Link(name, file.inode))
        return file

    def temporary(self) -> File:
        """Return a file without a name, which nothing keeps."""
        return File(-1, "")

    def write(self, file: File, offset: int, data: bytes) -> None:
        """Put bytes into a file; beyond its end, zeros come between."""
        try:
            self.touch("write")
        except DiskFailure as failure:
            if failure.full:
                self._write(file, offset, data[: len(data) // 2])
            raise
        self._write(file, offset, data)

    def _write(self, file: File, offset: int, data: bytes) -> None:
        _put(file.content, offset, data)
        if file.inode > 0:
            self.log.append(Write(file.inode, offset, data))

    def truncate(self, file: File, size: int) -> None:
        """Cut or lengthen a file."""
        self.touch("truncate")
        _resize(file.content, size)
        if file.inode > 0:
            self.log.append(Truncate(file.inode, size))

    def sync(self, file: File, *, directory: bool = False) -> None:
        """Make the bytes of a file durable, and with ``directory`` all names."""
        self.touch("sync")
        if not self.lies and file.inode > 0:
            self.log.append(Sync(file.inode, directory))

    def sync_directory(self) -> None:
        """Make all names durable."""
        self.touch("sync")
        if not self.lies:
            self.log.append(SyncDirectory())

    def delete(self, name: str) -> bool:
        """Remove a name; False where there is none."""
        self.touch("delete")
        if self._files.pop(name, None) is None:
            return False
        self.log.append(Unlink(name))
        return True

    def rename(self, source: str, target: str) -> None:
        """Give a file another name, which another file may have had, at once."""
        self.touch("rename")
        file = self._files.pop(source)
        file.name = target
        self._files[target] = file
        self.log += [Link(target, file.inode), Unlink(source)]


def _put(content: bytearray, offset: int, data: bytes) -> None:
    if offset > len(content):
        content.extend(bytes(offset - len(content)))
    content[offset : offset + len(data)] = data


def _resize(content: bytearray, size: int) -> None:
    if size < len(content):
        del content[size:]
    else:
        content.extend(bytes(size - len(content)))


class Platter:
    """What is durable, and what is pending, after a part of a disk's log."""

    def __init__(self, names: Mapping[str, int], contents: Mapping[int, bytes]) -> None:
        self._names = dict(names)
        self._contents = dict(contents)
        self.pending: list[Change] = []
        self.version = 0

    def copy(self) -> Platter:
        """Return another platter in the same state."""
        other = Platter(self._names, self._contents)
        other.pending = list(self.pending)
        other.version = self.version
        return other

    def advance(self, events: Iterable[Event]) -> None:
        """Take events of the log in."""
        for event in events:
            if isinstance(event, Sync):
                self._settle(event.inode, event.directory)
            elif isinstance(event, SyncDirectory):
                self._settle(0, directory=True)
            else:
                self.pending.append(event)

    def _settle(self, inode: int, directory: bool) -> None:
        kept: list[Change] = []
        settled: list[Change] = []
        for change in self.pending:
            names = isinstance(change, (Link, Unlink))
            (settled if (directory if names else change.inode == inode) else kept).append(change)  # type: ignore[union-attr]
        if settled:
            self._names, self._contents = self._after(settled)
            self.pending = kept
            self.version += 1

    def _after(self, changes: Iterable[Change]) -> tuple[dict[str, int], dict[int, bytes]]:
        names, contents = dict(self._names), dict(self._contents)
        open_files: dict[int, bytearray] = {}
        for change in changes:
            if isinstance(change, Link):
                names[change.name] = change.inode
            elif isinstance(change, Unlink):
                names.pop(change.name, None)
            else:
                content = open_files.get(change.inode)
                if content is None:
                    content = open_files[change.inode] = bytearray(contents.get(change.inode, b""))
                if isinstance(change, Write):
                    _put(content, change.offset, change.data)
                else:
                    _resize(content, change.size)
        contents.update((inode, bytes(content)) for inode, content in open_files.items())
        return names, contents

    def surviving(self, changes: Iterable[Change]) -> Image:
        """Return the image in which these of the pending changes are on the platter, and no others."""
        names, contents = self._after(changes)
        return {name: contents.get(inode, b"") for name, inode in names.items()}


@attrs.frozen
class Survival:
    """Which of the pending changes survive a power cut; ``key`` tells it from others of the same platter."""

    pattern: str
    changes: tuple[Change, ...]
    key: tuple[Any, ...]


def survivals(pending: Sequence[Change], rng: random.Random, drawn: int) -> Iterator[Survival]:
    """Yield what may survive: nothing, everything, every prefix, all but one, then ``drawn`` subsets and torn ones.

    Of more than `MOST` prefixes, and more than so many to be lost alone, so many are drawn.
    """
    count = len(pending)
    numbers = tuple(range(count))
    yield _survival("none", pending, ())
    if not count:
        return
    yield _survival("all", pending, numbers)
    for length in _some(range(1, count), rng):
        yield _survival(f"the first {length} of {count}", pending, numbers[:length])
    for lost in _some(range(count - 1), rng):
        others = (*numbers[:lost], *numbers[lost + 1 :])
        yield _survival(f"all but the {_ordinal(lost + 1)} of {count}", pending, others)
    for _ in range(drawn if count > 2 else 0):
        yield _survival("some", pending, tuple(number for number in numbers if rng.random() < 0.5))
    for _ in range(drawn):
        yield torn(pending, rng)


MOST: Final = 24


def _some(numbers: range, rng: random.Random) -> Sequence[int]:
    return numbers if len(numbers) <= MOST else sorted(rng.sample(numbers, MOST))


def _ordinal(number: int) -> str:
    return {1: "first", 2: "second", 3: "third"}.get(number, f"{number}th")


def _survival(pattern: str, pending: Sequence[Change], kept: tuple[int, ...]) -> Survival:
    if pattern == "some":
        pattern = f"of {len(pending)}: {', '.join(str(number + 1) for number in kept) or 'none'}"
    return Survival(pattern, tuple(pending[number] for number in kept), kept)


def torn(pending: Sequence[Change], rng: random.Random) -> Survival:
    """Return a survival in which writes lose sectors, and one sector is cut in the middle."""
    changes: list[Change] = []
    key: list[Any] = ["torn"]
    for number, change in enumerate(pending):
        if not isinstance(change, Write):
            if rng.random() < 0.7:
                changes.append(change)
                key.append(number)
            continue
        parts = [part for part in _sectors(change) if rng.random() < 0.6]
        if parts and rng.random() < 0.5:
            last = parts[-1]
            parts[-1] = attrs.evolve(last, data=last.data[: rng.randrange(len(last.data)) + 1])
        changes += parts
        key += [(number, part.offset, len(part.data)) for part in parts]
    return Survival("torn sectors", tuple(changes), tuple(key))


def _sectors(write: Write) -> Iterator[Write]:
    place, end = write.offset, write.offset + len(write.data)
    while place < end:
        following = min(end, (place // SECTOR + 1) * SECTOR)
        yield Write(write.inode, place, write.data[place - write.offset : following - write.offset])
        place = following
