"""Effects: what touches the world. Look, intend, act, record."""
