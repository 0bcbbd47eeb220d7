"""Views: what the log means. Pure functions of events 0..n and of nothing else: no clock, no id, no I/O."""
