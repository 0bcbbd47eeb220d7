"""What `perdure demo` shows, act by act: START with `play.py`."""
