"""What the backends really do is a path of the proved protocols; what changed backends do is not."""

import collections
import re

import attrs
import pytest

from mobstore.backends.sqlite import OutcomeUnknown
from mobstore.model import OPERATIONS, WriteFailed
from mobstore.model import operations as ops
from mobstore.properties import cli
from mobstore.properties.protocols import command
from mobstore.properties.protocols.binding import Acceptor, record_memory, record_sqlite, statement_of
from mobstore.properties.protocols.engines import MEMORY_ENGINES, SQLITE_HANDLERS, wrong_holdings
from mobstore.properties.protocols.memory import MEMORY
from mobstore.properties.protocols.optimistic import OptimisticState
from mobstore.properties.protocols.protocol import Statement
from mobstore.properties.protocols.sqlite import SQLITE
from mobstore.properties.protocols.wrong import WRONG

# A subscription is no call on the storage: it reads where the feed is.
CALLS = {kind.call: kind for kind in OPERATIONS.values() if kind is not ops.Subscribe}


@pytest.fixture(scope="module")
def of_sqlite():
    return list(record_sqlite(failing=True))


@pytest.fixture(scope="module")
def of_memory():
    return list(record_memory())


@pytest.mark.parametrize("protocol", [SQLITE, MEMORY], ids=["sqlite", "memory"])
def test_what_a_backend_does_is_a_path_of_its_protocol(protocol, request):
    acceptor = Acceptor(protocol)
    recorded = request.getfixturevalue(f"of_{protocol.name}")
    refusals = [why for each in recorded if (why := acceptor.refusal(each)) is not None]
    assert refusals == []
    assert {each.call for each in recorded} == set(CALLS)


def test_every_kind_of_end_was_recorded(of_sqlite):
    """Success, mismatch, refusal, failure and an unknown outcome, of every row that can have it."""
    ends = collections.defaultdict(set)
    for each in of_sqlite:
        ends[each.call] |= {*each.endings, type(each.error).__name__}
    assert all({"done", "failed", None} <= found for call, found in ends.items() if not CALLS[call].reads)
    twins = [call for call in ends if call.endswith("_with_authority")]
    assert len(twins) == 10
    assert all({"mismatch", "Internal"} <= ends[call] for call in twins)


def test_every_statement_failed_somewhere(of_sqlite):
    """By itself and by the disk, a COMMIT included."""
    failed = {each.deeds[each.failed] for each in of_sqlite if each.failed is not None}
    assert failed == {Statement.BEGIN_IMMEDIATE, Statement.SELECT, Statement.CHANGE, Statement.COMMIT}


def test_every_backend_of_a_wrong_protocol_is_rejected():
    for held in wrong_holdings():
        assert held.recordings > 50, held.backend
        assert held.refusals, held.backend


def test_every_wrong_protocol_of_the_backends_has_a_backend():
    """But those of the storage itself, which no handler can change."""
    of_storage = {"answer-before-sync", "log-begun-anew-too-early"}
    of_nobody = {name for name, wrong in WRONG.items() if wrong.protocol.state is OptimisticState}
    made = {*SQLITE_HANDLERS, *MEMORY_ENGINES}
    assert made - {"reads-in-pieces"} == set(WRONG) - of_storage - of_nobody


def test_the_command_holds_backends(monkeypatch, capsys):
    assert cli.main(["protocols", "--backends"]) == 0
    shown = capsys.readouterr().out
    assert shown.count(" recordings, 0 refused") == 2
    assert re.search("no-lock: [0-9]+ of [0-9]+ recordings refused: after read the state, ", shown)
    monkeypatch.setattr(command, "holdings", wrong_holdings)
    assert cli.main(["protocols", "--backends", "--json"]) == 1


def test_a_statement_that_no_protocol_has_is_refused(of_sqlite):
    acceptor = Acceptor(SQLITE)
    assert statement_of("  BEGIN\n IMMEDIATE") is Statement.BEGIN_IMMEDIATE
    assert statement_of("BEGIN EXCLUSIVE") == "BEGIN EXCLUSIVE"
    first = next(each for each in of_sqlite if each.error is None)
    odd = attrs.evolve(first, deeds=("VACUUM", *first.deeds))
    assert "VACUUM" in acceptor.refusal(odd)


def test_a_transaction_that_an_error_leaves_open_is_refused(of_sqlite):
    acceptor = Acceptor(SQLITE)
    broken = next(each for each in of_sqlite if each.failed and each.deeds[-1] is Statement.ROLLBACK)
    assert acceptor.refusal(broken) is None
    assert "does not answer failed" in acceptor.refusal(attrs.evolve(broken, deeds=broken.deeds[:-1]))


def test_an_unknown_outcome_is_no_definite_error(of_sqlite):
    """Who could not commit may not say that nothing happened."""
    acceptor = Acceptor(SQLITE)
    unknown = next(each for each in of_sqlite if isinstance(each.error, OutcomeUnknown))
    assert acceptor.refusal(unknown) is None
    definite = attrs.evolve(unknown, error=WriteFailed("no"))
    assert acceptor.refusal(definite) is not None
