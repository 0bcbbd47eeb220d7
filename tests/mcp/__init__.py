"""MCP servers, and whatever they may do."""
