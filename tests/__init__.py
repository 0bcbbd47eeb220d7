"""The tests, layer by layer, on real components."""
