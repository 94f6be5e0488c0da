"""A procedural whole-body PET/CT."""
