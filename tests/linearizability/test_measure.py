"""What ``mobstore bench`` says of the checker."""

from mobstore.properties.linearizability import measure


def test_every_target_is_measured_on_good_and_bad_histories(monkeypatch):
    """On small histories here: the figures are told by ``mobstore bench``."""
    drawn = measure._drawn
    monkeypatch.setattr(measure, "_drawn", lambda calls, *shape, bad: drawn(calls // 50, *shape, bad=bad))
    of_kind = measure._of_kind
    monkeypatch.setattr(measure, "_of_kind", lambda kind, *_, bad: of_kind(kind, 60, 4, bad=bad))
    lines = list(measure.measure(1))
    assert all(line.value > 0 for line in lines)
    verdicts = {line.found for line in lines}
    assert {"linearizable (chain)", "not linearizable (chain)"} <= verdicts
    for words in ("64 clients", "bad", "1,000 unknown", "100,000", "1,000,000", "memory"):
        assert any(words in line.name for line in lines), words
