"""``mobstore protocols``: how backends commit, move by move; the wrong ways, each with a trace; the mutants; and
what backends really do.

The proofs are those of ``mobstore prove --only protocol``.  A wrong protocol is refuted twice: something that must
be proved has a countermodel, and a shortest trace of few clients ends in an answer that no order of the calls
explains.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterator, Sequence

import attrs

from mobstore.properties import report
from mobstore.properties.proofs.obligation import Obligation, Replay
from mobstore.properties.proofs.solvers import model_of, question_of
from mobstore.properties.protocols import histories
from mobstore.properties.protocols.binding import Holding
from mobstore.properties.protocols.engines import holdings, wrong_holdings
from mobstore.properties.protocols.mutation import HARMLESS, Mutant, Notice, is_disproved, mutants, notice
from mobstore.properties.protocols.protocol import Move, Protocol
from mobstore.properties.protocols.simulation import PROTOCOLS, of_move
from mobstore.properties.protocols.wrong import WRONG, WrongProtocol


@attrs.frozen(eq=False)
class Refutation:
    """How a wrong protocol is refuted; None where it is not.

    Attributes:
        wrong: the protocol.
        obligation: the first obligation with a countermodel.
        countermodel: the smallest case of it that was looked for, in Python's values.
        trace: the moves of few clients, as a table.
    """

    wrong: WrongProtocol
    obligation: Obligation | None
    countermodel: Replay | None
    trace: tuple[str, ...] | None

    @property
    def is_refuted(self) -> bool:
        """Whether it is refuted in both ways, and Python confirms the countermodel."""
        return self.trace is not None and self.countermodel is not None and self.countermodel.confirmed


def refute(wrong: WrongProtocol) -> Refutation:
    """Refute a wrong protocol."""
    found = histories.search(wrong.protocol, wrong.setting)
    trace = None if found.violation is None else tuple(histories.trace_table(wrong.protocol, found.violation))
    for obligation in _suspects(wrong.protocol):
        assert obligation.small is not None
        question, assertions = question_of(obligation, obligation.small)
        model = model_of(assertions)
        if model is not None and question.replay is not None:
            return Refutation(wrong, obligation, question.replay(model), trace)
    return Refutation(wrong, None, None, trace)


def _suspects(protocol: Protocol) -> Iterator[Obligation]:
    """Iterate over the obligations about the moves of which something cannot be proved."""
    for move in protocol.moves:
        if is_disproved(protocol, move.name):
            yield from of_move(protocol, move)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``mobstore protocols``."""
    parser.add_argument("names", nargs="*", metavar="NAME", help="protocols, right or wrong (default: all)")
    parser.add_argument(
        "--mutants", action="store_true", help="leave out one thing after the other (two to three minutes)"
    )
    parser.add_argument("--backends", action="store_true", help="hold what backends really do to their protocols")
    parser.add_argument("--json", action="store_true", help="print the report as JSON")


def run(arguments: argparse.Namespace) -> int:
    """Tell and return the exit code: 1 when a wrong protocol is not refuted, or a mutant not noticed."""
    unknown = set(arguments.names) - {*PROTOCOLS, *WRONG}
    if unknown:
        names = ", ".join((*PROTOCOLS, *WRONG))
        print(f"mobstore protocols: there is no protocol {min(unknown)!r}: {names}", file=sys.stderr)
        return 2
    named = arguments.names or (*PROTOCOLS, *WRONG)
    right = [PROTOCOLS[name] for name in named if name in PROTOCOLS]
    if arguments.backends:
        return _run_backends(as_json=arguments.json)
    if arguments.mutants:
        return _run_mutants(right, as_json=arguments.json)
    refutations = (refute(WRONG[name]) for name in named if name in WRONG)
    if arguments.json:
        return _print_json(right, list(refutations))
    for protocol in right:
        _tell(protocol)
    missed = 0
    for refutation in refutations:
        _tell_wrong(refutation)
        missed += not refutation.is_refuted
    return int(missed > 0)


def _tell(protocol: Protocol) -> None:
    print(f"{protocol.name}: {protocol.sentence}.")
    columns = ("move", "from", "to", "statement", "in the atomic store")
    report.print_table("", columns, [_row(move) for move in protocol.moves])
    print()


def _row(move: Move) -> tuple[str, ...]:
    return (
        move.name,
        "the storage" if move.sources is None else ", ".join(move.sources),
        "–" if move.target is None else move.target,
        "–" if move.statement is None else move.statement,
        ", ".join(image.step.__name__ for image in move.images) or "–",
    )


def _tell_wrong(refutation: Refutation) -> None:
    wrong = refutation.wrong
    print(f"{wrong.name}: {wrong.mistake}.")
    if refutation.obligation is None:
        print("  NOT refuted: everything holds of it that must be proved")
    else:
        print(f"  refuted: {refutation.obligation.name}: {refutation.obligation.sentence}")
        print("  " + str(refutation.countermodel).replace("\n", "\n  "))
    lines = refutation.trace or ("NOT refuted: every history has a witness",)
    print("\n".join(f"  {line}" for line in lines), end="\n\n", flush=True)


def _print_json(right: Sequence[Protocol], refutations: Sequence[Refutation]) -> int:
    report.print_json(
        {
            "protocols": [
                {"name": each.name, "sentence": each.sentence, "moves": [_row(move) for move in each.moves]}
                for each in right
            ],
            "wrong": [
                {
                    "name": each.wrong.name,
                    "mistake": each.wrong.mistake,
                    "refuted": each.is_refuted,
                    "obligation": each.obligation and each.obligation.name,
                    "countermodel": each.countermodel and attrs.asdict(each.countermodel),
                    "trace": each.trace,
                }
                for each in refutations
            ],
        }
    )
    return int(not all(each.is_refuted for each in refutations))


# --- backends -------------------------------------------------------------------------------------------------


def _run_backends(*, as_json: bool) -> int:
    right, wrong = [], []
    for held in holdings():
        right.append(held)
        if not as_json:
            print(f"{held.backend}: {held.recordings} recordings, {len(held.refusals)} refused", flush=True)
            print("".join(f"  {why}\n" for why in held.refusals), end="")
    for held in wrong_holdings():
        wrong.append(held)
        if not as_json:
            print(f"{held.backend}: {_refused(held)}", flush=True)
    if as_json:
        report.print_json({"backends": list(map(_held_json, right)), "wrong": list(map(_held_json, wrong))})
    return int(any(held.refusals for held in right) or not all(held.refusals for held in wrong))


def _refused(held: Holding) -> str:
    """Return how often a backend was refused, and the commonest reason."""
    if not held.refusals:
        return "NOT refused"
    reasons = Counter(why.partition(": ")[2] for why in held.refusals)
    return f"{len(held.refusals)} of {held.recordings} recordings refused: {reasons.most_common(1)[0][0]}"


def _held_json(held: Holding) -> dict[str, object]:
    return {
        "backend": held.backend,
        "protocol": held.protocol.name,
        "recordings": held.recordings,
        "refusals": held.refusals,
    }


# --- mutants --------------------------------------------------------------------------------------------------


def _noticed(right: Sequence[Protocol]) -> Iterator[tuple[Mutant, Notice | None]]:
    for protocol in right:
        for mutant in mutants(protocol):
            yield mutant, notice(mutant)


def _run_mutants(right: Sequence[Protocol], *, as_json: bool) -> int:
    found: list[tuple[Mutant, Notice | None]] = []
    for mutant, by in _noticed(right):
        found.append((mutant, by))
        if by is not Notice.PROOF and not as_json:
            print(f"{mutant.name}: {by or HARMLESS.get(mutant.name, 'NOT noticed')}", flush=True)
    wrong = [mutant.name for mutant, by in found if (by is None) != (mutant.name in HARMLESS)]
    counts = Counter(by for _, by in found)
    if as_json:
        rows = [
            {"mutant": mutant.name, "noticed": by, "harmless": HARMLESS.get(mutant.name)} for mutant, by in found
        ]
        report.print_json({"mutants": rows, "wrong": wrong})
        return int(bool(wrong))
    noticed = ", ".join(f"{counts[by]} because {by}" for by in Notice if counts[by])
    print(f"\n{len(found)} mutants: {len(found) - counts[None]} noticed ({noticed}), {counts[None]} harmless")
    for name in wrong:
        print(f"{name}: {'noticed, but listed as harmless' if name in HARMLESS else 'NOT noticed'}")
    return int(bool(wrong))
