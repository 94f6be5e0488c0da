"""PET values to SUV by body weight (SUVbw, g/ml), from the headers of a DICOM series."""

from ct2pet.suv.factors import SuvFactors, suv_factors
from ct2pet.suv.supplied import Supplied, SuppliedTable, read_supplied

__all__ = ["Supplied", "SuppliedTable", "SuvFactors", "read_supplied", "suv_factors"]
