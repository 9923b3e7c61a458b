"""The page of claims: what is proved and how far, what is tested, what is assumed and why one may."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final

from mobstore.properties.companions import ASSUMED_OF_CALLERS
from mobstore.properties.proofs.obligation import ASSUMPTIONS, Aim, Obligation
from mobstore.properties.proofs.registry import obligations
from mobstore.properties.proofs.scoring import EQUIVALENT

KINDS: Final[dict[str, str]] = {
    "call": (
        "A changing call of the runs, the supervisor authorities, the overlays, the specs or the profiles answers, "
        "writes and leaves alone what the contract's sentence says; a call that fails, or answers false, changes "
        "nothing; of two calls with one expectation one wins; a twin is the plain call and its log."
    ),
    "required": "A transition of a machine does what the contract asks of it, and is refused where it has to be.",
    "inductive": "An invariant of a machine is kept by a transition, or holds of it.",
    "composed": (
        "An invariant of a whole run, or a companion that the others rest on, is kept by a commit of the table, "
        "made by its wrapper; what the wrapper does not compare may have changed since it was read."
    ),
    "created": "It holds of a run that was just created.",
    "repeated": "An input that a commit repeats for many nodes comes to what is said of it at once.",
    "relied": "What a commit looks at and does not compare stays as it relies on.",
    "first": "An invariant holds in the first state of its machine.",
    "taken": "A transition can be taken where every invariant holds.",
    "applies": "An invariant has something to say.",
    "protocol": (
        "A backend's way to commit is one atomic step: its invariants are inductive, and each move is what the "
        "atomic store does, or nothing."
    ),
    "own": "An invariant does not follow from the others.",
}
"""The kinds of obligations, by the first part of their names, and what each says."""

_TESTED: Final[dict[str, str]] = {
    "the event store (cursors, polls, prunes, subscriptions, terminal events)": (
        "its answers depend on what is inside documents; refinement compares them, threads race on it"
    ),
    "reading calls": "they answer the state itself; refinement compares every answer",
    "that a backend's code does what `step` does": (
        "refinement, recorded calls, the linearizability checker; the statements that it sends are held against "
        "the proved commit protocols"
    ),
    "that drivers make no other commits than those of the table, and come to an end": (
        "workflows by turns with deaths at every point: the invariants and companions are looked at after each call"
    ),
    "the effects of transitions": "the recorded transitions pin each exactly (`mobstore replay`)",
    "crashes and failing disks": "every operation of a simulated disk (`mobstore durability`)",
}
"""What is not proved, and how it is checked instead."""


_PAGE: Final = """\
# Claims

Made from the obligations by `mobstore.properties.generate`: do not edit. `mobstore prove` settles them all in Z3
and in cvc5, each on its own; `unknown` and a time-out are failures. [The index](obligations.md) lists them.

## What is proved

*Unbounded*: any number of ids, frames, loops, entries, outputs, iterations, clients. *An example*: something that
can happen is shown by a case, which needs no more.

| kind | claim | obligations | scope |
|---|---|---|---|
{kinds}

{bounded}

What is proved of calls is proved of the source of `step`, executed on symbols; of machines, of the terms that run.
The rows and the machines are changed in one place at a time (`mobstore prove --mutants`), and each change must
refute an obligation, by a case that Python confirms. Not scored are the code of `step` and the table of commits, of
which tests change some places. These {number} changes no case shows:

{equivalent}

## What is tested, not proved

| what | how |
|---|---|
{tested}

## What is assumed

| assumption | why one may |
|---|---|
{assumed}

Of whoever commits this is assumed, and nothing else:

{callers}
"""

_ALSO_ASSUMED: Final = {
    "solvers": "Z3 and cvc5 share no code; a wrong `unsat` would have to be given by both",
    "symbolic execution": (
        "`properties/proofs/_execution.py` replaces the model's vocabulary by symbols; every countermodel that it "
        "leads to is made in Python and must come to what it foretold"
    ),
}


_CALLERS: Final = {each.name: each.sentence for each in ASSUMED_OF_CALLERS}


def page() -> str:
    """Return the page."""
    every = list(obligations())
    reasons = dict.fromkeys(EQUIVALENT.values())
    return _PAGE.format(
        kinds="\n".join(_kind(kind, said, every) for kind, said in KINDS.items()),
        bounded=_bounded(every),
        number=len(EQUIVALENT),
        equivalent="\n".join(f"- {reason}: {_places(reason)}." for reason in reasons),
        tested="\n".join(f"| {what} | {how} |" for what, how in _TESTED.items()),
        assumed="\n".join(f"| {key} | {reason} |" for key, reason in (ASSUMPTIONS | _ALSO_ASSUMED).items()),
        callers="\n".join(f"- *{name}*: {sentence}" for name, sentence in _CALLERS.items()),
    )


def _kind(kind: str, said: str, every: Sequence[Obligation]) -> str:
    of_kind = [each for each in every if each.name.partition("/")[0] == kind]
    scopes = Counter(
        "an example" if each.aim is Aim.POSSIBLE else "unbounded" if each.scope.is_unbounded else each.scope.text
        for each in of_kind
    )
    shown = "; ".join(f"{scope} ({number})" if len(scopes) > 1 else scope for scope, number in scopes.items())
    return f"| {kind} | {said} | {len(of_kind)} | {shown} |"


def _bounded(every: Sequence[Obligation]) -> str:
    bounded = [each for each in every if each.aim is Aim.VALID and not each.scope.is_unbounded]
    listed = "; ".join(f"`{each.name}` ({each.scope.text})" for each in bounded)
    return f"Proved with a bound only: {listed}." if listed else "Nothing that holds always is proved with a bound."


def _places(reason: str) -> str:
    return ", ".join(f"`{name}`" for name, why in EQUIVALENT.items() if why == reason)


_INDEX: Final = """\
# Obligations

Made from the obligations by `mobstore.properties.generate`: do not edit. Each is a question in SMT-LIB 2 that
stands alone: `mobstore prove --export DIR` writes `DIR/NAME.smt2`. What *holds always* is answered `unsat`, what
*can happen* `sat`. `sh DIR/check.sh` asks a program about all of them (`cvc5 --enum-inst`, or the one that it is
given), and tells what is answered otherwise: take a cvc5 of our days, for version 1.0.3 finds no answer to three of
them within 20 seconds, which 1.4.2 answers in a tenth of one. `*` stands for each transition.

| obligation | what it says | aim | scope |
|---|---|---|---|
"""


def index(listed: Iterable[Obligation]) -> str:
    """Return the page that lists obligations; those that differ only in the transition, in one line."""
    lines = []
    groups: dict[tuple[str, str, str], list[Obligation]] = {}
    for each in listed:
        general, _, particular = each.name.rpartition("/")
        name = f"{general}/*" if particular in each.sentence.split() else each.name
        groups.setdefault((name, each.aim.value, each.scope.text), []).append(each)
    for (name, aim, scope), members in groups.items():
        said = members[0].sentence if len(members) == 1 else members[0].sentence.rpartition(". ")[0] + "."
        count = f" ({len(members)})" if len(members) > 1 else ""
        lines.append(f"| `{name}`{count} | {said} | {aim} | {scope} |")
    return _INDEX + "\n".join(lines) + "\n"


CHECK: Final = """\
#!/bin/sh
# Asks a solver about every question here: sh check.sh [SOLVER [OPTION ...]], by default cvc5 --enum-inst.
# What a file expects stands in it: (set-info :status ...).  Any other answer is told, and makes the exit code 1.
cd "$(dirname "$0")" || exit 2
[ $# -gt 0 ] || set -- cvc5 --enum-inst
command -v "$1" > /dev/null || { echo "there is no program $1" >&2; exit 2; }
find . -name '*.smt2' | sort | {
    asked=0 wrong=0
    while read -r file; do
        wanted=$(sed -n 's/^(set-info :status \\(.*\\))$/\\1/p' "$file")
        found=$("$@" "$file" 2>&1 < /dev/null | head -n 1)
        asked=$((asked + 1))
        [ "$found" = "$wanted" ] || { wrong=$((wrong + 1)); echo "$file: $found, not $wanted"; }
    done
    echo "$asked questions, $wrong not answered as expected"
    [ "$asked" -gt 0 ] && [ "$wrong" -eq 0 ]
}
"""
"""The script that asks any solver about exported questions."""
