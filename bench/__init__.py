"""Measurements: what this costs beside the plainest way of doing the same, on the same machine in the same minute."""
