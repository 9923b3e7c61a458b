"""HTML from escaped text, and the frame of a page with its style and script in it."""

from __future__ import annotations

from html import escape
from importlib import resources
from typing import Any, Final

_VOID: Final = frozenset({"meta", "line", "path", "br"})
_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'"
"""A page asks for nothing: no network, no other file."""


class Html(str):
    """Text that is HTML already."""

    __slots__ = ()


def tag(name: str, /, *children: object, **attributes: object) -> Html:
    """Return an element.

    Args:
        name: of the element.
        children: text, which is escaped, elements, or None for nothing.
        attributes: by name, with ``_`` for ``-`` and at the end of Python's own words; None leaves one out, True
            gives it without a value.
    """
    opened = f"{name}{''.join(_attribute(each, value) for each, value in attributes.items())}"
    if name in _VOID:
        return Html(f"<{opened}>")
    return Html(f"<{opened}>{joined(*children)}</{name}>")


def _attribute(name: str, value: object) -> str:
    if value is None or value is False:
        return ""
    name = name.rstrip("_").replace("_", "-")
    return f" {name}" if value is True else f' {name}="{escape(str(value))}"'


def joined(*children: object) -> Html:
    """Return children one after the other, text escaped."""
    parts = (child if isinstance(child, Html) else escape(str(child)) for child in children if child is not None)
    return Html("".join(parts))


def details(pairs: list[tuple[str, object]]) -> Html:
    """Return a list of names and what they stand for; pairs with None are left out."""
    shown = [(name, value) for name, value in pairs if value is not None]
    return tag("dl", *(joined(tag("dt", name), tag("dd", value)) for name, value in shown))


def document(title: str, *body: object) -> str:
    """Return a page."""
    head: list[Any] = [
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=_POLICY),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("title", title),
        tag("style", Html(_resource("style.css"))),
        tag("noscript", tag("style", Html("[hidden] { display: revert !important; }"))),
    ]
    main = tag("main", tag("h1", title), *body)
    script = tag("script", Html(_resource("page.js")))
    page = tag("html", tag("head", *head), tag("body", main, _ARROW, script), lang="en")
    return f"<!doctype html>\n{page}\n"


def _resource(name: str) -> str:
    return (resources.files(__package__) / name).read_text(encoding="utf-8")


_ARROW: Final = tag(
    "svg",
    tag(
        "marker",
        tag("path", d="M0 0 L8 4 L0 8 z"),
        id="arrow",
        viewBox="0 0 8 8",
        refX="7",
        refY="4",
        markerWidth="7",
        markerHeight="7",
        orient="auto",
    ),
    width="0",
    height="0",
    style="position:absolute",
    aria_hidden="true",
)
"""The head of the arrows of every timeline."""
