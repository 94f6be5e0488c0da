"""The commands as functions."""
