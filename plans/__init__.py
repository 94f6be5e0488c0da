"""Reference plans, as JSON. Data only."""
