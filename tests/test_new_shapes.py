"""Methods of other shapes than one CT to one PET: each from a raw dataset through the commands."""

import json
from importlib.metadata import EntryPoint

import numpy as np
import pytest
import torch
from raw_cases import smooth
from whole_pipeline import run

from ct2pet import plugins
from ct2pet.checkpoint import load_checkpoint
from ct2pet.dataset import RawDataset
from ct2pet.imageio import read_volume, write_volume
from ct2pet.training import trainer as trainer_module
from ct2pet.volume import Grid, Volume

METHODS = {"two_inputs": "TwoInputs", "image_and_labels": "ImageAndLabels", "class_to_image": "ClassToImage"}
GRID = Grid((24, 20, 22), (4.0, 4.0, 4.0), (-40.0, -38.0, -44.0))
NAME = "Dataset050_Shapes"
SHORT = "--num_epochs 3 --iterations_per_epoch 4 -device cpu --deterministic -num_workers 0"
ORGANS = {"liver": 1, "spleen": 2}


class PulledPlugError(BaseException):
    """Nothing in a command catches this: the process is gone."""


@pytest.fixture
def work(tmp_path, monkeypatch):
    """The three folders, and the methods as another package offers them."""
    points = [EntryPoint(name, f"toy_methods.{name}:{kind}", "ct2pet.models") for name, kind in METHODS.items()]
    monkeypatch.setattr(plugins, "entry_points", lambda group: points if group == "ct2pet.models" else [])
    for kind in ("raw", "preprocessed", "results"):
        monkeypatch.setenv(f"ct2pet_{kind}", str(tmp_path / kind))
    return tmp_path


def write(folder, name, array, unit=""):
    write_volume(folder / name, Volume(array, GRID, unit))


def pet_of(seed):
    return smooth(GRID, seed, 0, 6)


def labels_of(pet):
    return np.where(pet > 4, 2, np.where(pet > 2.5, 1, 0)).astype(np.uint8)


def make_dataset(root, **description):
    """Three training cases and a test case: PET, a CT and a low-dose PET that follow it, labels of its levels."""
    folder = root / "raw" / NAME
    for seed, (case, split) in enumerate([("a", "Tr"), ("b", "Tr"), ("c", "Tr"), ("t", "Ts")]):
        pet = pet_of(seed)
        noise = np.random.default_rng(seed).normal(0, 0.3, pet.shape)
        images = {"CT": 100 * pet - 300, "low_PET": np.maximum(pet + noise, 0)}
        for number, channel in description["channel_names"].items():
            write(folder / f"images{split}", f"{case}_{int(number):04d}.nii", images[channel].astype(np.float32))
        write(folder / f"targets{split}", f"{case}.nii", pet)
        if "organs" in description["targets"]:
            write(folder / f"organs{split}", f"{case}.nii", labels_of(pet))
    content = {"numTraining": 3, "file_ending": ".nii", "districts": {}, "body_mask": None, **description}
    (folder / "dataset.json").write_text(json.dumps(content))
    return RawDataset(folder)


def weights(work, method, fold="all"):
    folder = work / "results" / NAME / f"{method}__ct2petPlans__whole_body" / f"fold_{fold}"
    return load_checkpoint(folder / "checkpoint_final.pth")["model"]


def train_interrupted_and_whole(work, method, monkeypatch):
    """Train fold "all" without an interruption and fold 0 with one, of the same cases; both final weights."""
    splits = work / "preprocessed" / NAME / "splits_final.json"
    splits.write_text(json.dumps([{"train": ["a", "b", "c"], "val": []}]))
    assert run(f"train 050 {method} all {SHORT}") == 0
    original = trainer_module.Trainer._finish_epoch

    def die(self, epoch, row):
        if epoch == 1:
            raise PulledPlugError
        original(self, epoch, row)

    with monkeypatch.context() as patch:
        patch.setattr(trainer_module.Trainer, "_finish_epoch", die)
        with pytest.raises(PulledPlugError):
            trainer_run(f"050 {method} 0 {SHORT}")
    assert run(f"train 050 {method} 0 {SHORT} --c") == 0
    return weights(work, method), weights(work, method, 0)


def plan_doses(work, doses):
    path = work / "preprocessed" / NAME / "ct2petPlans.json"
    plans = json.loads(path.read_text())
    plans["configurations"]["whole_body"]["augmentation"]["dose_fractions"] = doses
    path.write_text(json.dumps(plans))


def trainer_run(line):
    """ct2pet_train without the frame that turns errors into exit codes."""
    from ct2pet.api.training import train
    from ct2pet.training import TrainingOptions

    dataset, method, fold, *_ = line.split()
    options = TrainingOptions(
        num_epochs=3, iterations_per_epoch=4, deterministic=True, num_workers=0, show_progress=False
    )
    train(dataset, method, fold, device="cpu", options=options)


def equal(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def prepare(method):
    checks_and_size = "--verify_dataset_integrity -np 1 -device cpu -gpu_memory_target 0.39"
    assert run(f"plan_and_preprocess -d 050 {checks_and_size} -m {method}") == 0


def test_two_inputs_and_one_output(work, monkeypatch, capsys):
    dataset = make_dataset(work, channel_names={"0": "CT", "1": "low_PET"}, targets={"PET": {}})
    prepare("two_inputs")
    whole, resumed = train_interrupted_and_whole(work, "two_inputs", monkeypatch)
    assert equal(whole, resumed)
    assert whole["generator.encoder.stages.0.0.convs.0.conv.weight"].shape[1] == 2
    images, out = dataset.folder / "imagesTs", work / "out"
    assert run(f"predict -i {images} -o {out} -m two_inputs -f all -device cpu --float32") == 0
    predicted = read_volume(out / "t.nii")
    assert predicted.grid.matches(GRID)
    assert np.abs(predicted.array - pet_of(3)).mean() < 1.0  # as the low dose that it starts from
    assert run(f"evaluate -d 050 -i {out} -np 1") == 0
    mae = json.loads((out / "summary.json").read_text())["cases"]["t"]["whole_body"]["mae"]
    assert mae == pytest.approx(np.abs(predicted.array - pet_of(3)).mean(), rel=1e-4)

    (images / "t_0001.nii").unlink()
    assert run(f"predict -i {images} -o {work / 'other'} -m two_inputs -f all -device cpu") == 2
    assert "t has no low_PET (t_0001)" in capsys.readouterr().err


def test_one_input_and_an_image_and_labels_out(work, monkeypatch, capsys):
    targets = {"PET": {}, "organs": {"kind": "labels", "labels": ORGANS}}
    dataset = make_dataset(work, channel_names={"0": "low_PET"}, targets=targets)
    prepare("image_and_labels")
    whole, resumed = train_interrupted_and_whole(work, "image_and_labels", monkeypatch)
    assert equal(whole, resumed)
    images, out = dataset.folder / "imagesTs", work / "out"
    predict = f"predict -i {images} -m image_and_labels -f all -device cpu --float32"
    assert run(f"{predict} -o {out}") == 0
    labels = read_volume(out / "t_organs.nii")
    assert labels.grid.matches(GRID)
    assert labels.array.dtype.kind == "u"
    assert set(np.unique(labels.array)) <= {0, 1, 2}
    assert run(f"evaluate -d 050 -i {out} -np 1") == 0
    regions = json.loads((out / "summary.json").read_text())["cases"]["t"]
    own, true = labels.array == 1, labels_of(pet_of(3)) == 1
    assert regions["organ:liver"]["dice"] == pytest.approx(2 * (own & true).sum() / (own.sum() + true.sum()))
    assert regions["whole_body"]["mae"] > 0

    (out / "t_organs.nii").unlink()
    written = (out / "t_PET.nii").stat().st_mtime_ns
    assert run(f"{predict} -o {out} --continue_prediction") == 0  # half a case is none
    assert np.array_equal(read_volume(out / "t_organs.nii").array, labels.array)
    assert (out / "t_PET.nii").stat().st_mtime_ns != written
    assert run(f"{predict} -o {work / 'one.nii'}") == 2
    assert "-o must be a folder" in capsys.readouterr().err


def test_ldos_resumes_bit_for_bit_and_needs_the_dose(work, monkeypatch, capsys):
    targets = {"PET": {}, "organs": {"kind": "labels", "labels": ORGANS}}
    dataset = make_dataset(work, channel_names={"0": "low_PET"}, targets=targets)
    line = "plan_and_preprocess -d 050 -np 1 -device cpu -gpu_memory_target 0.39 -m ldos"
    assert run(line) == 2
    assert "ldos needs the key dose_fraction in dataset.json" in capsys.readouterr().err
    for fraction, said in ((1.5, "not 1.5"), ("5%", "not '5%'")):
        (dataset.folder / "dataset.json").write_text(
            json.dumps({**dataset.description.content, "dose_fraction": fraction})
        )
        assert run(line) == 2
        assert f"dose_fraction must be above 0 and at most 1 (0.05 is 5% dose), {said}" in capsys.readouterr().err
    (dataset.folder / "dataset.json").write_text(json.dumps({**dataset.description.content, "dose_fraction": 0.05}))
    prepare("ldos")
    plan_doses(work, [0.02, 0.25])
    assert run("train 050 ldos all -device cpu") == 2
    assert "begins with 0.02, but dose_fraction in dataset.json is 0.05" in capsys.readouterr().err
    plan_doses(work, [0.05, 0.25])
    whole, resumed = train_interrupted_and_whole(work, "ldos", monkeypatch)
    assert equal(whole, resumed)

    images = dataset.folder / "imagesTs"
    for array, said in ((pet_of(3) * 5000, "looks like Bq/ml"), (pet_of(3) * 300 - 1000, "look like a CT in HU")):
        write(images, "t_0000.nii", array)
        assert run(f"predict -i {images} -o {work / 'out'} -m ldos -f all -device cpu") == 2
        assert said in capsys.readouterr().err
        assert not list(work.glob("out/t*"))


def test_no_input_and_a_class(work, monkeypatch, capsys):
    dataset = make_dataset(work, channel_names={}, targets={"PET": {}}, conditions={"level": ["low", "high"]})
    for case, value in {"a": 0.9, "b": 4.0, "c": 1.1}.items():
        write(dataset.folder / "targetsTr", f"{case}.nii", np.full(GRID.shape, value, np.float32))
    (dataset.folder / "cases.csv").write_text("case,level\na,low\nb,high\nc,low\nt,low\n")
    prepare("class_to_image")
    whole, resumed = train_interrupted_and_whole(work, "class_to_image", monkeypatch)
    assert equal(whole, resumed)
    assert (
        run("train 050 class_to_image all --num_epochs 40 --iterations_per_epoch 10 -device cpu -num_workers 0 --c")
        == 0
    )
    means = {}
    for label in ("low", "high"):
        line = f"synthesize -o {work / label} --label {label} -n 3 --seed 5 -f all -device cpu"
        assert run(line) == 0
        means[label] = np.mean([read_volume(work / label / f"{label}_{n:04d}.nii.gz").array.mean() for n in (1, 2, 3)])
        assert (work / label / f"sheet_{label}_PET.png").exists()
    assert means["high"] - means["low"] > 2  # 1 and 4 SUV in the data
    first = read_volume(work / "low" / "low_0001.nii.gz").array
    assert run(f"synthesize -o {work / 'again'} --label level=low -n 1 --seed 5 -f all -device cpu") == 0
    assert np.array_equal(read_volume(work / "again" / "low_0001.nii.gz").array, first)
    record = json.loads((work / "low" / "synthesis.json").read_text())
    assert "not for diagnosis" in record["note"]

    assert run(f"synthesize -o {work / 'x'} --label medium -f all -device cpu") == 2
    assert "its classes are level: low, high" in capsys.readouterr().err
    assert run(f"synthesize -o {dataset.folder / 'targetsTr'} --label low -f all -device cpu") == 2
    assert "synthetic images may be mixed with real ones" in capsys.readouterr().err
    assert run(f"predict -i {dataset.folder / 'targetsTs'} -o {work / 'y'} -f all -device cpu") == 2
    assert "use ct2pet_synthesize" in capsys.readouterr().err


def test_a_case_without_a_class_is_named_before_any_work(work, capsys):
    dataset = make_dataset(work, channel_names={}, targets={"PET": {}}, conditions={"level": ["low", "high"]})
    (dataset.folder / "cases.csv").write_text("case,level\na,low\nb,hihg\nt,low\n")
    assert run("plan_and_preprocess -d 050 --verify_dataset_integrity -np 1 -m class_to_image -device cpu") == 2
    said = capsys.readouterr().err
    assert "level of b is 'hihg'; known are low, high" in said
    assert "level of c is missing" in said


def test_a_method_that_cannot_take_the_dataset_is_refused_by_name(work, capsys):
    make_dataset(work, channel_names={"0": "CT"}, targets={"PET": {}})
    assert run("plan_and_preprocess -d 050 -np 1 -m two_inputs -device cpu") == 2
    assert "two_inputs takes 2 input image(s), and the dataset has 1" in capsys.readouterr().err
