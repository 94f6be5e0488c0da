"""From public sources to raw datasets: one script a source, run with ``python -m dataset_conversion.<name>``."""
