"""Planning: from the fingerprint to plans."""
