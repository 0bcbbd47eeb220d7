"""Budgets that threads share: what may be spent, by whom, in which time. Set aside before a call, settled after it."""
