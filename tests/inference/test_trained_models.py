from dataclasses import replace

import pytest
import torch
from hand_models import Scaled, hand_plans, two_district_case, write_trained
from tiny import tiny_configuration, tiny_plans
from version_1_models import PLANS_1, write_model

from ct2pet.api.prediction import predict
from ct2pet.checkpoint import load_checkpoint, save_checkpoint
from ct2pet.errors import CheckpointError, Ct2PetError
from ct2pet.imageio import read_volume, write_volume
from ct2pet.inference.trained_models import choose, find_trained, load_trained, model_folder
from ct2pet.models import load_model

ALL = {"low": {"all": 1.0}, "high": {"all": 2.0}}


@pytest.fixture(autouse=True)
def _scaled_is_a_method(monkeypatch):
    monkeypatch.setattr("ct2pet.models.load_model", {"scaled": Scaled}.__getitem__)


def names(checkpoints):
    return {name: [path.parent.name for path in paths] for name, paths in checkpoints.items()}


def factors(loaded):
    return {one.name: [float(model.factor.detach()) for model in one.models] for one in loaded.districts}


def test_the_only_trained_model_needs_no_choice_and_has_its_weights(tmp_path):
    write_trained(tmp_path, ALL)
    loaded = load_trained(choose(find_trained(tmp_path)))
    assert factors(loaded) == {"low": [1.0], "high": [2.0]}
    assert loaded.plans == hand_plans()
    assert [one.configuration.labels for one in loaded.districts] == [[1], [2]]


def test_several_are_listed_in_one_line_and_chosen_by_what_they_differ_in(tmp_path):
    write_trained(tmp_path, ALL)
    write_trained(tmp_path, ALL, model="other")
    write_trained(tmp_path, ALL, plans=hand_plans(plans_name="mine"))
    write_trained(tmp_path, ALL, plans=replace(hand_plans(), dataset_name="Dataset012_B"))
    trained = find_trained(tmp_path)
    with pytest.raises(CheckpointError, match="several") as caught:
        choose(trained)
    assert "\n" not in str(caught.value)
    for text in ("-d Dataset900_Tiny -m other -p ct2petPlans", "-p mine", "-d Dataset012_B -m scaled"):
        assert text in str(caught.value)
    assert choose(trained, model="other").model == "other"
    assert choose(trained, plans_name="mine").plans_name == "mine"
    for dataset in ("12", "012", "Dataset012_B"):
        assert choose(trained, dataset=dataset).dataset_name == "Dataset012_B"
    with pytest.raises(CheckpointError, match=r"no trained model has -d 13; trained are: .*-p mine"):
        choose(trained, dataset="13")
    with pytest.raises(
        CheckpointError, match=r"has -m sclaed; did you mean scaled[?], -p mein; did you mean mine[?]; tr"
    ):
        choose(trained, model="sclaed", plans_name="mein")
    with pytest.raises(CheckpointError, match="has -d 12 -m other; trained are: "):  # each of them is trained elsewhere
        choose(trained, dataset="12", model="other")


def test_missing_trainings_are_reported(tmp_path):
    with pytest.raises(CheckpointError, match="no trained model"):
        choose(find_trained(tmp_path / "nothing"))


def test_an_unknown_checkpoint_or_district_is_named_with_the_known_ones(tmp_path):
    write_trained(tmp_path, ALL)
    with pytest.raises(CheckpointError, match=r"with checkpoint_fnal\.pth .*; did you mean checkpoint_final"):
        find_trained(tmp_path, "checkpoint_fnal.pth")
    with pytest.raises(CheckpointError, match=r"trained are: .*; did you mean low[?]$"):
        choose(find_trained(tmp_path)).checkpoints(["lwo"])


def test_a_checkpoint_is_found_by_its_file_name(tmp_path):
    write_trained(tmp_path, ALL, checkpoint="checkpoint_best.pth")
    with pytest.raises(CheckpointError, match=r"no trained model with checkpoint_final\.pth .*: checkpoint_best\.pth"):
        find_trained(tmp_path)
    assert factors(load_trained(choose(find_trained(tmp_path, "checkpoint_best.pth"))))["high"] == [2.0]


def test_numbered_folds_have_precedence_over_all_and_can_be_chosen(tmp_path):
    copies = {"0_old": 7.0, "0 (1)": 8.0}  # of a user; no folds
    write_trained(tmp_path, {"low": {"all": 9.0, 0: 1.0, 3: 2.0, **copies}, "high": {"all": 5.0}})
    (trained,) = find_trained(tmp_path)
    assert factors(load_trained(trained)) == {"low": [1.0, 2.0], "high": [5.0]}
    assert names(trained.checkpoints(["low"], ["all"])) == {"low": ["fold_all"]}
    assert names(trained.checkpoints(["low"], ["3"])) == {"low": ["fold_3"]}
    with pytest.raises(CheckpointError, match=r"no checkpoint_final\.pth of fold 1, 2; there are folds: 0, 3, all"):
        trained.checkpoints(["low"], ["1", "2", "3"])


def test_districts_have_precedence_over_the_whole_body(tmp_path):
    write_trained(tmp_path / "both", {**ALL, "whole_body": {"all": 3.0}})
    write_trained(tmp_path / "whole", {"whole_body": {"all": 3.0}})
    (both,), (whole,) = find_trained(tmp_path / "both"), find_trained(tmp_path / "whole")
    assert list(both.checkpoints()) == ["low", "high"]
    assert list(both.checkpoints(["whole_body"])) == ["whole_body"]
    assert list(whole.checkpoints()) == ["whole_body"]


def test_a_district_without_checkpoint_is_reported_unless_others_are_chosen(tmp_path):
    write_trained(tmp_path, {"low": {"all": 1.0}})
    (trained,) = find_trained(tmp_path)
    with pytest.raises(CheckpointError, match=r"high has no checkpoint_final\.pth.*-c low"):
        trained.checkpoints()
    assert list(trained.checkpoints(["low"])) == ["low"]
    with pytest.raises(CheckpointError, match=r"-c high: no checkpoint_final\.pth; trained are: low"):
        trained.checkpoints(["high"])


def test_configurations_that_share_labels_are_not_predicted_together(tmp_path):
    write_trained(tmp_path, {**ALL, "whole_body": {"all": 3.0}})
    (trained,) = find_trained(tmp_path)
    with pytest.raises(CheckpointError, match="low and whole_body overlap"):
        load_trained(trained, ["low", "whole_body"])


def test_foreign_folders_are_not_changed(tmp_path):
    write_trained(tmp_path, ALL)
    (tmp_path / "Dataset900_Tiny" / "notes" / "fold_0").mkdir(parents=True)
    (tmp_path / "Dataset900_Tiny" / "notes" / "fold_0" / "checkpoint_final.pth").touch()
    assert len(find_trained(tmp_path)) == 1


def change(tmp_path, configuration, fold, **content):
    plans = hand_plans()
    path = model_folder(tmp_path, plans.dataset_name, "scaled", plans.plans_name, configuration)
    path = path / f"fold_{fold}" / "checkpoint_final.pth"
    save_checkpoint(path, {**load_checkpoint(path), **content})


def other_plans(**changes):
    plans = hand_plans()
    low = replace(plans.configurations["low"], **changes)
    return replace(plans, configurations={**plans.configurations, "low": low}).to_json()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"configuration_name": "high"}, "contains scaled of high"),
        ({"model_name": "pix2pix"}, "contains pix2pix of low"),
        ({"model": {"weights": torch.zeros(1)}}, "do not fit the networks"),
        ({"model": {"factor": torch.tensor(float("nan"))}}, "contain NaN or infinity"),
        ({"plans": other_plans(patch_size=[4, 4, 4])}, "other plans than the other folds"),
        ({"plans": {**hand_plans().to_json(), "districts": {"low": 2, "high": 1}}}, "other districts"),
        ({"plans": {}}, "schema_version"),
    ],
)
def test_a_checkpoint_of_another_training_in_a_folder_is_refused(tmp_path, content, message):
    write_trained(tmp_path, {"low": {0: 1.0, 1: 1.0}, "high": {0: 1.0}})
    change(tmp_path, "low", 1, **content)
    with pytest.raises(Ct2PetError, match=rf"low.fold_1.checkpoint_final\.pth: .*{message}"):
        load_trained(find_trained(tmp_path)[0])


@pytest.mark.parametrize("method", ["pix2pix", "reggan", "regc2p"])
def test_a_model_of_plans_of_version_1_predicts_what_its_weights_do_under_version_2(tmp_path, monkeypatch, method):
    monkeypatch.setattr("ct2pet.models.load_model", load_model)
    labels = {"low": [1], "high": [2]}
    configurations = {name: tiny_configuration(labels=own, mirror_axes=[2]) for name, own in labels.items()}
    plans = replace(
        tiny_plans(), districts={"low": 1, "high": 2}, configurations=configurations, models={}, blend_mm=4.0
    )
    torch.manual_seed(3)
    models = {name: load_model(method)(own, plans.all_fields) for name, own in configurations.items()}
    for model in models.values():
        for parameter in model.parameters():  # last layers begin at 0
            torch.nn.init.normal_(parameter, std=0.2)
    weights = {name: model.state_dict() for name, model in models.items()}
    for version, content in (("1", PLANS_1), ("2", plans.to_json())):
        write_model(tmp_path / version, method, content, weights)
    ct, district_map = two_district_case()
    write_volume(tmp_path / "imagesTs" / "a_0000.nii.gz", ct)
    write_volume(tmp_path / "districtsTs" / "a.nii.gz", district_map)
    predictions = []
    for version in "12":
        monkeypatch.setenv("ct2pet_results", str(tmp_path / version))
        predictions += predict(tmp_path / "imagesTs", tmp_path / f"out{version}", device="cpu", float32=True)
    first, second = (path.read_bytes() for path in predictions)
    assert first == second
    values = read_volume(predictions[0]).array[district_map.array > 0]
    assert values.std() > 0.01  # not the same everywhere
