"""What the documents say is true: commands, settings, snippets, links and examples are held against the code."""
