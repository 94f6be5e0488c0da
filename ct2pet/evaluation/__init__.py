"""Errors of predictions, and the trivial baselines beside them."""
