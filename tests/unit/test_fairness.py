"""What Temporal is told of on whose behalf a thread runs."""

import pytest

from cli.temporal import LONGEST_KEY, on_behalf_of


@pytest.mark.parametrize("tenant", ["acme", "x" * 64, "x" * 65, "ä" * 40, "\ud800" * 30])
def test_a_key_is_one_that_temporal_takes(tenant: str) -> None:
    """The tenant itself where it is short enough, else something of the same kind for each tenant."""
    key = on_behalf_of(tenant).fairness_key
    assert key is not None
    assert 0 < len(key.encode("utf-8", "surrogatepass")) <= LONGEST_KEY
    assert key == on_behalf_of(tenant).fairness_key
