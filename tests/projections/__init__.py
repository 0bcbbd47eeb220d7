"""The views: given these events, they say this."""
