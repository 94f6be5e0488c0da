"""From raw cases to one store of patches per district."""

from ct2pet.preprocessing.case_on_grid import PreparedCase, PreparedDistrict, case_on_plan_grid, plan_grid, prepare_ct
from ct2pet.preprocessing.preprocessor import preprocess_dataset
from ct2pet.preprocessing.storage import DistrictStore, StoredCase

__all__ = [
    "DistrictStore",
    "PreparedCase",
    "PreparedDistrict",
    "StoredCase",
    "case_on_plan_grid",
    "plan_grid",
    "prepare_ct",
    "preprocess_dataset",
]
