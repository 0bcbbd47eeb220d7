"""Pure parts, in milliseconds."""
