"""Notices: people and programs are told when a question waits, nears its end or is settled, or money runs out."""
