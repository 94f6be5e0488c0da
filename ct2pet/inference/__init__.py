"""From a CT to a stitched PET."""
