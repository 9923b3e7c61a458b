"""Calls, states and steps of a proof in words, for the terminal and for pages."""

from __future__ import annotations

import json
from typing import Any

from mobstore.properties.linearizability.history import Call, Outcome
from mobstore.properties.linearizability.models import Model
from mobstore.properties.linearizability.verdict import Edge, Relation, cell_name


def told(call: Call, model: Model) -> str:
    """Return a call in a line, with values as JSON."""
    given = [compact(model.plain(each)) for each in (call.key, call.value) if each is not None]
    known = call.outcome is Outcome.OK
    answered = f"-> {compact(model.plain(call.answer))}" if known else f"({call.outcome.name.lower()})"
    return f"{call.process}: {call.f}({', '.join(given)}) {answered}"


def compact(value: Any) -> str:
    """Return plain JSON in a line."""
    return json.dumps(value, ensure_ascii=False, default=str)


def reason(edge: Edge) -> str:
    """Return a step of a proof as a sentence."""
    where = "" if edge.cell is None else f" (cell {short(cell_name(edge.cell))})"
    until = "" if edge.until is None else f" call {edge.until}"
    said = {Relation.SQUEEZED: f"{edge.relation.value}:{until}"}.get(edge.relation, edge.relation.value)
    return f"call {edge.earlier} comes before call {edge.later}: {said}{where}"


def short(text: str, most: int = 160) -> str:
    """Return the text, or its beginning."""
    return text if len(text) <= most else f"{text[: most - 4]} ..."
