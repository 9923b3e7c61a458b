"""A timeline: one lane for each process, time from left to right, a bar for each call.

The place of an event is its number, not its time, so that a burst of calls is as readable as a pause.  A bar is a
button: by pointer, touch or keyboard it shows the element whose id it names.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import attrs

from mobstore.properties.pages.html import Html, joined, tag

_STEP: Final = 44
"""Pixels between two events, if there are many; a few have up to `_WIDEST`, as long as `_ROOM` is enough."""
_WIDEST: Final = 112
_ROOM: Final = 660
_LANE: Final = 56
_LABEL: Final = 84
_POINT_Y: Final = 45
_ARROW_Y: Final = 48


@attrs.frozen
class Span:
    """A call.

    Attributes:
        id: of the element that shows it.
        lane: the process.
        label: a few words.
        title: all of it, for those who hover or listen.
        begins, ends: places; ``ends`` is None for a call that was not answered.
        point: where it took effect, between two places; None where nobody says.
        mark: ``"bad"`` for an offending call, ``"unknown"`` for one of unknown outcome, or nothing.
    """

    id: str
    lane: str
    label: str
    title: str
    begins: int
    ends: int | None
    point: float | None = None
    mark: str = ""


@attrs.frozen
class Link:
    """An arrow from one call to another, by their ids."""

    earlier: str
    later: str
    title: str


def timeline(name: str, spans: Sequence[Span], links: Sequence[Link] = ()) -> Html:
    """Return the timeline of calls.

    Args:
        name: what it shows, for those who listen.
        spans: the calls in the order of their beginnings.
        links: arrows between them.
    """
    lanes = list(dict.fromkeys(span.lane for span in spans))
    places = sorted({place for span in spans for place in (span.begins, span.ends) if place is not None})
    rank = {place: number for number, place in enumerate(places)}
    step = max(_STEP, min(_WIDEST, _ROOM // (len(places) + 1)))
    width = _LABEL + (len(places) + 1) * step
    bars = {span.id: _Bar(span, lanes.index(span.lane), rank, len(places), step) for span in spans}
    rows = [tag("div", tag("b", lane), class_="lane", style=f"top:{y * _LANE}px") for y, lane in enumerate(lanes)]
    arrows = [arrow for link in links if (arrow := _arrow(link, bars)) is not None]
    drawn = tag("svg", *arrows, width=width, height=len(lanes) * _LANE, aria_hidden="true")
    inside = joined(*rows, drawn, *(bar.html() for bar in bars.values()))
    board = tag("div", inside, class_="board", style=f"width:{width}px;height:{len(lanes) * _LANE}px")
    return tag("div", board, class_="timeline", role="group", aria_label=name)


class _Bar:
    """Where a call stands on the board."""

    def __init__(self, span: Span, lane: int, rank: Mapping[int, int], end: int, step: int) -> None:
        self.span, self.lane, self._step = span, lane, step
        self.left = _LABEL + rank[span.begins] * step
        self.right = _LABEL + (end if span.ends is None else rank[span.ends]) * step + step // 2
        self.point = None if span.point is None else self._at(span.point, rank)

    def _at(self, point: float, rank: Mapping[int, int]) -> int:
        """A point between two places, of which not all are shown."""
        before = int(point)
        shown = max((number for place, number in rank.items() if place <= before), default=0)
        x = _LABEL + shown * self._step + round((point - before) * self._step)
        return min(max(x, self.left + 4), self.right - 4)

    def html(self) -> Html:
        span = self.span
        classes = " ".join(filter(None, ("call", span.mark, "open" if span.ends is None else "")))
        place = f"left:{self.left}px;width:{self.right - self.left}px;top:{self.lane * _LANE + 8}px"
        bar = tag(
            "button",
            tag("span", span.label),
            type="button",
            class_=classes,
            style=place,
            title=span.title,
            data_shows=span.id,
            aria_pressed="false",
            tabindex="-1",
        )
        if self.point is None:
            return bar
        dot = tag("i", class_="point", style=f"left:{self.point}px;top:{self.lane * _LANE + _POINT_Y}px")
        return joined(bar, dot)


def _arrow(link: Link, bars: Mapping[str, _Bar]) -> Html | None:
    if link.earlier not in bars or link.later not in bars:
        return None
    earlier, later = bars[link.earlier], bars[link.later]
    x1 = earlier.point if earlier.point is not None else earlier.right
    x2 = later.point if later.point is not None else later.left
    y1, y2 = (bar.lane * _LANE + _ARROW_Y for bar in (earlier, later))
    return tag("line", x1=x1, y1=y1, x2=x2, y2=y2, marker_end="url(#arrow)")
