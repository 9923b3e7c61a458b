"""JSON is exact, bounded, and printed as the original prints it."""

import json
import math
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mobstore.model import MAX_DEPTH, Document, Payload, Serialization
from mobstore.model._json import dump_json, print_float

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("abé\x00", max_size=3), inner, max_size=4),
    max_leaves=12,
)


def _nested(depth):
    value = 0
    for _ in range(depth):
        value = [value]
    return value


@given(JSON)
def test_a_document_gives_back_what_it_was_made_of(value):
    """Floats, integers, order and text survive exactly."""
    again = Document.of(value).value
    assert json.dumps(again) == json.dumps(value)
    assert repr(again) == repr(value)


@given(JSON)
def test_a_payload_is_its_document_with_sorted_keys(value):
    """A payload prints its keys in order, and is equal to the document of the same value."""
    payload = Payload.of(value)
    assert payload == Document.of(value)
    json.loads(payload.text, object_pairs_hook=_assert_sorted)


def _assert_sorted(pairs):
    keys = [key for key, _ in pairs]
    assert keys == sorted(keys)


@given(st.dictionaries(st.text("abc", min_size=1), st.integers(0, 9), min_size=2))
def test_key_order_never_matters(value):
    """Two documents that differ in the order of keys are equal and hash alike."""
    turned = dict(reversed(value.items()))
    assert Document.of(value) == Document.of(turned)
    assert hash(Document.of(value)) == hash(Document.of(turned))


@pytest.mark.parametrize(("left", "right"), [(1, 1.0), (1, True), (0, False), (0.0, -0.0), ("1", 1), ([], {})])
def test_values_that_python_calls_equal_are_different_json(left, right):
    """Equality is that of JSON values, not of Python's."""
    assert Document.of(left) != Document.of(right)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1e300, "1e300"),
        (1e16, "1e16"),
        (1e15, "1000000000000000.0"),
        (123456789012345680.0, "1.2345678901234568e17"),
        (1e-5, "0.00001"),
        (1.5e-5, "0.000015"),
        (-1.25e-5, "-0.0000125"),
        (1e-6, "1e-6"),
        (5e-324, "5e-324"),
        (-0.0, "-0.0"),
        (0.1, "0.1"),
    ],
)
def test_floats_are_laid_out_as_the_original_lays_them_out(value, text):
    """Rust prints no plus sign, no leading zero in an exponent, and 1e-5 in full."""
    assert print_float(value) == text
    assert Document.of([value]).text == f"[{text}]"


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_printed_float_reads_back_to_the_same_bits(value):
    """No float drifts."""
    assert struct.pack("d", float(print_float(value))) == struct.pack("d", value)


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_exponents_inside_strings_are_left_alone(text):
    """Only numbers are laid out again."""
    value = [text + '1e+5"\\', 1e22]
    assert json.loads(dump_json(value)) == value


def test_nesting_is_bounded_at_one_hundred():
    """Exactly 100 containers inside one another are kept; one more is refused."""
    assert Document.of(_nested(MAX_DEPTH)).value == _nested(100)
    with pytest.raises(Serialization, match="nested deeper than 100"):
        Document.of(_nested(101))
    with pytest.raises(Serialization, match="nested deeper than 100"):
        Document.parse("[" * 100_000 + "]" * 100_000)


@pytest.mark.parametrize(
    "value", [math.nan, math.inf, 2**64, -(2**63) - 1, {1: 2}, {1, 2}, b"x", "\ud800", {"\ud800": 1}, object()]
)
def test_what_is_not_json_is_refused(value):
    """There is no document of it, wherever it stands."""
    with pytest.raises(Serialization):
        Document.of(value)
    with pytest.raises(Serialization):
        Payload.of({"deep": [value]})


@pytest.mark.parametrize("text", ["", "{", "NaN", "[Infinity]", "1e999", "1" * 5000, '"\\ud800"', "{'a':1}"])
def test_text_that_is_not_json_is_refused(text):
    """Text is read under the same rules as values."""
    with pytest.raises(Serialization):
        Document.parse(text)


def test_a_document_is_the_store_s_own():
    """What a caller does to its value afterwards changes nothing."""
    value = {"a": [1]}
    document = Document.of(value)
    value["a"].append(2)
    document.value["a"].append(3)
    assert document.value == {"a": [1]}
