"""Preprocessing: from raw cases to one store per district."""

from ct2pet.preprocessing.case_on_grid import PreparedDistrict, plan_grid, prepare_case, prepare_inputs
from ct2pet.preprocessing.preprocessor import preprocess_dataset
from ct2pet.preprocessing.storage import DistrictStore, StoredCase

__all__ = [
    "DistrictStore",
    "PreparedDistrict",
    "StoredCase",
    "plan_grid",
    "prepare_case",
    "prepare_inputs",
    "preprocess_dataset",
]
