"""The validation cases, predicted whole with the final weights and compared in SUV."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

from ct2pet import distributed
from ct2pet.evaluation import evaluate_case_and_baselines, write_summary
from ct2pet.evaluation.baselines import pooled_median, suv_histogram
from ct2pet.evaluation.results import CaseResult
from ct2pet.evaluation.summary import summarise
from ct2pet.imageio import write_volume
from ct2pet.inference.stages import translate_volume
from ct2pet.models.base import Model
from ct2pet.planning.plans import WHOLE_BODY, Configuration
from ct2pet.preprocessing import DistrictStore
from ct2pet.preprocessing.normalization import denormalize_pet
from ct2pet.volume import Box, Volume


class FinalValidation:
    """Predicts one configuration's cases on the plan's grid, as the network saw them, and evaluates them there.

    Writes CASE.nii.gz (SUV) and ``summary.json`` (DESIGN: the same shape as ct2pet_evaluate's) into ``folder``. The
    region is the district alone (and its lesions); the whole body needs the other districts and ct2pet_evaluate.
    """

    def __init__(self, model: Model, name: str, configuration: Configuration, store: DistrictStore) -> None:
        self.model, self.name, self.configuration, self.store = model, name, configuration, store

    def run(
        self, cases: tuple[Sequence[str], Sequence[str]], folder: Path, origin: Mapping[str, Any], bar: bool
    ) -> dict[str, Any]:
        """Returns the summary of ``cases``: those to predict, and those of the training, which give the constant of the
        baseline body_median. ``origin`` goes into the provenance. Several processes share the cases; the main one
        writes the summary."""
        to_predict, training_cases = cases
        median = pooled_median(suv_histogram(self._real_suv(case)) for case in training_cases)
        results = {}
        own = to_predict[distributed.rank() :: distributed.world_size()]
        for case in tqdm(own, desc=f"validating {self.name}", unit="case", disable=not bar):
            results[case] = self._evaluate(case, median, folder)
        everywhere = {case: result for part in distributed.all_gather_object(results) for case, result in part.items()}
        provenance = {
            **origin,
            "evaluated_training_cases": sorted({*to_predict} & {*training_cases}),
            "real_pet": "as stored for training: on the plans' grid, cropped to the district, normalised as planned",
            "body_median_suv": median,
        }
        summary = summarise({case: everywhere[case] for case in to_predict}, provenance)
        if distributed.is_main_process():
            write_summary(folder / "summary.json", summary)
        return summary

    def _evaluate(self, case: str, median: float, folder: Path) -> CaseResult:
        stored = self.store.open(case)
        content = stored.read(Box((0, 0, 0), stored.shape))
        mask = content["mask"]
        fake_pet = Volume(self.translate(content["ct"].astype(np.float32), mask), stored.grid, "SUV")
        write_volume(folder / f"{case}.nii.gz", fake_pet)
        real_pet = fake_pet.with_array(np.where(mask, self._suv(content["pet"]), 0).astype(np.float32))
        lesions = None if content["lesions"] is None else fake_pet.with_array(content["lesions"], "label")
        district_map = fake_pet.with_array(mask.astype(np.uint8), "label")
        region = "body" if self.name == WHOLE_BODY else self.name
        result = evaluate_case_and_baselines(
            fake_pet, real_pet, district_map, {region: 1}, lesions, body_median_suv=median
        )
        # one district: both regions hold the same numbers
        return result.without([region if self.name == WHOLE_BODY else WHOLE_BODY])

    @torch.inference_mode()
    def translate(self, ct: np.ndarray, mask: np.ndarray) -> np.ndarray:
        """Normalised CT (Z, Y, X) to PET in SUV, never negative, 0 outside ``mask``."""
        self.model.eval()
        pet = translate_volume(self.model, ct, mask)
        return np.where(mask, np.maximum(self._suv(pet), 0), 0).astype(np.float32)

    def _real_suv(self, case: str) -> np.ndarray:
        stored = self.store.open(case)
        content = stored.read(Box((0, 0, 0), stored.shape))
        return self._suv(content["pet"][content["mask"]])

    def _suv(self, pet: np.ndarray) -> np.ndarray:
        return denormalize_pet(pet.astype(np.float32), self.configuration.pet_normalization)
