"""Immutable collections: small ones that are copied, and growing ones that share structure.

A snapshot's maps are small and read often: `FrozenMap` is a dict that cannot be changed.  What grows with a
run (its frames, outputs and ledgers) is held in hash tries, so that one more entry costs the same however
many there are, and an old version stays readable.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, Generic, NoReturn, Self, TypeVar, cast, overload

from rpds import HashTrieMap

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")
T = TypeVar("T")

_first: Final = operator.itemgetter(0)


class FrozenMap(dict[K, V]):
    """A dict in key order that cannot be changed; equal to any mapping with the same items."""

    __slots__ = ("checked_by",)

    checked_by: object
    """The rule that its keys and values have passed, so that they need not pass it again."""

    def __init__(self, items: Mapping[K, V] | Iterable[tuple[K, V]] = (), checked_by: object = None) -> None:
        pairs = items.items() if isinstance(items, Mapping) else items
        super().__init__(sorted(pairs, key=_first))
        object.__setattr__(self, "checked_by", checked_by)

    def set(self, key: K, value: V) -> FrozenMap[K, V]:
        """Return a copy in which ``key`` maps to ``value``."""
        if key not in self:
            return FrozenMap({**self, key: value}, self.checked_by)
        new: FrozenMap[K, V] = FrozenMap.__new__(FrozenMap)
        dict.update(new, self)
        dict.__setitem__(new, key, value)
        object.__setattr__(new, "checked_by", self.checked_by)
        return new

    def __hash__(self) -> int:  # type: ignore[override]
        return hash(tuple(self.items()))

    def __reduce__(self) -> tuple[Any, ...]:
        return FrozenMap, (dict(self),)

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: object) -> Self:
        return self

    def copy(self) -> Self:
        """Return the map itself: it cannot change."""
        return self

    def _refuse(self, *_args: object, **_kwargs: object) -> NoReturn:
        msg = "a FrozenMap cannot be changed; `set` returns a changed copy"
        raise TypeError(msg)

    __setitem__ = __delitem__ = __ior__ = __setattr__ = _refuse
    clear = pop = popitem = setdefault = update = _refuse


class TrieMap(Mapping[K, V]):
    """A persistent map that iterates in key order; `set` costs about the same at any size."""

    __slots__ = ("_trie",)

    def __init__(self, items: Mapping[K, V] | Iterable[tuple[K, V]] = ()) -> None:
        self._trie: HashTrieMap[K, V] = HashTrieMap(items)

    def set(self, key: K, value: V) -> Self:
        """Return a version in which ``key`` maps to ``value``."""
        new = self.__new__(type(self))
        new._trie = self._trie.insert(key, value)
        return new

    def discard(self, key: K) -> Self:
        """Return a version without ``key``."""
        new = self.__new__(type(self))
        new._trie = self._trie.discard(key)
        return new

    def __getitem__(self, key: K) -> V:
        return self._trie[key]

    def get(self, key: K, default: Any = None) -> Any:
        """Return the value of ``key``, or ``default``."""
        return self._trie.get(key, default)

    def __contains__(self, key: object) -> bool:
        return key in self._trie

    def __iter__(self) -> Iterator[K]:
        return iter(sorted(self._trie.keys()))  # type: ignore[type-var]

    def __len__(self) -> int:
        return len(self._trie)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, TrieMap):
            return self._trie is other._trie or bool(self._trie == other._trie)
        return NotImplemented if not isinstance(other, Mapping) else dict(self) == dict(other)

    def __hash__(self) -> int:
        return hash(self._trie)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({dict(self)!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (dict(self),)


class OrderedTrieMap(Mapping[K, V]):
    """A persistent map that iterates in insertion order; overwriting a key keeps its place."""

    __slots__ = ("_trie",)

    def __init__(self, items: Mapping[K, V] | Iterable[tuple[K, V]] = ()) -> None:
        pairs = dict(items)
        self._trie: HashTrieMap[K, tuple[int, V]] = HashTrieMap(
            {key: (place, value) for place, (key, value) in enumerate(pairs.items())}
        )

    def set(self, key: K, value: V) -> Self:
        """Return a version in which ``key`` maps to ``value``, at its old place or at the end."""
        held = self._trie.get(key)
        new = type(self).__new__(type(self))
        new._trie = self._trie.insert(key, (len(self._trie) if held is None else held[0], value))
        return new

    def __getitem__(self, key: K) -> V:
        return self._trie[key][1]

    def __iter__(self) -> Iterator[K]:
        return iter(sorted(self._trie.keys(), key=lambda key: self._trie[key][0]))

    def __len__(self) -> int:
        return len(self._trie)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Mapping):
            return NotImplemented
        return list(self.items()) == list(other.items())

    def __hash__(self) -> int:
        return hash(tuple(self.items()))

    def __repr__(self) -> str:
        return f"OrderedTrieMap({dict(self)!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        return OrderedTrieMap, (dict(self),)


class _TrieSequence(Sequence[T]):
    """What the persistent sequences share: reading, comparing and printing."""

    __slots__ = ()

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[T, ...]: ...
    def __getitem__(self, index: int | slice) -> T | tuple[T, ...]:
        size = len(self)
        if isinstance(index, slice):
            return tuple(self._at(place) for place in range(*index.indices(size)))
        if not -size <= index < size:
            raise IndexError(index)
        return self._at(index % size)

    def _at(self, place: int) -> T:
        raise NotImplementedError

    def __iter__(self) -> Iterator[T]:
        return map(self._at, range(len(self)))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, (_TrieSequence, tuple, list)):
            return NotImplemented
        return self is other or (len(self) == len(other) and all(a == b for a, b in zip(self, other, strict=True)))

    def __hash__(self) -> int:
        return hash(tuple(self))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({list(self)!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (list(self),)


class Log(_TrieSequence[T]):
    """A persistent append-only sequence; appending costs about the same at any length.

    A subclass says what ``item`` it holds, and may name ``keys`` of one: `last` then finds the last entry that
    has a key at once.
    """

    __slots__ = ("_index", "_trie")

    item: Any
    keys: Callable[[T], tuple[Hashable, ...]] | None = None

    def __init__(self, items: Iterable[T] = ()) -> None:
        entries = list(items)
        self._trie: HashTrieMap[int, T] = HashTrieMap(dict(enumerate(entries)))
        self._index: HashTrieMap[Hashable, int] = HashTrieMap(
            {key: place for place, entry in enumerate(entries) for key in self._keys(entry)}
        )

    def _keys(self, entry: T) -> tuple[Hashable, ...]:
        keys = type(self).keys
        return () if keys is None else keys(entry)

    def append(self, entry: T) -> Self:
        """Return the log with ``entry`` at its end."""
        place = len(self._trie)
        new = type(self).__new__(type(self))
        new._trie = self._trie.insert(place, entry)
        index = self._index
        for key in self._keys(entry):
            index = index.insert(key, place)
        new._index = index
        return new

    def extend(self, entries: Iterable[T]) -> Self:
        """Return the log with ``entries`` at its end."""
        new = self
        for entry in entries:
            new = new.append(entry)
        return new

    def last(self, key: Hashable) -> int | None:
        """Return the place of the last entry that has ``key``, or None."""
        return self._index.get(key)

    def replace(self, place: int, entry: T) -> Self:
        """Return the log with ``entry`` (of the same keys) at ``place``."""
        new = type(self).__new__(type(self))
        new._trie = self._trie.insert(place, entry)
        new._index = self._index
        return new

    def _at(self, place: int) -> T:
        return self._trie[place]

    def __len__(self) -> int:
        return len(self._trie)


class SparseList(_TrieSequence[T], Generic[T]):
    """A persistent list of which only some places were ever written; the others hold ``empty()``.

    Memory follows the number of places written, not the highest one.  A subclass says what ``item`` it holds,
    and what an ``empty`` one is.
    """

    __slots__ = ("_size", "_trie")

    item: Any

    def __init__(self, items: Iterable[T] | Mapping[int, T] = ()) -> None:
        places = items if isinstance(items, Mapping) else dict(enumerate(items))
        self._trie: HashTrieMap[int, T] = HashTrieMap(places)
        self._size = max(places, default=-1) + 1

    @staticmethod
    def empty() -> Any:
        """Return what a place holds that was never written."""
        raise NotImplementedError

    def set(self, place: int, item: T) -> Self:
        """Return the list with ``item`` at ``place``, grown as far as that needs."""
        new = type(self).__new__(type(self))
        new._trie = self._trie.insert(place, item)
        new._size = max(self._size, place + 1)
        return new

    def written(self) -> Iterator[tuple[int, T]]:
        """Iterate over the places written and what they hold, in order."""
        return iter(sorted(self._trie.items(), key=_first))

    def _at(self, place: int) -> T:
        held = self._trie.get(place)
        return cast("T", self.empty()) if held is None else held

    def __eq__(self, other: object) -> bool:
        if isinstance(other, SparseList):
            return self._size == other._size and self._filled() == other._filled()
        return super().__eq__(other)

    def __hash__(self) -> int:
        return hash((self._size, frozenset(self._filled().items())))

    def _filled(self) -> dict[int, T]:
        empty = self.empty()
        return {place: item for place, item in self._trie.items() if item != empty}

    def __len__(self) -> int:
        return self._size

    def __repr__(self) -> str:
        return f"{type(self).__name__}({dict(self.written())!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (dict(self._trie),)
