"""What synthetic images bring a classifier, how they differ from real ones, and whether readers see it."""
