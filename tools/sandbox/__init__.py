"""Where code that a model wrote runs: with no network, no files but its own, and an end to everything it may use."""
