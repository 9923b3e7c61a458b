"""A verdict as a page: timelines, the points at which calls take effect, and the calls that cannot be explained."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from mobstore.properties.linearizability.explanation import explain, states_around
from mobstore.properties.linearizability.history import Call, History, Outcome
from mobstore.properties.linearizability.models import Model
from mobstore.properties.linearizability.verdict import Answer, ObjectVerdict, Verdict
from mobstore.properties.linearizability.words import compact, reason, short, told
from mobstore.properties.pages import Html, Link, Span, details, document, tag, timeline

_SHOWN_OBJECTS: Final = 20
_SHOWN_CALLS: Final = 300
_LISTED: Final = 40
_SHOWN_STATE: Final = 4000
_CLASSES: Final = {Answer.LINEARIZABLE: "good", Answer.NOT_LINEARIZABLE: "bad", Answer.UNKNOWN: "unknown"}
_WORST_FIRST: Final = (Answer.NOT_LINEARIZABLE, Answer.UNKNOWN, Answer.LINEARIZABLE)


def page(name: str, history: History, model: Model, verdict: Verdict, summary: Iterable[str]) -> str:
    """Return a page about a history: the objects with a failure first, those that are left out counted.

    Args:
        name: of the history.
        summary: lines about the whole.
    """
    parts = model.parts(history)
    objects = sorted(verdict.objects, key=lambda each: _WORST_FIRST.index(each.answer))
    shown = objects[:_SHOWN_OBJECTS]
    more = len(objects) - len(shown)
    sections = [
        _Object(history, model, parts.get(each.key, ()), each, str(number)).section()
        for number, each in enumerate(shown)
    ]
    return document(
        f"{name}: {verdict.answer.value}",
        tag("p", _badge(verdict.answer)),
        *(tag("p", line) for line in summary),
        _HELP,
        *sections,
        tag("p", f"{more:,} more objects are not shown: {_told(objects[_SHOWN_OBJECTS:])}.") if more else None,
    )


_HELP: Final = tag(
    "p",
    "A bar is a call, from its invocation to its response; events stand at equal distances. A dot is the point at ",
    "which it takes effect. Choose a bar, or walk with ",
    *itertools.chain.from_iterable((tag("kbd", key), " ") for key in ("←", "→", "↑", "↓")),
    "and with ",
    tag("kbd", "n"),
    " and ",
    tag("kbd", "p"),
    " from one offending call to the next.",
)


def _badge(answer: Answer) -> Html:
    return tag("span", answer.value, class_=f"verdict {_CLASSES[answer]}")


def _told(objects: Sequence[ObjectVerdict]) -> str:
    counts = {answer: sum(each.answer is answer for each in objects) for answer in _WORST_FIRST}
    return ", ".join(f"{count:,} {answer.value}" for answer, count in counts.items() if count)


class _Object:
    """The section about one object."""

    def __init__(
        self, history: History, model: Model, rows: Sequence[int], verdict: ObjectVerdict, number: str
    ) -> None:
        self._history, self._model, self._rows, self._verdict = history, model, rows, verdict
        self._number = number
        self._explained = explain(history, model, rows, verdict)
        self._place = {row: place for place, row in enumerate(self._explained.order)} if self._explained else {}
        self._offending = self._find_offending()
        self._shown = self._find_shown()
        order = () if self._explained is None else self._explained.order
        self._states, self._last = states_around(history, model, order, frozenset(self._shown))

    def _find_offending(self) -> list[int]:
        rows = set() if self._verdict.proof is None else set(self._verdict.proof.rows)
        if self._explained is not None and self._explained.offending is not None:
            rows.add(self._explained.offending)
        return sorted(rows)

    def _find_shown(self) -> list[int]:
        """The calls that are drawn: all, or those around the offending ones."""
        rows = list(self._rows)
        if len(rows) <= _SHOWN_CALLS:
            return rows
        offending = set(self._offending[:_SHOWN_CALLS])
        last = max(offending, default=rows[0])
        around = rows.index(last) if last in rows else 0
        start = max(0, min(around - _SHOWN_CALLS // 2, len(rows) - _SHOWN_CALLS))
        return sorted(offending.union(rows[start : start + _SHOWN_CALLS]))

    def section(self) -> Html:
        """Return the heading, the proof, the timeline, and one element for each call, of which one is shown."""
        verdict, left_out = self._verdict, len(self._rows) - len(self._shown)
        key = "" if verdict.key is None else f"object {short(compact(self._model.plain(verdict.key)))}: "
        return tag(
            "section",
            tag("h2", key, _badge(verdict.answer)),
            tag("p", f"{verdict.calls:,} calls, decided by {verdict.decided_by}."),
            *self._proof(),
            tag("p", f"{left_out:,} calls further away are not drawn.") if left_out else None,
            timeline("calls by process", [self._span(row) for row in self._shown], list(self._links())),
            tag("div", *(self._detail(row) for row in self._shown), class_="shown", aria_live="polite"),
        )

    def _id(self, row: int) -> str:
        return f"call-{self._number}-{row}"

    def _span(self, row: int) -> Span:
        call = self._history.call(row)
        mark = "bad" if row in self._offending else "" if call.outcome is Outcome.OK else "unknown"
        point = None if self._explained is None else self._explained.points.get(row)
        ends = call.res if call.outcome is Outcome.OK else None
        label = short(f"{call.f}{self._brief(call)}", 60)
        title = short(told(call, self._model))
        return Span(self._id(row), str(call.process), label, title, call.inv, ends, point, mark)

    def _brief(self, call: Call) -> str:
        value = "" if call.value is None else f" {compact(self._model.plain(call.value))}"
        return value if call.answer is None else f"{value} → {compact(self._model.plain(call.answer))}"

    def _links(self) -> Iterator[Link]:
        proof = self._verdict.proof
        for edge in () if proof is None else proof.edges:
            yield Link(self._id(edge.earlier), self._id(edge.later), reason(edge))

    def _proof(self) -> Iterator[Html]:
        verdict = self._verdict
        if verdict.bound is not None:
            yield tag("p", f"Unknown: {verdict.bound}.")
        if verdict.proof is None:
            return
        yield tag("p", tag("b", verdict.proof.kind), f": {short(verdict.proof.message, 400)}.")
        for state in verdict.proof.before[:3]:
            yield tag("p", "Before them: ", self._state(state))
        calls = verdict.proof.rows[-_LISTED:]
        texts = [(row, short(told(self._history.call(row), self._model))) for row in calls]
        yield tag("ul", *(tag("li", self._go(row, text)) for row, text in texts))
        if verdict.proof.edges:
            steps = verdict.proof.edges[:_LISTED]
            yield tag("p", "Step by step:")
            yield tag("ol", *(tag("li", self._go(edge.earlier, reason(edge))) for edge in steps))

    def _go(self, row: int, text: str) -> Html:
        return tag("button", text, type="button", class_="go", data_go=self._id(row))

    def _state(self, state: Any) -> Html:
        return _code(self._model.shown(state))

    def _detail(self, row: int) -> Html:
        call, plain = self._history.call(row), self._model.plain
        known = call.outcome is Outcome.OK
        shown: list[tuple[str, object]] = [
            ("call", f"{row}: {call.f} by process {call.process}"),
            ("key", None if call.key is None else _code(plain(call.key))),
            ("argument", None if call.value is None else _code(plain(call.value))),
            ("answered", _code(plain(call.answer)) if known else None),
            ("outcome", None if known else call.outcome.name.lower()),
            ("span", self._times(call)),
            *self._around(row),
        ]
        return tag("article", details(shown), id=self._id(row), hidden=True)

    def _times(self, call: Call) -> str:
        history, known = self._history, call.outcome is Outcome.OK
        span = f"event {call.inv} to {call.res if known else 'the end'}"
        began, ended = history.began[call.row], history.ended[call.row]
        return span if began is None else f"{span}; time {began} to {'the end' if ended is None else ended} ns"

    def _around(self, row: int) -> Iterator[tuple[str, object]]:
        """The states before and behind a call, in the one order that is shown."""
        explained = self._explained
        if explained is None:
            return
        place = self._place.get(row)
        if place is not None:
            yield "takes effect", f"as number {place + 1} of {len(explained.order)}"
            before, behind = self._states[row]
            yield "state before", self._state(before)
            yield "state behind", self._state(behind)
        elif row == explained.offending:
            yield from self._unexplained(row)
        elif self._history.outcome[row] is Outcome.OK and explained.offending is not None:
            yield "takes effect", "not asked: it ended behind the call that cannot be explained"

    def _unexplained(self, row: int) -> Iterator[tuple[str, object]]:
        would = self._model.step(self._last, self._history.f[row], self._history.value[row])[1]
        yield "cannot be explained", "what had happened before its response can be, and with this answer no longer"
        yield "state before it", self._state(self._last)
        yield "would be answered there", _code(self._model.plain(would))


def _code(value: Any) -> Html:
    return tag("code", short(compact(value), _SHOWN_STATE))
