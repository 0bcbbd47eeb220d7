"""Budgets: what may be spent, set aside and settled."""
