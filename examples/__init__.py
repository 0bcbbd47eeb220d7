"""Things to copy and change."""
