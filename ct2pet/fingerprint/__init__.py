"""Numbers seen in the data."""
