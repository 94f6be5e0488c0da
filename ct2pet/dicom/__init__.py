"""DICOM: trees of files, series, their geometry and voxels, and the pairing of PET and CT."""
