"""Tests of policies: what rules say of calls, how they are read, and what holds of all of them."""
