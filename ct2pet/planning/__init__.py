"""Decisions, from the fingerprint to plans."""
