"""From a CT to a map of body districts: one segmenter a file."""
