"""Reference plans through the real commands."""

import json

import numpy as np
import SimpleITK as sitk
from whole_pipeline import SHORT, TEST_CASES, prepare, run


def itk(path):
    return sitk.ReadImage(str(path))


def itk_labels(path, like):
    """A label map on the grid of another image, by SimpleITK alone."""
    return sitk.GetArrayFromImage(sitk.Resample(itk(path), like, sitk.Transform(), sitk.sitkNearestNeighbor))


def test_the_papers_plans_are_planned_preprocessed_and_trained(pipeline_copy):
    assert prepare(pipeline_copy, "-p paper_2503_15555") == 0
    plans = json.loads((pipeline_copy.preprocessed / "paper_2503_15555.json").read_text())
    head = plans["configurations"]["head"]
    assert (head["patch_size"], head["batch_size"], head["normalization"]["PET"]["upper"]) == ([32] * 3, 1, 20.0)
    assert run(f"train 077 pix2pix all -c head -p paper_2503_15555 {SHORT}") == 0
    assert (pipeline_copy.results / "pix2pix__paper_2503_15555__head" / "fold_all" / "checkpoint_final.pth").exists()


def test_the_strict_plans_are_trained_on_the_whole_volume_and_predict(pipeline_copy):
    """Without a segmentation: the CT in its own window, and windows from the first voxel of the volume on."""
    assert prepare(pipeline_copy, "-p paper_2503_15555_strict") == 0
    assert run(f"train 077 pix2pix all -c whole_body -p paper_2503_15555_strict {SHORT}") == 0
    (pipeline_copy.raw / "imagesTs" / f"{TEST_CASES[1]}_0000.nii.gz").unlink()  # one case stands for all
    out = pipeline_copy.root / "strict"
    assert (
        run(f"predict -i {pipeline_copy.raw / 'imagesTs'} -o {out} -d 77 -c whole_body -p paper_2503_15555_strict") == 0
    )
    image = itk(out / f"{TEST_CASES[0]}.nii.gz")
    labels = itk_labels(pipeline_copy.raw / "districtsTs" / f"{TEST_CASES[0]}.nii.gz", image)
    pet = sitk.GetArrayFromImage(image)
    assert np.isfinite(pet).all()
    assert (pet[labels == 0] == 0).all()
    assert 0 < pet[labels > 0].max() <= 50
