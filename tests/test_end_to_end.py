"""The whole road through the real commands, on a phantom of a few thousand voxels."""

import json

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk
from road import SHORT, TEST_CASES, content_of, prepare, run, times_of
from scipy.ndimage import map_coordinates

DISTRICTS = ("head", "trunk", "arms", "legs")


def itk(path):
    return sitk.ReadImage(str(path))


def itk_labels(path, like):
    """A label map on the grid of another image, by SimpleITK alone."""
    return sitk.GetArrayFromImage(sitk.Resample(itk(path), like, sitk.Transform(), sitk.sitkNearestNeighbor))


def test_every_command_says_that_all_is_done(walked):
    assert walked[1] == [0] * 6


def test_predictions_lie_on_a_pet_like_grid_over_the_ct(road):
    spacing = road.plans["configurations"]["whole_body"]["spacing"]
    for case in TEST_CASES:
        pet, ct = itk(road.predictions / f"{case}.nii.gz"), itk(road.raw / "imagesTs" / f"{case}_0000.nii.gz")
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


def test_predictions_are_never_negative_and_zero_outside_of_the_districts(road):
    for case in TEST_CASES:
        image = itk(road.predictions / f"{case}.nii.gz")
        pet = sitk.GetArrayFromImage(image)
        labels = itk_labels(road.raw / "districtsTs" / f"{case}.nii.gz", image)
        assert pet.dtype == np.float32
        assert pet.min() == 0
        assert (pet[labels == 0] == 0).all()
        for label in np.unique(labels[labels > 0]):
            assert pet[labels == label].max() > 0.01
            assert pet[labels == label].max() < 50


def test_the_same_command_gives_the_same_bytes(road, tmp_path):
    assert road.predict(tmp_path / "again") == 0
    again, before = content_of(tmp_path / "again"), content_of(road.predictions)
    assert set(again) == {"prediction.json", *(f"{case}.nii.gz" for case in TEST_CASES)}
    assert again == {name: before[name] for name in again}
    for command, name in (("evaluate", "summary.json"), ("report", "report.html")):
        assert run(f"{command} -d 077 -i {tmp_path}/again -np 1") == 0
        assert (tmp_path / "again" / name).read_bytes() == before[name]


def test_parts_together_are_the_whole(road, tmp_path):
    before = content_of(road.predictions)
    for part in (1, 0):
        assert road.predict(tmp_path / "parts", f"-num_parts 2 -part_id {part}") == 0
        names = {f"{case}.nii.gz" for case in (TEST_CASES if part == 0 else TEST_CASES[1:])}
        assert set(content_of(tmp_path / "parts")) == {"prediction.json", *names}
    parts = content_of(tmp_path / "parts")
    assert parts == {name: before[name] for name in parts}


def test_a_prediction_that_is_continued_touches_nothing_and_fills_what_is_missing(road, tmp_path):
    assert road.predict(tmp_path / "out") == 0
    whole, times = content_of(tmp_path / "out"), times_of(tmp_path / "out")
    missing = tmp_path / "out" / f"{TEST_CASES[1]}.nii.gz"
    missing.unlink()
    assert road.predict(tmp_path / "out", "--continue_prediction") == 0
    assert content_of(tmp_path / "out") == whole
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


def by_hand(road, case):
    """Real PET, prediction and body mask of a case as arrays of one shape."""
    path = road.raw / "targetsTs" / f"{case}.nii.gz"
    real = nibabel.load(path)
    fake = on_the_grid_of(real, nibabel.load(road.predictions / f"{case}.nii.gz"))
    labels = itk_labels(road.raw / "districtsTs" / f"{case}.nii.gz", itk(path))
    return real.get_fdata(), fake, labels.T


def test_the_summary_holds_the_numbers_that_numpy_finds(road):
    summary = json.loads((road.predictions / "summary.json").read_text())
    assert list(summary["cases"]) == TEST_CASES
    labels_of = json.loads((road.raw / "dataset.json").read_text())["districts"]
    errors = []
    for case in TEST_CASES:
        real, fake, labels = by_hand(road, case)
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


def test_the_report_tells_of_every_case_and_region_and_needs_nothing_else(road):
    page = (road.predictions / "report.html").read_text()
    for name in (*TEST_CASES, "whole_body", *DISTRICTS, "lesions"):
        assert name in page
    assert page.count("data:image/png;base64,") == len(TEST_CASES)
    for resource in ("http:", "https:", "<script", "<link", "@import", "url("):
        assert resource not in page


def test_a_numbered_fold_is_validated_on_cases_that_it_was_not_trained_with(road):
    fold = json.loads((road.preprocessed / "splits_final.json").read_text())[0]
    folder = road.results / "pix2pix__ct2petPlans__trunk" / "fold_0" / "validation"
    assert set(json.loads((folder / "summary.json").read_text())["cases"]) == set(fold["val"])
    assert {path.name for path in folder.glob("*.nii.gz")} == {f"{case}.nii.gz" for case in fold["val"]}


def test_the_papers_plans_are_planned_preprocessed_and_trained(road_copy):
    assert prepare(road_copy, "-p paper_2503_15555") == 0
    plans = json.loads((road_copy.preprocessed / "paper_2503_15555.json").read_text())
    head = plans["configurations"]["head"]
    assert (head["patch_size"], head["batch_size"], head["pet_normalization"]["upper_suv"]) == ([32] * 3, 1, 20.0)
    assert run(f"train 077 pix2pix all -c head -p paper_2503_15555 {SHORT}") == 0
    assert (road_copy.results / "pix2pix__paper_2503_15555__head" / "fold_all" / "checkpoint_final.pth").exists()


def test_preparing_again_writes_no_case_again(road_copy):
    times = times_of(road_copy.preprocessed)
    assert prepare(road_copy) == 0
    stores = {path for path in times if path.parent.name.startswith("ct2petPlans_")}
    assert len(stores) > 20
    assert {path: times_of(road_copy.preprocessed)[path] for path in stores} == {path: times[path] for path in stores}
