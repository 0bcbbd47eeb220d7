"""Holding Temporal's history, the log and the views of it against each other."""
