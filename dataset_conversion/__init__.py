"""Converters of public datasets to raw datasets: one script per source, run with ``python -m
dataset_conversion.<name>``."""
