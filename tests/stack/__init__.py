"""The embedded system, on real servers."""
