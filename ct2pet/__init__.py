"""Synthetic FDG-PET from CT: configures itself for a dataset, one network per district of the body."""

__version__ = "0.1.0"
