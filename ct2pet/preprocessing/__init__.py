"""From raw cases to one store of patches per district."""
