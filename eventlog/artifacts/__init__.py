"""Large content of events, kept beside the log under its own hash and referred to from it."""
