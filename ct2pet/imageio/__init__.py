"""Readers and writers of image files: one file each."""
