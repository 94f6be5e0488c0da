"""Conversion of DICOM studies to a raw dataset."""

from ct2pet.conversion.converter import Conversion, convert_dicom

__all__ = ["Conversion", "convert_dicom"]
