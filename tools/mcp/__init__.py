"""Tools of MCP servers: other people's programs, kept at arm's length, whose tools are tools like any other."""
