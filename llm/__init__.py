"""Words: what is said to a model and what comes back. Imports nothing of ours."""
