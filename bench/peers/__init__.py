"""The same work done with Perdure and with its peers, which are installed in an environment of their own.

Each `on_*.py` is one library, used as its documentation says. `python -m bench.peers` measures them all.
"""
