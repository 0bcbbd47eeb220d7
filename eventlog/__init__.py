"""Facts: what has happened, in order, for ever. START HERE: `events.py`."""
