"""What keeps many threads from harming a provider, a tool, each other or themselves."""
