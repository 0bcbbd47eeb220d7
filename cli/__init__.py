"""The perdure command, one group of commands a file; `client.py` puts them together."""
