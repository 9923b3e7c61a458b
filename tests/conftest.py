"""What tests of several folders share."""

import pytest

from mobstore.properties.tla import tlc


@pytest.fixture
def with_tlc():
    """Skips where there is no TLC."""
    try:
        tlc.find()
    except tlc.NoTlc as missing:
        pytest.skip(str(missing))
