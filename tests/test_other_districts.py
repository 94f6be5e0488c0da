"""Districts are data: all commands with a dataset that names six districts of its own."""

import json

import numpy as np
import pytest
from whole_pipeline import DATASET, SHORT, Pipeline, prepare, run

from ct2pet.evaluation.names import region_title
from ct2pet.imageio import read_volume, write_volume
from ct2pet.phantom import COARSE, write_dataset
from ct2pet.resampling import resample

SIX = {"head": 3, "thorax": 12, "abdomen": 5, "pelvis": 200, "arms": 1, "legs": 7}
TEST_CASE = "phantom_003"
NAMES = [*SIX, "whole_body"]


def levels(organs, labels):
    """The slice a quarter up the lungs, and that of the iliac crests: a coarse diaphragm and pelvic brim."""
    lung, pelvis = (np.flatnonzero((organs == labels[name]).any(axis=(1, 2))) for name in ("lung", "pelvis"))
    return lung[0] + len(lung) // 4, pelvis[-1]


def write_six(raw):
    """Replace the phantom's four districts by six, from its truth."""
    description = json.loads((raw / "dataset.json").read_text())
    four = description["districts"]
    for path in sorted(raw.glob("districtsT[rs]/phantom*.gz")):
        truth = read_volume(path)
        organs = read_volume(path.parent.with_name(path.parent.name.replace("districts", "organs")) / path.name).array
        diaphragm, brim = levels(organs, description["organs"])
        height = np.arange(len(organs))[:, None, None]
        part = np.where(height >= diaphragm, SIX["thorax"], np.where(height >= brim, SIX["abdomen"], SIX["pelvis"]))
        six = np.where(truth.array == four["trunk"], part, 0)
        for name in ("head", "arms", "legs"):
            six[truth.array == four[name]] = SIX[name]
        write_volume(path, truth.with_array(six.astype(np.uint8)))
    (raw / "dataset.json").write_text(json.dumps({**description, "districts": SIX}))


@pytest.fixture(scope="module")
def six_districts(tmp_path_factory):
    pipeline = Pipeline(tmp_path_factory.mktemp("six"))
    with pytest.MonkeyPatch.context() as patch:
        pipeline.enter(patch)
        write_dataset(pipeline.raw, num_train=2, num_test=1, seed=3, scanner=COARSE)
        write_six(pipeline.raw)
        codes = [prepare(pipeline, "--verify_dataset_integrity"), run(f"train 077 pix2pix all {SHORT}")]
        codes.append(pipeline.predict(pipeline.predictions))
        codes += [run(f"{command} -d 077 -i {pipeline.predictions} -np 1") for command in ("evaluate", "report")]
    return pipeline, codes


def test_every_command_ends_with_exit_code_0(six_districts):
    assert six_districts[1] == [0] * 5


def test_each_has_numbers_of_its_own_in_the_fingerprint_and_the_plans(six_districts):
    pipeline, _ = six_districts
    fingerprint = json.loads((pipeline.preprocessed / "dataset_fingerprint.json").read_text())
    assert list(fingerprint["districts"]) == NAMES
    assert len({tuple(seen["box_sizes_mm"][0]) for seen in fingerprint["districts"].values()}) == 7
    assert list(pipeline.plans["configurations"]) == NAMES
    assert {name: c["labels"] for name, c in pipeline.plans["configurations"].items()} == {
        **{name: [label] for name, label in SIX.items()},
        "whole_body": sorted(SIX.values()),
    }


def test_each_has_a_store_and_a_model(six_districts):
    pipeline, _ = six_districts
    for name in NAMES:
        assert len(list((pipeline.preprocessed / f"ct2petPlans_{name}").glob("phantom*.json"))) == 2
    models = {path.parent.parent.name for path in pipeline.results.glob("*/fold_all/checkpoint_final.pth")}
    assert models == {f"pix2pix__ct2petPlans__{name}" for name in SIX}


def test_each_is_predicted_where_its_label_is(six_districts):
    pipeline, _ = six_districts
    pet = read_volume(pipeline.predictions / f"{TEST_CASE}.nii.gz")
    labels = resample(read_volume(pipeline.raw / "districtsTs" / f"{TEST_CASE}.nii.gz"), pet.grid, labels=True).array
    for label in SIX.values():
        assert pet.array[labels == label].max() > 0.01
    assert (pet.array[labels == 0] == 0).all()


def test_each_is_evaluated_and_reported(six_districts):
    pipeline, _ = six_districts
    summary = json.loads((pipeline.predictions / "summary.json").read_text())
    found = summary["cases"][TEST_CASE]
    assert len({found[name]["mae"] for name in NAMES}) == 7
    page = (pipeline.predictions / "report.html").read_text()
    assert all(f">{region_title(name)}<" in page for name in NAMES)
    assert DATASET in page
