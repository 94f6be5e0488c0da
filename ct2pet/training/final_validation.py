"""Validation: whole cases are predicted with the final weights and evaluated in physical units."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from ct2pet import distributed
from ct2pet.console import progress
from ct2pet.dataset import Field
from ct2pet.dataset.fields import LESIONS, MASK, PET
from ct2pet.dataset.predictions import prediction_name
from ct2pet.evaluation import evaluate_case_and_baselines, write_summary
from ct2pet.evaluation.baselines import pooled_median, suv_histogram
from ct2pet.evaluation.label_evaluation import label_regions
from ct2pet.evaluation.results import CaseResult
from ct2pet.evaluation.summary import summarise
from ct2pet.imageio import write_volume
from ct2pet.inference.volumes import predict_volume
from ct2pet.layout import SUMMARY
from ct2pet.models.base import Method
from ct2pet.planning.plans import WHOLE_BODY
from ct2pet.preprocessing.normalization import denormalize
from ct2pet.provenance import cases_among
from ct2pet.training.run import TrainingRun
from ct2pet.volume import Grid, Volume

Content = Mapping[str, Any]


class FinalValidation:
    """Predicts one configuration's cases on the plan's grid, as preprocessed for training, and evaluates them there.

    Writes the targets of each case (CASE.nii.gz, or CASE_TARGET.nii.gz for several targets) and ``summary.json`` (as
    ct2pet_evaluate) into the folder of the validation. The region is the district (and its lesions); the whole body
    needs the other districts and ct2pet_evaluate.
    """

    def __init__(self, run: TrainingRun, method: Method) -> None:
        self.settings, self.method = run, method
        self.folder = run.folder / run.options.validation_folder
        self.fields = run.plans.all_fields
        self.pet = next((one for one in self.fields.targets if one.kind == PET), None)

    def run(self, origin: Mapping[str, Any], seen: str | None) -> dict[str, Any]:
        """The summary of the validation cases. The baseline body_median uses the median of the training cases.
        ``origin``: part of the provenance. ``seen``: the digests of the cases that the weights were trained with;
        None where some are unknown. Several processes share the cases; the main one writes the summary."""
        to_predict, training_cases = self.settings.validation_cases, self.settings.training_cases
        median, name = self._body_median(training_cases), self.settings.plans.dataset_name
        results = {}
        own = to_predict[distributed.rank() :: distributed.world_size()]
        with progress(
            f"validating {self.settings.configuration_name}", len(own), shown=self.settings.options.show_progress
        ) as bar:
            for case in own:
                results[case] = self._evaluate(case, median)
                bar.advance()
        everywhere = {case: result for part in distributed.all_gather_object(results) for case, result in part.items()}
        provenance = {
            **origin,
            "evaluated_training_cases": None if seen is None else cases_among(seen, name, to_predict),
            "reference": "as stored for training: on the plans' grid, cropped to the district, normalised as planned",
            "body_median_suv": median,
        }
        summary = summarise({case: everywhere[case] for case in to_predict}, provenance)
        if distributed.is_main_process():
            write_summary(self.folder / SUMMARY, summary)
        return summary

    def _evaluate(self, case: str, median: float) -> CaseResult:
        stored = self.settings.store.open(case)
        content = stored.read_all()
        found = self.predict(content, stored.grid)
        for name, volume in found.items():
            write_volume(self.folder / f"{prediction_name(case, name, self.fields)}.nii.gz", volume)
        result = CaseResult({})
        if self.pet is not None:
            result = self._evaluate_pet(found[self.pet.name], content, median)
        for one in self.fields.label_maps:
            real = found[one.name].with_array(np.where(content[MASK], content[one.name], 0))
            result = result.with_regions(label_regions(found[one.name], real, one))
        return result

    def _evaluate_pet(self, fake_pet: Volume, content: Content, median: float) -> CaseResult:
        mask = content[MASK]
        assert self.pet is not None
        real_pet = fake_pet.with_array(self._in_units(self.pet, content[self.pet.name], mask))
        lesions = None if content[LESIONS] is None else fake_pet.with_array(content[LESIONS], "label")
        district_map = fake_pet.with_array(mask.astype(np.uint8), "label")
        name = self.settings.configuration_name
        region = "body" if name == WHOLE_BODY else name
        result = evaluate_case_and_baselines(
            fake_pet, real_pet, district_map, {region: 1}, lesions, body_median_suv=median
        )
        # one district: both regions have the same values
        return result.without([region if name == WHOLE_BODY else WHOLE_BODY])

    @torch.inference_mode()
    def predict(self, content: Content, grid: Grid) -> dict[str, Volume]:
        """The targets of a stored case by name: images in their unit, a PET never negative; the value outside of images
        outside the mask."""
        self.method.eval()
        mask = content[MASK]
        inputs = {one.name: content[one.name].astype(np.float32) for one in self.fields.inputs}
        found = predict_volume([self.method], inputs, mask)
        return {
            one.name: Volume(
                found[one.name] if one.rules.is_labels else self._in_units(one, found[one.name], mask),
                grid,
                one.rules.unit,
            )
            for one in self.fields.targets
        }

    def _in_units(self, field: Field, values: np.ndarray, mask: np.ndarray) -> np.ndarray:
        outside = field.rules.outside
        physical = denormalize(values.astype(np.float32), self.settings.configuration.normalization[field.name])
        if field.kind == PET:
            physical = np.maximum(physical, 0)
        return np.where(mask, physical, outside).astype(np.float32)

    def _body_median(self, cases: Sequence[str]) -> float:
        """The median SUV of the district over the training cases; 0 where no PET is predicted."""
        if self.pet is None:
            return 0.0
        return pooled_median(suv_histogram(self._real_suv(case)) for case in cases)

    def _real_suv(self, case: str) -> np.ndarray:
        content = self.settings.store.open(case).read_all()
        assert self.pet is not None
        values = content[self.pet.name][content[MASK]].astype(np.float32)
        return denormalize(values, self.settings.configuration.normalization[self.pet.name])
