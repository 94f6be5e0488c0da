from dataclasses import replace

import numpy as np
import pytest
import torch
from field_sets import ORGANS, WITH_LABELS
from tiny import FIELDS, tiny_configuration, tiny_plans
from tiny_store import write_tiny_store
from trainings import OPTIONS, make_trainer

from ct2pet.checkpoint import load_checkpoint, save_checkpoint
from ct2pet.evaluation import read_summary
from ct2pet.imageio import read_volume
from ct2pet.models.base import PredictionModel
from ct2pet.planning.requirements import FieldNeeds, Requirements
from ct2pet.preprocessing import DistrictStore, PreparedDistrict
from ct2pet.preprocessing.preprocessor import decisions_of
from ct2pet.sharing import shared_provenance
from ct2pet.training import TrainingRun
from ct2pet.training.final_validation import FinalValidation
from ct2pet.volume import Grid


def test_whole_cases_are_evaluated_in_suv(tmp_path):
    store = write_tiny_store(tmp_path / "store")
    make_trainer(store, tmp_path, num_epochs=3, iterations_per_epoch=10, final_validation=True).run()
    summary = read_summary(tmp_path / "validation" / "summary.json")
    prediction = read_volume(tmp_path / "validation" / "A2.nii.gz")
    case = store.open("A2")
    content = case.read_all()
    real_suv, mask = 10 * content["PET"].astype(np.float32), content["mask"]
    assert prediction.grid.matches(case.grid)
    assert (prediction.array[~mask] == 0).all()
    assert (prediction.array >= 0).all()
    expected = np.abs(prediction.array - real_suv)[mask].mean()
    assert summary["cases"]["A2"]["trunk"]["mae"] == pytest.approx(expected, rel=1e-4)
    training = [store.open(name).read_all() for name in ("A0", "A1")]
    median = np.median(np.concatenate([10 * part["PET"][part["mask"]].astype(np.float32) for part in training]))
    expected = np.abs(median - real_suv)[mask].mean()
    assert summary["baselines"]["body_median"]["trunk"]["mae"] == pytest.approx(expected, rel=1e-2)
    assert set(summary["mean"]) == {"trunk", "lesions"}


class Thresholds(PredictionModel):
    """The PET is the CT in its range, and its logits say liver above 0.2, spleen above 0.6 and never heart."""

    requirements = Requirements(FieldNeeds(label_targets=(0, 1)))
    monitor = "none"

    def build(self, configuration, fields):
        self.factor = torch.nn.Parameter(torch.ones(()))

    def optimizers(self):
        return {}

    def training_step(self, batch, progress):
        yield from ()

    def validation_step(self, batch):
        return {}

    def predict(self, inputs):
        ct = inputs["CT"]
        logits = torch.cat([0.4 - ct, 0.4 - (ct - 0.4).abs(), ct - 0.4, ct - 99], dim=1)
        return {"PET": (ct + 1) / 2, ORGANS.name: 50 * logits}


def labelled_run(folder):
    """One case whose CT falls from 1 to -1 along Z; its true labels lie one voxel lower, some outside the district."""
    store = DistrictStore(folder / "store")
    store.folder.mkdir()
    shape = (24, 20, 22)
    ct = np.broadcast_to(np.linspace(1, -1, shape[0], dtype=np.float32)[:, None, None], shape).copy()
    labels = np.zeros(shape, np.uint8)
    labels[1:11], labels[1:6] = 1, 2
    mask = np.zeros(shape, bool)
    mask[:, 2:-2, 3:-3] = True
    case = PreparedDistrict({"CT": ct, "PET": (ct + 1) / 4}, mask, Grid(shape, (4.0, 3.0, 2.0)), {ORGANS.name: labels})
    store.write("A0", case, "key", decisions_of(tiny_configuration()))
    plans = replace(tiny_plans(spacing=[4.0, 3.0, 2.0]), fields=list(WITH_LABELS))
    return TrainingRun("pix2pix", "trunk", plans, store, ["A0"], ["A0"], folder, OPTIONS)


def test_a_predicted_label_map_is_written_and_compared_label_by_label(tmp_path):
    run = labelled_run(tmp_path)
    model = Thresholds(run.configuration, run.plans.all_fields)
    regions = FinalValidation(run, model).run({}, "")["cases"]["A0"]
    content = run.store.open("A0").read_all()
    written = read_volume(tmp_path / "validation" / f"A0_{ORGANS.name}.nii.gz")
    suv = read_volume(tmp_path / "validation" / "A0_PET.nii.gz")
    assert written.grid.matches(run.store.open("A0").grid)
    np.testing.assert_allclose(suv.array, np.where(content["mask"], 5 * (content["CT"] + 1.0), 0), atol=0.02)
    truth = np.where(content["mask"], content[ORGANS.name], 0)
    for name, label in ORGANS.labels.items():
        own, true = written.array == label, truth == label
        found = regions[f"{ORGANS.name}:{name}"]
        if not (own.any() or true.any()):
            assert (name, found["dice"]) == ("heart", None)
            continue
        assert found["dice"] == pytest.approx(2 * (own & true).sum() / (own.sum() + true.sum()))
        assert 0.5 < found["dice"] < 1
        assert found["real_volume_ml"] == pytest.approx(true.sum() * 4 * 3 * 2 / 1000)
    assert (written.array[~content["mask"]] == 0).all()
    assert "mae" in regions["trunk"]


def test_a_method_without_pet_target_is_validated_by_its_labels(tmp_path):
    run = labelled_run(tmp_path)
    fields = [FIELDS["CT"], ORGANS]
    run = replace(run, plans=replace(run.plans, fields=fields))

    class LabelsOnly(Thresholds):
        requirements = Requirements(FieldNeeds(image_targets=(0, 0), label_targets=(1, 1)))

        def predict(self, inputs):
            return {ORGANS.name: super().predict(inputs)[ORGANS.name]}

    summary = FinalValidation(run, LabelsOnly(run.configuration, run.plans.all_fields)).run({}, "")
    assert set(summary["cases"]["A0"]) == {f"{ORGANS.name}:{name}" for name in ORGANS.labels}
    assert read_volume(tmp_path / "validation" / "A0.nii.gz").array.max() == 2


def test_the_best_epoch_is_validated_into_a_folder_of_its_own(tmp_path):
    """A first epoch that is best: its weights differ from the final ones, and so do the predictions."""
    store = write_tiny_store(tmp_path / "store")
    options = {"num_epochs": 2, "iterations_per_epoch": 3, "final_validation": True}
    make_trainer(store, tmp_path / "run", **options).run()
    folder = tmp_path / "run"
    best = load_checkpoint(folder / "checkpoint_final.pth")
    best["model"] = {name: value * 0.5 for name, value in best["model"].items()}
    save_checkpoint(folder / "checkpoint_best.pth", {**best, "epoch": 1})
    final = (folder / "validation" / "A2.nii.gz").read_bytes()
    make_trainer(store, folder, validate_best=True, **options).validate()
    assert (folder / "validation" / "A2.nii.gz").read_bytes() == final
    assert (folder / "validation_best" / "A2.nii.gz").read_bytes() != final
    save_checkpoint(folder / "checkpoint_best.pth", load_checkpoint(folder / "checkpoint_final.pth"))
    make_trainer(store, folder, validate_best=True, **options).validate()
    assert (folder / "validation_best" / "A2.nii.gz").read_bytes() == final


def test_cases_of_the_initial_weights_are_evaluated_training_cases(tmp_path):
    """Directly after the training, and after --val with the folds of another training."""
    store = write_tiny_store(tmp_path / "store", 4)
    options = {"num_epochs": 1, "iterations_per_epoch": 1, "final_validation": True}
    make_trainer(store, tmp_path / "first", cases=(["A0", "A2"], ["A1"]), **options).run()
    run = tmp_path / "second"
    make_trainer(store, run, pretrained_weights=tmp_path / "first", cases=(["A0"], ["A1", "A2"]), **options).run()
    found = read_summary(run / "validation" / "summary.json")["provenance"]
    assert found["evaluated_training_cases"] == ["A2"]
    make_trainer(store, run, cases=(["A1", "A3"], ["A0", "A1", "A2"]), **options).validate()
    again = read_summary(run / "validation" / "summary.json")["provenance"]
    assert again["evaluated_training_cases"] == ["A0", "A2"]
    assert "training_cases" not in again
    for name in ("pretrained_weights", "runs", "num_training_cases"):
        assert again[name] == found[name]


def without_cases(checkpoint):
    """The checkpoint as ct2pet_export_model writes it."""
    content = load_checkpoint(checkpoint)
    save_checkpoint(checkpoint, {**content, "provenance": shared_provenance(content["provenance"], "checkpoint")})


def test_with_initial_weights_of_the_same_dataset_that_name_no_cases_they_are_unknown(tmp_path):
    """Also after --val, and for a training that begins with the weights of such a training."""
    store = write_tiny_store(tmp_path / "store", 4)
    options = {"num_epochs": 1, "iterations_per_epoch": 1, "final_validation": True}
    make_trainer(store, tmp_path / "first", cases=(["A0", "A2"], ["A1"]), **options).run()
    without_cases(tmp_path / "first" / "checkpoint_final.pth")
    for start, name in (("first", "second"), ("second", "third")):
        cases = (["A0"], ["A1", "A2"])
        make_trainer(store, tmp_path / name, pretrained_weights=tmp_path / start, cases=cases, **options).run()
        for again in (False, True):
            if again:
                make_trainer(store, tmp_path / name, cases=cases, **options).validate()
            found = read_summary(tmp_path / name / "validation" / "summary.json")["provenance"]
            assert found["evaluated_training_cases"] is None
            assert found["pretrained_weights"]["training_cases_known"] is False
