from dataclasses import replace

import pytest
import torch
from hand_models import Scaled, hand_plans, write_trained

from ct2pet.checkpoint import load_checkpoint, save_checkpoint
from ct2pet.errors import CheckpointError, Ct2PetError
from ct2pet.inference import trained_models
from ct2pet.inference.trained_models import choose, find_trained, load_trained, model_folder

ALL = {"low": {"all": 1.0}, "high": {"all": 2.0}}


@pytest.fixture(autouse=True)
def _scaled_is_a_method(monkeypatch):
    monkeypatch.setattr(trained_models, "load_model", {"scaled": Scaled}.__getitem__)


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
    with pytest.raises(CheckpointError, match=r"no trained model fits; there are: .*-p mine"):
        choose(trained, dataset="13")


def test_without_any_training_the_message_says_so(tmp_path):
    with pytest.raises(CheckpointError, match="no trained model"):
        choose(find_trained(tmp_path / "nothing"))


def test_another_checkpoint_is_found_by_its_name(tmp_path):
    write_trained(tmp_path, ALL, checkpoint="checkpoint_best.pth")
    assert find_trained(tmp_path) == []
    assert factors(load_trained(choose(find_trained(tmp_path, "checkpoint_best.pth"))))["high"] == [2.0]


def test_numbered_folds_go_before_all_and_can_be_chosen(tmp_path):
    write_trained(tmp_path, {"low": {"all": 9.0, 0: 1.0, 3: 2.0}, "high": {"all": 5.0}})
    (trained,) = find_trained(tmp_path)
    assert factors(load_trained(trained)) == {"low": [1.0, 2.0], "high": [5.0]}
    assert names(trained.checkpoints(["low"], ["all"])) == {"low": ["fold_all"]}
    assert names(trained.checkpoints(["low"], ["3"])) == {"low": ["fold_3"]}
    with pytest.raises(CheckpointError, match=r"no checkpoint_final\.pth of fold 1, 2; there are folds: 0, 3, all"):
        trained.checkpoints(["low"], ["1", "2", "3"])


def test_districts_go_before_the_whole_body_which_serves_alone(tmp_path):
    write_trained(tmp_path / "both", {**ALL, "whole_body": {"all": 3.0}})
    write_trained(tmp_path / "whole", {"whole_body": {"all": 3.0}})
    (both,), (whole,) = find_trained(tmp_path / "both"), find_trained(tmp_path / "whole")
    assert list(both.checkpoints()) == ["low", "high"]
    assert list(both.checkpoints(["whole_body"])) == ["whole_body"]
    assert list(whole.checkpoints()) == ["whole_body"]


def test_a_district_without_checkpoint_is_told_unless_the_others_are_named(tmp_path):
    write_trained(tmp_path, {"low": {"all": 1.0}})
    (trained,) = find_trained(tmp_path)
    with pytest.raises(CheckpointError, match=r"high has no checkpoint_final\.pth.*-c low"):
        trained.checkpoints()
    assert list(trained.checkpoints(["low"])) == ["low"]
    with pytest.raises(CheckpointError, match=r"__high: no checkpoint_final\.pth; trained are: low"):
        trained.checkpoints(["high"])


def test_configurations_that_share_labels_are_not_predicted_together(tmp_path):
    write_trained(tmp_path, {**ALL, "whole_body": {"all": 3.0}})
    (trained,) = find_trained(tmp_path)
    with pytest.raises(CheckpointError, match="low and whole_body share a part of the body"):
        load_trained(trained, ["low", "whole_body"])


def test_foreign_folders_are_left_alone(tmp_path):
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
        ({"configuration_name": "high"}, "holds scaled of high"),
        ({"model_name": "pix2pix"}, "holds pix2pix of low"),
        ({"model": {"weights": torch.zeros(1)}}, "do not fit the networks"),
        ({"plans": other_plans(patch_size=[4, 4, 4])}, "other plans than the other folds"),
        ({"plans": {**hand_plans().to_json(), "districts": {"low": 2, "high": 1}}}, "other districts"),
        ({"plans": {}}, "schema_version"),
    ],
)
def test_a_checkpoint_that_does_not_belong_there_is_named(tmp_path, content, message):
    write_trained(tmp_path, {"low": {0: 1.0, 1: 1.0}, "high": {0: 1.0}})
    change(tmp_path, "low", 1, **content)
    with pytest.raises(Ct2PetError, match=rf"low.fold_1.checkpoint_final\.pth: .*{message}"):
        load_trained(find_trained(tmp_path)[0])
