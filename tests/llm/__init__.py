"""The model: what is sent, what comes back, what goes wrong and what it costs."""
