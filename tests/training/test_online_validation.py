import pytest
import torch
from hand_models import Scaled
from tiny import FIELDS, tiny_configuration
from tiny_store import write_tiny_store

from ct2pet.models.base import WeightedMean
from ct2pet.planning.configuration import Sampling
from ct2pet.training.online_validation import OnlineValidation

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return write_tiny_store(tmp_path_factory.mktemp("store"))


class Measured(Scaled):
    """Two metrics of different scale and weight."""

    def validation_step(self, batch):
        own = super().validation_step(batch)
        voxels = batch["CT"].numel()
        return {**own, "mean_ct": WeightedMean(float(batch["CT"].sum()), voxels, 2.0)}


def test_the_metrics_are_means_over_all_voxels_of_all_patches(store):
    """Patches with a small part of the district count less than those with a large one."""
    model = Measured(tiny_configuration(), FIELDS)
    validation = OnlineValidation(store, ["A1", "A2"], model)
    whole = {name: torch.cat([batch[name] for batch in validation.batches]) for name in ("CT", "PET", "mask")}
    inside = whole["mask"].sum((1, 2, 3, 4))
    assert len(set(inside.tolist())) > 1
    errors = ((whole["CT"] + 1) / 2 - whole["PET"]).abs()[whole["mask"]]
    found = validation.metrics(model, CPU)
    assert found == {
        "mae_suv": pytest.approx(10 * float(errors.mean()), rel=1e-5),
        "mean_ct": pytest.approx(2 * float(whole["CT"].mean()), rel=1e-5),
    }


def test_the_patches_are_the_same_every_time_and_come_from_the_whole_district(store):
    """Also where the training prefers lesions, labels or classes."""
    plain = OnlineValidation(store, ["A0", "A1"], Scaled(tiny_configuration(), FIELDS))
    preferring = Scaled(tiny_configuration(sampling=Sampling(1.0)), FIELDS)
    again = OnlineValidation(store, ["A0", "A1"], preferring)
    for one, other in zip(plain.batches, again.batches, strict=True):
        assert all(torch.equal(one[name], other[name]) for name in one)


def test_the_model_returns_to_training_mode_without_gradients_of_the_validation(store):
    model = Scaled(tiny_configuration(), FIELDS).train()
    modes = []
    model.translate = lambda inputs: modes.append((model.training, torch.is_grad_enabled())) or inputs
    OnlineValidation(store, ["A1"], model).metrics(model, CPU)
    assert {*modes} == {(False, False)}
    assert model.training


@pytest.mark.parametrize("batch_size", [1, 2, 3])
def test_there_are_eight_batches_of_the_plans_and_at_least_two_patches_at_once(store, batch_size):
    model = Scaled(tiny_configuration(batch_size=batch_size), FIELDS)
    sizes = [len(batch["CT"]) for batch in OnlineValidation(store, ["A1"], model).batches]
    assert sizes == [max(2, batch_size)] * (8 * batch_size // max(2, batch_size))
