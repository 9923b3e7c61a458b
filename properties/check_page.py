"""The report of ``mobstore check`` as a page: level, chapters, bounds, seed, counterexamples with their calls."""

from __future__ import annotations

import platform
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from mobstore.properties import report
from mobstore.properties.chapter import Context, Result, Verdict
from mobstore.properties.chapters import CHAPTERS
from mobstore.properties.known import stale
from mobstore.properties.levels import Level, awarded, level_of
from mobstore.properties.pages import Html, Span, details, document, tag, timeline
from mobstore.properties.source import BETWEEN

_PROMISES: Final = {chapter.name: chapter.promise for chapter in CHAPTERS}
_CLASSES: Final = {
    Verdict.PASSED: "good",
    Verdict.FAILED: "bad",
    Verdict.UNKNOWN: "unknown",
    Verdict.NOT_APPLICABLE: "none",
}
_OPEN: Final = (Verdict.FAILED, Verdict.UNKNOWN)


def page(context: Context, results: Sequence[Result], known: Mapping[str, str]) -> str:
    """Return the page of a run: what failed is open, the rest opens by a touch or a key."""
    verdict = report.overall(results, known)
    no_longer = stale(results, known)
    return document(
        f"{context.name}: {verdict.value}",
        tag("p", _badge(verdict)),
        details(
            [
                ("level", str(awarded(results) or "none")),
                ("next level", report.next_level(results) or None),
                ("chapters", report.counted(results)),
                ("calls", f"{sum(result.calls for result in results):,}"),
                ("seconds", f"{sum(result.seconds for result in results):.1f}"),
                ("declared", str(context.capabilities)),
                ("tried by", f"profile {context.profile.name}, seed {context.seed}"),
                ("Python", platform.python_version()),
                ("again", _code(report.command(context))),
            ]
        ),
        *(tag("p", f"No longer fails, so that its line must go: {name}: {known[name]}") for name in no_longer),
        *_what_failed(results),
        *_by_level(context, results, known),
    )


def _what_failed(results: Sequence[Result]) -> Iterator[Html]:
    """What a reader looks for first: each chapter that failed, or could not tell, in a line that leads to it."""
    lines = [
        tag(
            "li",
            _badge(result.verdict),
            tag("a", result.chapter, href=f"#{_place(result.chapter)}", class_="go"),
            f" {result.detail}",
        )
        for result in results
        if result.verdict in _OPEN
    ]
    if lines:
        yield tag(
            "nav", tag("h2", "what to look at"), tag("ul", *lines, class_="plain"), aria_label="what to look at"
        )


def _place(chapter: str) -> str:
    return f"chapter-{chapter}"


def _by_level(context: Context, results: Sequence[Result], known: Mapping[str, str]) -> Iterator[Html]:
    run = {result.chapter: result for result in results}
    due = list(dict.fromkeys((*_PROMISES, *run)))
    for level in Level:
        yield tag("h2", str(level))
        of_level = [name for name in due if level_of(name) is level]
        yield from (_chapter(context, name, run[name], known.get(name)) for name in of_level if name in run)
        left_out = [name for name in of_level if name not in run]
        if left_out:
            shown = tag("span", "left out", class_="verdict none")
            yield tag("p", shown, f" {', '.join(left_out)}", class_="chapter")


def _badge(verdict: Verdict) -> Html:
    return tag("span", verdict.value, class_=f"verdict {_CLASSES[verdict]}")


def _code(text: str) -> Html:
    return tag("code", text)


def _chapter(context: Context, name: str, result: Result, known: str | None) -> Html:
    failed = result.verdict is Verdict.FAILED
    told: list[tuple[str, object]] = [
        ("promise", _PROMISES.get(name)),
        ("tried" if result.verdict is Verdict.PASSED else "found", result.detail),
        ("step", result.step or None),
        ("calls", f"{result.calls:,} in {result.seconds:.1f} s"),
        ("known to fail", known if failed else None),
        ("again", _code(report.command(context, name))),
    ]
    return tag(
        "details",
        tag("summary", _badge(result.verdict), f" {name}"),
        details(told),
        *(_counterexample(result) if result.counterexample else ()),
        class_="chapter",
        id=_place(name),
        open=result.verdict in _OPEN,
    )


def _counterexample(result: Result) -> Iterator[Html]:
    """The calls one after the other, each of which is shown when it is chosen, and the program to paste."""
    if result.trace:
        spans = [
            Span(
                f"{result.chapter}-{place}",
                each.lane,
                each.name,
                each.source,
                each.begins,
                each.ends,
                mark="bad" if each.wrong else "",
            )
            for place, each in enumerate(result.trace)
        ]
        yield timeline(f"the calls that {result.chapter} fails by", spans)
        articles = (
            tag(
                "article",
                details(
                    [
                        ("between calls" if each.lane == BETWEEN else "call", _code(each.source)),
                        ("the contract says", _code(each.expected) if each.expected else None),
                        ("the backend answered", _code(each.answered) if each.answered else None),
                    ]
                ),
                id=f"{result.chapter}-{place}",
                hidden=True,
            )
            for place, each in enumerate(result.trace)
        )
        yield tag("div", *articles, class_="shown", aria_live="polite")
    yield tag("pre", result.counterexample, tabindex="0", class_="program")
