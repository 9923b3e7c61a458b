"""What tests of several folders share."""

import os

import pytest

from mobstore.properties.tla import tlc


@pytest.fixture
def with_tlc():
    """Skips where there is no TLC, unless nothing may be skipped."""
    try:
        tlc.find()
    except tlc.NoTlc as missing:
        if os.environ.get("MOBSTORE_REQUIRE_TLC"):
            raise
        pytest.skip(str(missing))
