"""Tests of tools: how they are made, checked, run and found, and that the built-in ones keep to their workspace."""
