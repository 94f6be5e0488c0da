"""All commands in order, on a phantom of a few thousand voxels."""

import json
import re
import shutil

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk
from scipy.ndimage import map_coordinates
from whole_pipeline import DATASET, SHORT, SMALL, TEST_CASES, content_of, partial_files, prepare, run, times_of

from ct2pet.training.optimization import Optimization

DISTRICTS = ("head", "trunk", "arms", "legs")


def itk(path):
    return sitk.ReadImage(str(path))


def itk_labels(path, like):
    """A label map on the grid of another image, by SimpleITK alone."""
    return sitk.GetArrayFromImage(sitk.Resample(itk(path), like, sitk.Transform(), sitk.sitkNearestNeighbor))


def test_every_command_ends_with_exit_code_0(finished_pipeline):
    assert finished_pipeline[1] == [0] * 6


def test_predictions_are_on_a_pet_like_grid_over_the_ct(pipeline):
    spacing = pipeline.plans["configurations"]["whole_body"]["spacing"]
    for case in TEST_CASES:
        pet, ct = itk(pipeline.predictions / f"{case}.nii.gz"), itk(pipeline.raw / "imagesTs" / f"{case}_0000.nii.gz")
        assert pet.GetSpacing()[::-1] == pytest.approx(spacing)
        assert spacing == pytest.approx([11.0, 11.0, 11.0])  # of the phantom's PET; its CT has 9 x 8 x 8 mm
        assert pet.GetDirection() == ct.GetDirection()
        for image_ends in zip(*(ends(image) for image in (pet, ct))):
            assert np.abs(np.subtract(*image_ends)).max() <= 11 / 2 + 1e-3


def ends(image):
    """The outer corners of an image, mm."""
    size = image.GetSize()
    yield image.TransformContinuousIndexToPhysicalPoint([-0.5] * 3)
    yield image.TransformContinuousIndexToPhysicalPoint([n - 0.5 for n in size])


def test_predictions_are_never_negative_and_zero_outside_of_the_districts(pipeline):
    for case in TEST_CASES:
        image = itk(pipeline.predictions / f"{case}.nii.gz")
        pet = sitk.GetArrayFromImage(image)
        labels = itk_labels(pipeline.raw / "districtsTs" / f"{case}.nii.gz", image)
        assert pet.dtype == np.float32
        assert pet.min() == 0
        assert (pet[labels == 0] == 0).all()
        for label in np.unique(labels[labels > 0]):
            assert pet[labels == label].max() > 0.01
            assert pet[labels == label].max() < 50


def test_a_repeated_command_gives_the_same_bytes(pipeline, tmp_path):
    target = tmp_path / pipeline.predictions.name  # the record contains the name of the folder, not its path
    assert pipeline.predict(target) == 0
    again, before = content_of(target), content_of(pipeline.predictions)
    assert set(again) == {"prediction.json", *(f"{case}.nii.gz" for case in TEST_CASES)}
    assert again == {name: before[name] for name in again}
    for command, name in (("evaluate", "summary.json"), ("report", "report.html")):
        assert run(f"{command} -d 077 -i {target} -np 1") == 0
        assert (target / name).read_bytes() == before[name]


def but_for_the_runs(files):
    """The files of a folder of predictions without the command lines that made them."""
    content = json.loads(files["prediction.json"])
    return {**files, "prediction.json": {name: value for name, value in content.items() if name != "runs"}}


def test_parts_together_are_the_whole(pipeline, tmp_path):
    before = content_of(pipeline.predictions)
    for part in (1, 0):
        assert pipeline.predict(tmp_path / "parts", f"-num_parts 2 -part_id {part}") == 0
        names = {f"{case}.nii.gz" for case in (TEST_CASES if part == 0 else TEST_CASES[1:])}
        assert set(content_of(tmp_path / "parts")) == {"prediction.json", *names}
    parts = content_of(tmp_path / "parts")
    assert but_for_the_runs(parts) == but_for_the_runs({name: before[name] for name in parts})


def test_a_prediction_that_is_continued_touches_nothing_and_fills_what_is_missing(pipeline, tmp_path):
    assert pipeline.predict(tmp_path / "out") == 0
    whole, times = content_of(tmp_path / "out"), times_of(tmp_path / "out")
    missing = tmp_path / "out" / f"{TEST_CASES[1]}.nii.gz"
    missing.unlink()
    assert pipeline.predict(tmp_path / "out", "--continue_prediction") == 0
    assert but_for_the_runs(content_of(tmp_path / "out")) == but_for_the_runs(whole)
    kept = tmp_path / "out" / f"{TEST_CASES[0]}.nii.gz"
    assert kept.stat().st_mtime_ns == times[kept]
    assert missing.stat().st_mtime_ns > times[missing]


def on_the_grid_of(real, fake):
    """The prediction at the voxels of the real PET, linearly, 0 where it does not reach: by hand."""
    index = np.stack(np.meshgrid(*map(np.arange, real.shape), indexing="ij"), axis=-1)
    matrix = np.linalg.inv(fake.affine) @ real.affine
    places = index @ matrix[:3, :3].T + matrix[:3, 3]
    inside = ((places >= -0.5) & (places <= np.array(fake.shape) - 0.5)).all(axis=-1)
    values = map_coordinates(fake.get_fdata(), np.moveaxis(places, -1, 0), order=1, mode="nearest")
    return np.where(inside, values, 0)


def by_hand(pipeline, case):
    """Real PET, prediction and body mask of a case as arrays of one shape."""
    path = pipeline.raw / "targetsTs" / f"{case}.nii.gz"
    real = nibabel.load(path)
    fake = on_the_grid_of(real, nibabel.load(pipeline.predictions / f"{case}.nii.gz"))
    labels = itk_labels(pipeline.raw / "districtsTs" / f"{case}.nii.gz", itk(path))
    return real.get_fdata(), fake, labels.T


def test_the_summary_equals_a_computation_by_numpy(pipeline):
    summary = json.loads((pipeline.predictions / "summary.json").read_text())
    assert list(summary["cases"]) == TEST_CASES
    labels_of = json.loads((pipeline.raw / "dataset.json").read_text())["districts"]
    errors = []
    for case in TEST_CASES:
        real, fake, labels = by_hand(pipeline, case)
        found = summary["cases"][case]
        for region, mask in {"whole_body": labels > 0, "head": labels == labels_of["head"]}.items():
            error = (fake - real)[mask]
            assert found[region]["mae"] == pytest.approx(np.abs(error).mean(), rel=1e-4)
            assert found[region]["psnr"] == pytest.approx(10 * np.log10(20**2 / (error**2).mean()), rel=1e-4)
            bias = 100 * (fake[mask].mean() / real[mask].mean() - 1)
            assert found[region]["suv_mean_bias"] == pytest.approx(bias, rel=1e-3, abs=1e-2)
        assert found["whole_body"]["mae_volume"] == pytest.approx(np.abs(fake - real).mean(), rel=1e-4)
        errors.append((np.abs(fake - real)[labels > 0].mean(), real[labels > 0].mean()))
    mae, zeros = np.array(errors).T
    mean = summary["mean"]["whole_body"]["mae"]
    assert mean["n"] == 2
    assert mean["mean"] == pytest.approx(mae.mean(), rel=1e-4)
    assert mean["se"] == pytest.approx(mae.std(ddof=1) / np.sqrt(2), rel=1e-3)
    assert summary["baselines"]["zeros"]["whole_body"]["mae"] == pytest.approx(zeros.mean(), rel=1e-4)


def test_the_report_contains_every_case_and_region_and_is_self_contained(pipeline):
    page = (pipeline.predictions / "report.html").read_text()
    for name in (*TEST_CASES, "whole body", *DISTRICTS, "lesions", "trunk: losses"):
        assert name in page
    assert page.count("data:image/png;base64,") == 8 * len(TEST_CASES) + 1  # projections, and the joint histogram
    assert page.count("data-voxel=") == len(TEST_CASES)
    for resource in ("http:", "https:", "<link", "@import", str(pipeline.root), str(pipeline.root.parent)):
        assert resource not in page


def test_a_numbered_fold_is_validated_on_cases_that_it_was_not_trained_with(pipeline):
    fold = json.loads((pipeline.preprocessed / "splits_final.json").read_text())[0]
    folder = pipeline.results / "pix2pix__ct2petPlans__trunk" / "fold_0" / "validation"
    assert set(json.loads((folder / "summary.json").read_text())["cases"]) == set(fold["val"])
    assert {path.name for path in folder.glob("*.nii.gz")} == {f"{case}.nii.gz" for case in fold["val"]}


def test_preparing_again_writes_no_case_again(pipeline_copy):
    before = times_of(pipeline_copy.preprocessed)
    assert prepare(pipeline_copy) == 0
    assert partial_files(pipeline_copy.preprocessed) == []
    stores = {path: time for path, time in before.items() if path.parent.name.startswith("ct2petPlans_")}
    assert len(stores) > 20
    assert stores.items() <= times_of(pipeline_copy.preprocessed).items()


def line_of(capfd, name):
    """The one line on the screen that the command says; progress bars and the like are not its words."""
    said = capfd.readouterr().err.replace("\r", "\n").splitlines()
    lines = [line for line in said if line.startswith(f"ct2pet_{name}: ")]
    assert len(lines) == 1
    assert "Traceback" not in "".join(said)
    return lines[0]


@pytest.mark.parametrize(
    ("line", "names"),
    [
        ("plan_and_preprocess -d 78", ["'78'", "Dataset077_Tiny"]),
        ("train 78 pix2pix all", ["'78'", "Dataset077_Tiny", "ct2pet_plan_and_preprocess -d 78"]),
        ("train 77 pix3pix all", ["'pix3pix'", "pix2pix"]),
        ("train 77 pix2pix 9", ["9", "0, 1, 2, 3, all"]),
        ("train 77 pix2pix all -c tail", ["'tail'", "head, trunk, arms, legs, whole_body"]),
        ("train 77 pix2pix all -p mine", ["mine.json", "ct2petPlans", "ct2pet_plan_and_preprocess"]),
        ("preprocess -d 77 -c tail", ["'tail'", "head, trunk, arms, legs, whole_body"]),
        ("predict -i {images} -o {out} -d 78", ["-d Dataset077_Tiny -m pix2pix -p ct2petPlans"]),
        ("predict -i {images} -o {out} -m pix3pix", ["-d Dataset077_Tiny -m pix2pix -p ct2petPlans"]),
        ("predict -i {images} -o {out} -f 9", ["fold 9", "folds: all"]),
        ("predict -i {images} -o {out} -c tail", ["-c tail", "arms, head, legs, trunk"]),
        ("predict -i {images} -o {out} --districts {out}", ["{out}: no such folder of district maps"]),
        ("evaluate -d 78 -i {out}", ["'78'", "Dataset077_Tiny"]),
        ("evaluate -d 77 -i {out}", ["{out}: no such folder"]),
        ("report -d 77 -i {images}", ["summary.json: no such file"]),
    ],
)
def test_unknown_names_are_a_line_with_the_valid_ones(pipeline, tmp_path, capfd, line, names):
    places = {"images": pipeline.raw / "imagesTs", "out": tmp_path / "out"}
    line = line.format(**places)
    assert run(line) == 2
    said = line_of(capfd, line.split()[0])
    for name in names:
        assert name.format(**places) in said
    assert not places["out"].exists()


def test_a_damaged_ct_is_named_and_the_others_are_predicted(pipeline_copy, capfd):
    ct = pipeline_copy.raw / "imagesTs" / f"{TEST_CASES[0]}_0000.nii.gz"
    ct.write_bytes(ct.read_bytes()[:-2000])
    assert pipeline_copy.predict(pipeline_copy.predictions) == 1
    assert set(content_of(pipeline_copy.predictions)) == {"prediction.json", f"{TEST_CASES[1]}.nii.gz"}
    said = capfd.readouterr().err
    assert f"{TEST_CASES[0]}: {ct}: " in said
    assert TEST_CASES[1] not in said.split("ct2pet_predict: ")[1]
    assert run(f"evaluate -d 077 -i {pipeline_copy.predictions} -np 1") == 1
    assert f"{TEST_CASES[0]}: no prediction" in capfd.readouterr().err
    summary = json.loads((pipeline_copy.predictions / "summary.json").read_text())
    assert list(summary["cases"]) == [TEST_CASES[1]]
    assert summary["provenance"]["failed_cases"] == [TEST_CASES[0]]


def test_missing_district_maps_are_one_line(pipeline_copy, tmp_path, capfd):
    for split in ("Tr", "Ts"):
        shutil.rmtree(pipeline_copy.raw / f"districts{split}")
    assert pipeline_copy.predict(tmp_path / "out", "--segmenter files") == 2
    assert "--districts" in line_of(capfd, "predict")
    assert run("extract_fingerprint -d 077 -np 1") == 2
    said = line_of(capfd, "extract_fingerprint")
    assert (
        "districtsTr/phantom_001.nii.gz: no such file, and no district map of any other case; make them with " in said
    )
    assert f"ct2pet_segment_districts -d {DATASET}" in said


def test_each_step_names_the_one_that_must_go_before_it(pipeline_copy, capfd):
    shutil.rmtree(pipeline_copy.preprocessed)
    train = f"train 77 pix2pix all -c legs {SHORT} --c"
    for missing, step in [
        ("ct2pet_plan_and_preprocess -d 77 first", "extract_fingerprint -d 77 -np 1"),
        (f"ct2pet_plan_and_preprocess -d {DATASET} -p ct2petPlans", f"plan_experiment -d 77 -device cpu {SMALL}"),
        (f"ct2pet_preprocess -d {DATASET} -p ct2petPlans first", "preprocess -d 77 -np 1"),
    ]:
        assert run(train) == 2
        assert missing in line_of(capfd, "train")
        assert run(step) == 0
        capfd.readouterr()
    assert run(train) == 0


def test_edited_plans_are_used(pipeline_copy, monkeypatch):
    shapes, step = [], Optimization.step

    def watched(self, batch, *arguments):
        shapes.append(tuple(batch["CT"].shape))
        return step(self, batch, *arguments)

    monkeypatch.setattr(Optimization, "step", watched)

    planned = pipeline_copy.plans["configurations"]["legs"]
    multiple = int(np.prod(planned["networks"]["generator"]["arguments"]["strides"], axis=0)[2])
    patch_size = [*planned["patch_size"][:2], planned["patch_size"][2] + multiple]

    def edit(plans):
        plans["configurations"]["legs"].update(batch_size=3, patch_size=patch_size)
        plans["models"]["pix2pix"].update(num_epochs=2, iterations_per_epoch=3)

    pipeline_copy.edit_plans(edit)
    assert run("train 077 pix2pix 1 -c legs -device cpu") == 0
    assert shapes == [(3, 1, *patch_size)] * 6


@pytest.mark.parametrize(
    ("place", "key", "value"),
    [
        (("configurations", "legs"), "batch_sise", 3),
        (("models", "pix2pix"), "learning_rat", 0.1),
        (("configurations", "legs"), "patch_size", [16, 15, 16]),
    ],
)
def test_a_slip_in_the_plans_is_one_line(pipeline_copy, capfd, place, key, value):
    pipeline_copy.edit_plans(lambda plans: plans[place[0]][place[1]].update({key: value}))
    assert run(f"train 077 pix2pix 1 -c legs {SHORT}") == 2
    assert key in line_of(capfd, "train")


def test_the_commands_of_the_readme_evaluate_a_case_without_a_district_map(pipeline_copy, monkeypatch, pytestconfig):
    text = (pytestconfig.rootpath / "README.md").read_text(encoding="utf-8")
    text = text.replace("-d 001", "-d 077").replace("$ct2pet_raw/Dataset001_MYPETS", str(pipeline_copy.raw))
    lines = re.findall(r"^ct2pet_(.*)$", text.split("## Your first dataset")[1].split("## ")[0], re.MULTILINE)
    assert [line.split()[0] for line in lines[1:3]] == ["plan_and_preprocess", "train"]  # the fixture did both
    for path in {*pipeline_copy.raw.glob("*Ts/phantom_006*"), *pipeline_copy.raw.glob("districtsTs/*")}:
        path.unlink()
    shutil.rmtree(pipeline_copy.results / "pix2pix__ct2petPlans__trunk" / "fold_0")
    monkeypatch.chdir(pipeline_copy.root)
    assert [run(line) for line in (lines[0], *lines[3:])] == [0, 0, 0, 0]
    assert {"phantom_005.nii.gz", "summary.json", "report.html"} < {p.name for p in pipeline_copy.predictions.iterdir()}
