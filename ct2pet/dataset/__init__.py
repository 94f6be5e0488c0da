"""Raw datasets: their files, integrity checks, and splits."""

from ct2pet.dataset.description import Description, read_dataset_json, update_dataset_json, write_dataset_json
from ct2pet.dataset.fields import Field, Fields
from ct2pet.dataset.raw import SPLITS, RawDataset, check_case_name, dataset_folder_name, open_dataset
from ct2pet.dataset.verification import Problem, verify_dataset

__all__ = [
    "SPLITS",
    "Description",
    "Field",
    "Fields",
    "Problem",
    "RawDataset",
    "check_case_name",
    "dataset_folder_name",
    "open_dataset",
    "read_dataset_json",
    "update_dataset_json",
    "verify_dataset",
    "write_dataset_json",
]
