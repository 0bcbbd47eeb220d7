"""Hands: what an agent can do. A tool is a typed function; see `tool.py`."""
