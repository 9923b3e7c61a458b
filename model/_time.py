"""Times as the contract has them: UTC, nanoseconds, leap seconds, years beyond four digits (section 2)."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final

import attrs

from mobstore.model._errors import Serialization

_NANOS: Final = 1_000_000_000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_RFC3339: Final = re.compile(
    r"([+-]?)(\d{4,6})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(?:[Zz]|([+-])(\d\d):(\d\d))",
    re.ASCII,
)
_MAX_YEAR: Final = 262_142
_MONTH_DAYS: Final = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


@attrs.frozen(order=True, repr=False)
class Timestamp:
    """An instant: ``seconds`` since 1970-01-01T00:00:00Z, and ``nanos`` after it.

    ``nanos`` reaches from 0 to 1,999,999,999: at and above 1,000,000,000 the instant lies in a leap second,
    which sorts after the last ordinary nanosecond before it, and before the next second.
    """

    seconds: int
    nanos: int = 0

    def __attrs_post_init__(self) -> None:
        """Raise `Serialization` for a fraction that no second has: only the last of a minute can be a leap one."""
        if not 0 <= self.nanos < (2 * _NANOS if self.seconds % 60 == 59 else _NANOS):
            raise Serialization(f": {self.nanos} nanoseconds are not within a second")

    @classmethod
    def from_nanos(cls, nanos: int) -> Timestamp:
        """Return the instant ``nanos`` nanoseconds after the epoch (what ``time.time_ns`` counts)."""
        return cls(*divmod(nanos, _NANOS))

    @classmethod
    def of(cls, value: object) -> Timestamp:
        """Return ``value`` (a ``Timestamp``, an aware ``datetime``, or RFC 3339 text) as a ``Timestamp``.

        Raises:
            Serialization: it is none of these, is naive, or has more than nine digits of fraction.
        """
        if isinstance(value, Timestamp):
            return value
        if isinstance(value, datetime):
            return cls._of_datetime(value)
        if isinstance(value, str):
            return cls.parse(value)
        raise Serialization(f": {value!r} is not a time (a Timestamp, an aware datetime, or RFC 3339 text)")

    @classmethod
    def _of_datetime(cls, value: datetime) -> Timestamp:
        if value.tzinfo is None:
            raise Serialization(f": {value!r} has no time zone, so it names no instant")
        since = value - _EPOCH
        return cls(since.days * 86_400 + since.seconds, since.microseconds * 1000)

    @classmethod
    def parse(cls, text: str) -> Timestamp:
        """Read RFC 3339 text with any offset; a fraction has at most nine digits, so that none is lost.

        Raises:
            Serialization: the text is no RFC 3339 time.
        """
        match = _RFC3339.fullmatch(text)
        if match is None:
            raise Serialization(f": {text[:80]!r} is not an RFC 3339 time with at most nine digits of fraction")
        sign, digits, month, day, hour, minute, second, fraction, offset, off_hours, off_minutes = match.groups()
        year = -int(digits) if sign == "-" else int(digits)
        seconds = _seconds(text, year, int(month), int(day), int(hour), int(minute), int(second))
        nanos = int((fraction or "").ljust(9, "0"))
        if second == "60":
            seconds, nanos = seconds - 1, nanos + _NANOS
        if offset:
            if int(off_hours) > 23 or int(off_minutes) > 59:
                raise Serialization(f": {text!r} has an offset that does not exist")
            east = int(off_hours) * 3600 + int(off_minutes) * 60
            seconds += east if offset == "-" else -east
        return cls(seconds, nanos)

    def __str__(self) -> str:
        return f"{self._date_and_time()}Z"

    def rfc3339(self) -> str:
        """Return the form with a numeric offset, as the original keeps it in columns of its own."""
        return f"{self._date_and_time()}+00:00"

    def _date_and_time(self) -> str:
        days, second_of_day = divmod(self.seconds, 86_400)
        year, month, day = _civil(days)
        minutes, second = divmod(second_of_day, 60)
        nanos = self.nanos
        if nanos >= _NANOS:
            second, nanos = second + 1, nanos - _NANOS
        shown_year = f"{year:04d}" if 0 <= year <= 9999 else f"{year:+05d}"
        date = f"{shown_year}-{month:02d}-{day:02d}"
        return f"{date}T{minutes // 60:02d}:{minutes % 60:02d}:{second:02d}{_fraction(nanos)}"

    def __repr__(self) -> str:
        return f"Timestamp.parse({str(self)!r})"

    def to_datetime(self) -> datetime:
        """Return the instant as an aware ``datetime``, which keeps microseconds only (the rest is cut off).

        Raises:
            OverflowError: the year lies outside 1 to 9999.
        """
        return _EPOCH + timedelta(seconds=self.seconds, microseconds=min(self.nanos, _NANOS - 1) // 1000)


def _seconds(text: str, year: int, month: int, day: int, hour: int, minute: int, second: int) -> int:
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    if not (
        1 <= month <= 12
        and 1 <= day <= _MONTH_DAYS[month - 1] + (leap and month == 2)
        and hour <= 23
        and minute <= 59
        and second <= 60
        and abs(year) <= _MAX_YEAR
    ):
        raise Serialization(f": {text!r} names a date or a time of day that does not exist")
    return _days(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second


def _days(year: int, month: int, day: int) -> int:
    """Days from 1970-01-01 in the proleptic Gregorian calendar, years counted from March."""
    shifted = year - (month <= 2)
    era, year_of_era = divmod(shifted, 400)
    day_of_year = (153 * ((month + 9) % 12) + 2) // 5 + day - 1
    return era * 146_097 + year_of_era * 365 + year_of_era // 4 - year_of_era // 100 + day_of_year - 719_468


def _civil(days: int) -> tuple[int, int, int]:
    """Inverse of `_days`."""
    era, day_of_era = divmod(days + 719_468, 146_097)
    year_of_era = (day_of_era - day_of_era // 1460 + day_of_era // 36_524 - day_of_era // 146_096) // 365
    day_of_year = day_of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    shifted_month = (5 * day_of_year + 2) // 153
    month = (shifted_month + 2) % 12 + 1
    day = day_of_year - (153 * shifted_month + 2) // 5 + 1
    return year_of_era + era * 400 + (month <= 2), month, day


def _fraction(nanos: int) -> str:
    """0, 3, 6 or 9 digits: as few as keep the value."""
    if nanos == 0:
        return ""
    if nanos % 1_000_000 == 0:
        return f".{nanos // 1_000_000:03d}"
    if nanos % 1000 == 0:
        return f".{nanos // 1000:06d}"
    return f".{nanos:09d}"
