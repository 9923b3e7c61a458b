"""The immutable collections behave as the built-in ones do, and old versions stay."""

import copy
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from mobstore.model import FrozenMap, Log, OrderedTrieMap, SparseList, TrieMap

KEYS = st.sampled_from(["b", "a", "", "é", "B"])


class Numbers(SparseList[int]):
    """A sparse list of integers."""

    __slots__ = ()
    item = int

    @staticmethod
    def empty():
        return 0


class Words(Log[str]):
    """A log found by the word and by its first letter."""

    __slots__ = ()
    item = str

    @staticmethod
    def keys(entry):
        return entry, entry[:1]


class AgainstBuiltins(RuleBasedStateMachine):
    """Every collection beside the built-in one that it stands for."""

    def __init__(self):
        super().__init__()
        self.trie, self.ordered, self.log, self.sparse = TrieMap(), OrderedTrieMap(), Words(), Numbers()
        self.dict, self.list, self.places = {}, [], {}
        self.old = []

    @rule(key=KEYS, value=st.integers())
    def set_key(self, key, value):
        self.old.append((self.trie, dict(self.trie)))
        self.trie, self.ordered = self.trie.set(key, value), self.ordered.set(key, value)
        self.dict[key] = value

    @rule(key=KEYS)
    def discard_key(self, key):
        self.trie = self.trie.discard(key)
        self.dict.pop(key, None)
        self.ordered = OrderedTrieMap(self.dict)

    @rule(word=st.text("ab", min_size=1, max_size=2))
    def append(self, word):
        self.old.append((self.log, list(self.log)))
        self.log = self.log.append(word)
        self.list.append(word)

    @rule(place=st.integers(0, 10), value=st.integers(0, 3))
    def write(self, place, value):
        self.old.append((self.sparse, list(self.sparse)))
        self.sparse = self.sparse.set(place, value)
        self.places[place] = value

    @rule()
    def compare(self):
        dense = [self.places.get(place, 0) for place in range(max(self.places, default=-1) + 1)]
        assert dict(self.trie) == self.dict
        assert list(self.trie) == sorted(self.dict)
        assert list(self.ordered.items()) == list(self.dict.items())
        assert list(self.log) == self.list
        assert self.log[-3:] == tuple(self.list[-3:])
        assert list(self.sparse) == dense
        assert self.sparse == dense
        assert self.sparse == Numbers(dense)
        assert hash(self.sparse) == hash(Numbers(dense))
        for word in ("a", "b", "ab"):
            places = [place for place, entry in enumerate(self.list) if word in (entry, entry[:1])]
            assert self.log.last(word) == (places[-1] if places else None)

    def teardown(self):
        self.compare()
        for version, content in self.old:
            assert (dict(version) if isinstance(version, TrieMap) else list(version)) == content


TestAgainstBuiltins = AgainstBuiltins.TestCase


@given(st.dictionaries(KEYS, st.integers()), KEYS, st.integers())
def test_a_frozen_map_is_a_dict_in_key_order(items, key, value):
    """It equals the dict, iterates sorted, and `set` copies."""
    frozen = FrozenMap(items)
    assert frozen == items
    assert list(frozen) == sorted(items)
    changed = frozen.set(key, value)
    assert changed == {**items, key: value}
    assert list(changed) == sorted({**items, key: value})
    assert frozen == items


@pytest.mark.parametrize(
    "change",
    [
        lambda m: m.__setitem__("a", 2),
        lambda m: m.__delitem__("a"),
        lambda m: m.update(a=2),
        lambda m: m.pop("a"),
        lambda m: m.popitem(),
        lambda m: m.clear(),
        lambda m: m.setdefault("b", 1),
        lambda m: m.__ior__({"b": 1}),
        lambda m: setattr(m, "checked_by", None),
    ],
)
def test_a_frozen_map_refuses_every_change(change):
    """And the message says what to use instead."""
    frozen = FrozenMap({"a": 1})
    with pytest.raises(TypeError, match="`set` returns a changed copy"):
        change(frozen)
    assert frozen == {"a": 1}


@pytest.mark.parametrize(
    "value",
    [FrozenMap({"a": 1}), TrieMap({"a": 1}), OrderedTrieMap({"b": 1, "a": 2}), Words(["x", "y"]), Numbers([0, 1])],
)
def test_collections_can_be_copied_and_sent(value):
    """Copies and pickles are equal."""
    assert copy.deepcopy(value) == value
    assert pickle.loads(pickle.dumps(value)) == value
    assert hash(value) == hash(copy.copy(value))


def test_memory_follows_what_was_written_not_the_index():
    """A million places of which one is written are one entry."""
    sparse = Numbers().set(1_000_000, 1)
    assert len(sparse) == 1_000_001
    assert list(sparse.written()) == [(1_000_000, 1)]
    for same in (copy.deepcopy(sparse), pickle.loads(pickle.dumps(sparse))):
        assert same == sparse
        assert list(same.written()) == [(1_000_000, 1)]
    assert len(pickle.dumps(sparse)) < 200
    assert repr(sparse) == "Numbers({1000000: 1})"
