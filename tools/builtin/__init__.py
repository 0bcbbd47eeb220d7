"""The tools that come with Perdure."""
