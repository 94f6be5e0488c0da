"""The preprocessed folder of one dataset."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from ct2pet.dataset import dataset_folder_name
from ct2pet.dataset.splits import read_splits
from ct2pet.errors import DatasetError, PlansError
from ct2pet.layout import DATASET, FINGERPRINT, SPLITS
from ct2pet.paths import preprocessed_folder
from ct2pet.planning.plans import Plans
from ct2pet.preprocessing.preprocessor import check_store, store_folder
from ct2pet.preprocessing.storage import DistrictStore
from ct2pet.suggestions import did_you_mean

_OTHERS = tuple(Path(name).stem for name in (DATASET, FINGERPRINT, SPLITS))  # JSON files that are not plans
_PLANS_NAME = re.compile(r"[A-Za-z0-9]+([_.-][A-Za-z0-9]+)*")  # "__" separates the parts of a model's folder name


@dataclass(frozen=True)
class PreprocessedDataset:
    """``$ct2pet_preprocessed/Dataset001_NAME``: dataset.json, fingerprint, plans, splits and the districts' stores."""

    folder: Path

    @classmethod
    def find(cls, dataset: str) -> PreprocessedDataset:
        """The preprocessed dataset of an id or name; the raw data are not needed.

        Raises DatasetError where it does not exist.
        """
        root = preprocessed_folder()
        try:
            return cls(root / dataset_folder_name(dataset, root))
        except DatasetError as error:
            raise DatasetError(f"{error}; run ct2pet_plan_and_preprocess -d {dataset} first") from None

    @property
    def fingerprint_file(self) -> Path:
        return self.folder / FINGERPRINT

    @property
    def splits_file(self) -> Path:
        return self.folder / SPLITS

    def plans_file(self, plans_name: str) -> Path:
        """The path of the plans of this name, which may be missing. Raises PlansError for a name not allowed."""
        if not _PLANS_NAME.fullmatch(plans_name) or plans_name in _OTHERS:
            raise PlansError(
                f"-p {plans_name!r}: not a valid name of plans; use letters, digits and single _ . - between them, not "
                f"{', '.join(_OTHERS)}"
            )
        return self.folder / f"{plans_name}.json"

    def plans_names(self) -> list[str]:
        """The names of all plans in the folder."""
        return [file.stem for file in sorted(self.folder.glob("*.json")) if file.stem not in _OTHERS]

    def plans(self, plans_name: str) -> Plans:
        """The plans of this name. Raises PlansError that lists all plans where it is missing, and where the file
        contains another name."""
        path = self.plans_file(plans_name)
        if not path.exists():
            there = self.plans_names()
            raise PlansError(
                f"{path}: no such plans; make them with ct2pet_plan_and_preprocess -d {self.folder.name} "
                f"-p {plans_name}; there are: {', '.join(there) or 'none'}{did_you_mean(plans_name, there)}"
            )
        plans = Plans.load(path)
        if plans.plans_name != plans_name:  # the stores of two plans would be one
            raise PlansError(f"{path}: its plans_name is {plans.plans_name!r}; change it to {plans_name!r}")
        return plans

    def store(self, plans: Plans, configuration: str) -> DistrictStore:
        """The store of a configuration. Raises DatasetError without preprocessed cases, PlansError where they were made
        with other plans."""
        store = DistrictStore(store_folder(self.folder, plans, configuration))
        if not store.recorded_cases():
            raise DatasetError(
                f"{store.folder}: no preprocessed cases; run ct2pet_preprocess -d {plans.dataset_name} "
                f"-p {plans.plans_name} first"
            )
        check_store(store, plans.configuration(configuration), plans.all_fields)
        return store

    def splits(self) -> list[dict[str, list[str]]]:
        """The folds of splits_final.json. Raises DatasetError where the file is missing or invalid."""
        return read_splits(self.splits_file)
