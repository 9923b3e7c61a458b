"""Wherever the power is cut in a driver's calls, the authority log tells how the run came to be so."""

import sqlite3
from contextlib import closing

from mobstore.backends.sqlite._checks import install
from mobstore.properties.faults.disk import Disk
from mobstore.properties.faults.power import LEVELS, cut_calls
from mobstore.properties.faults.vfs import mounted
from mobstore.properties.faults.workflow import AUDITED, workflow_calls
from mobstore.properties.subject import ManualClock


def test_a_power_cut_in_a_driver_s_calls_leaves_a_log_that_tells_all():
    """In its first calls here; `mobstore durability` cuts all."""
    calls = workflow_calls()
    assert len(calls) > 40
    tallies = cut_calls(AUDITED, LEVELS["quick"], 1, calls[:12])
    assert [loss.story() for tally in tallies for loss in tally.losses] == []
    assert sum(tally.images for tally in tallies) > 200


def test_a_log_that_lacks_an_input_is_found_out():
    """By replaying it; so is one that has an input too many."""
    disk = Disk()
    with AUDITED.open(disk, ManualClock()) as stores:
        for call in workflow_calls():
            stores.execute(call)
    assert AUDITED.damage(disk) == ""
    for sql in (
        "DELETE FROM authority_inputs WHERE place = (SELECT max(place) FROM authority_inputs)",
        "INSERT INTO authority_inputs SELECT run, place + 1, input FROM authority_inputs ORDER BY 2 DESC LIMIT 1",
    ):
        spoiled = Disk(disk.image())
        with mounted(spoiled) as uri, closing(sqlite3.connect(uri, uri=True, isolation_level=None)) as connection:
            install(connection)
            connection.execute(sql)
        assert "authority log" in AUDITED.damage(spoiled)
