"""What surrounds the code."""
