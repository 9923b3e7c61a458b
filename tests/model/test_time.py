"""Times keep nanoseconds, leap seconds and years of more than four digits."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mobstore.model import Serialization, Timestamp


@given(st.datetimes(timezones=st.timezones()))
def test_any_aware_datetime_becomes_its_instant(value):
    """Whatever the zone, and without losing a microsecond."""
    assert Timestamp.of(value).to_datetime() == value.astimezone(UTC)


@given(st.integers(-8_334_500_000_000, 8_210_200_000_000), st.integers(0, 1_999_999_999))
def test_what_is_printed_reads_back(seconds, nanos):
    """Almost every instant from year -262142 to 262142, leap seconds included."""
    time = Timestamp(seconds // 60 * 60 + 59, nanos)
    assert Timestamp.parse(str(time)) == time
    assert Timestamp.parse(time.rfc3339()) == time


@given(st.integers(-(10**18), 10**19))
def test_the_order_is_that_of_the_instants(nanos):
    """A time is later when its count of nanoseconds is."""
    assert Timestamp.from_nanos(nanos) < Timestamp.from_nanos(nanos + 1)


@given(st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30)))
def test_the_calendar_is_that_of_the_standard_library(value):
    """Dates agree with `datetime` wherever it has any."""
    assert str(Timestamp.of(value.replace(tzinfo=UTC)))[:19] == value.isoformat()[:19]


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("2026-01-01T00:00:00.100Z", "2026-01-01T00:00:00.100Z"),
        ("2026-01-01T00:00:00.12Z", "2026-01-01T00:00:00.120Z"),
        ("2026-01-01T00:00:00.0000001Z", "2026-01-01T00:00:00.000000100Z"),
        ("2026-01-01T00:00:00.000000000Z", "2026-01-01T00:00:00Z"),
        ("2026-01-01t05:30:00+05:30", "2026-01-01T00:00:00Z"),
        ("2025-12-31T23:00:00.5-01:00", "2026-01-01T00:00:00.500Z"),
        ("2026-12-31T23:59:60Z", "2026-12-31T23:59:60Z"),
        ("2027-01-01T00:59:60.25+01:00", "2026-12-31T23:59:60.250Z"),
        ("0000-01-01T00:00:00Z", "0000-01-01T00:00:00Z"),
        ("+10000-01-01T00:00:00Z", "+10000-01-01T00:00:00Z"),
        ("-0001-01-01T00:00:00Z", "-0001-01-01T00:00:00Z"),
        ("2024-02-29T00:00:00Z", "2024-02-29T00:00:00Z"),
    ],
)
def test_forms_of_the_original(text, printed):
    """As many digits of fraction as needed, in threes; always Z."""
    assert str(Timestamp.parse(text)) == printed


def test_a_leap_second_lies_between_its_neighbours():
    """It is after the last nanosecond of :59 and before the next minute."""
    before, leap, after = (
        Timestamp.parse(f"{text}Z")
        for text in ("2026-12-31T23:59:59.999999999", "2026-12-31T23:59:60", "2027-01-01T00:00:00")
    )
    assert before < leap < after


@pytest.mark.parametrize(
    "value",
    [
        "2026-01-01",
        "2026-01-01T00:00:00",
        "2026-01-01T00:00:00.1234567890Z",
        "2026-02-29T00:00:00Z",
        "2026-00-01T00:00:00Z",
        "2026-01-01T24:00:00Z",
        "2026-01-01T00:60:00Z",
        "2026-01-01T00:00:61Z",
        "2026-01-01T00:00:00+24:00",
        "+262143-01-01T00:00:00Z",
        "٢٠٢٦-01-01T00:00:00Z",
        datetime(2026, 1, 1),
        0,
        None,
    ],
)
def test_what_names_no_instant_is_refused(value):
    """Nothing is guessed, and no digit is dropped."""
    with pytest.raises(Serialization):
        Timestamp.of(value)


@pytest.mark.parametrize(("seconds", "nanos"), [(0, -1), (0, 10**9), (58, 10**9), (59, 2 * 10**9)])
def test_a_fraction_lies_within_its_second(seconds, nanos):
    """Only the last second of a minute can be followed by a leap second."""
    with pytest.raises(Serialization, match="not within a second"):
        Timestamp(seconds, nanos)


def test_offsets_of_seconds_are_kept():
    """Python knows offsets of less than a minute."""
    east = datetime(2026, 1, 1, 0, 0, 30, tzinfo=timezone(timedelta(seconds=30)))
    assert str(Timestamp.of(east)) == "2026-01-01T00:00:00Z"
