"""DICOM: trees of files, series, where their slices lie, their voxels, and which PET belongs to which CT."""
