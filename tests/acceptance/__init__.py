"""Threads survive the death of any process: real workers, servers and signals, and effects counted outside them all."""
