"""Contracts: one suite, every adapter."""
