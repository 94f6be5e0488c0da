"""Properties of the training data."""
