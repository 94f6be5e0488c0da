"""The segmenters: plug-ins, one file or package each."""
