"""The measurement of requests works, at a size that takes a moment."""

from bench.requests import compare


def test_requests_of_a_growing_thread_are_measured() -> None:
    """Both ways have a time, and a longer thread's request is larger."""
    short, long = compare(2), compare(6)
    assert min(short.plain, short.ours, long.plain, long.ours) > 0
    assert 0 < short.size < long.size
