"""Whether what is measured is measured."""
