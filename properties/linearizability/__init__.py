"""Linearizability: record, read and check histories of concurrent calls; usable for histories of any system.

    from mobstore.properties.linearizability import CasRegister, Recorder, check

    recorder = Recorder()
    ...                                   # threads, tasks or processes call, and record
    verdict = check(recorder.history(), CasRegister())
    assert verdict.answer is Answer.LINEARIZABLE, verdict.first_failure

`history` and `jsonl` have the histories, `models` and `stores` what calls mean; `checker` decides by the algorithms
of `chain`, `graph`, `blocks` and `search`; `verdict` says what a check comes to, and `verify` checks that again.
"""

from mobstore.properties.linearizability.checker import check
from mobstore.properties.linearizability.history import Call, Event, History, MalformedHistory, Outcome, Recorder
from mobstore.properties.linearizability.jsonl import read_history
from mobstore.properties.linearizability.models import CasRegister, CellStore, KeyValue, Model
from mobstore.properties.linearizability.verdict import Answer, Limit, ObjectVerdict, Proof, Verdict
from mobstore.properties.linearizability.verify import recheck

__all__ = [
    "Answer",
    "Call",
    "CasRegister",
    "CellStore",
    "Event",
    "History",
    "KeyValue",
    "Limit",
    "MalformedHistory",
    "Model",
    "ObjectVerdict",
    "Outcome",
    "Proof",
    "Recorder",
    "Verdict",
    "check",
    "read_history",
    "recheck",
]
