"""Reading pages of the Internet for a model, and of nothing else: see `fetcher.py`."""
