import nibabel
import numpy as np
import pytest
import SimpleITK as sitk
from hand_models import Scaled, two_district_case, write_trained
from stub_segmenter import use_stubs
from two_targets import ScaledAndThresholded, two_input_case, two_target_plans, write_two_target_model

from ct2pet.api.prediction import predict
from ct2pet.api.predictor import Predictor, as_volume, like
from ct2pet.errors import CheckpointError, Ct2PetError, GeometryError, ImageError
from ct2pet.imageio import write_volume

TURNED = (0.8, 0.0, 0.6, 0.0, 1.0, 0.0, -0.6, 0.0, 0.8)
FLIPPED_AND_PERMUTED = (0.0, 0.0, -1.0, -1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
OPTIONS = {"device": "cpu", "float32": True}
DATASET = "Dataset900_Tiny"


@pytest.fixture
def work(tmp_path, monkeypatch):
    """A case in files, its prediction by the command, and the trained model."""
    monkeypatch.setenv("ct2pet_results", str(tmp_path / "results"))
    monkeypatch.setattr("ct2pet.models.load_model", lambda name: Scaled)
    write_trained(tmp_path / "results", {"low": {0: 0.5}, "high": {0: 2.0}})
    ct, labels = two_district_case(direction=FLIPPED_AND_PERMUTED)
    write_volume(tmp_path / "imagesTs" / "a_0000.nii.gz", ct)
    write_volume(tmp_path / "districtsTs" / "a.nii.gz", labels)
    predict(tmp_path / "imagesTs", tmp_path / "out", **OPTIONS)
    return tmp_path


def read(work, library):
    paths = work / "imagesTs" / "a_0000.nii.gz", work / "districtsTs" / "a.nii.gz", work / "out" / "a.nii.gz"
    return [library(str(path)) for path in paths]


def test_a_simpleitk_image_gives_the_pet_of_the_command(work):
    ct, labels, expected = read(work, sitk.ReadImage)
    pet = Predictor.from_folder(work / "results" / DATASET, **OPTIONS).predict(ct, labels)
    assert isinstance(pet, sitk.Image)
    np.testing.assert_array_equal(sitk.GetArrayFromImage(pet), sitk.GetArrayFromImage(expected))
    for name in ("GetSpacing", "GetOrigin", "GetDirection"):
        np.testing.assert_allclose(getattr(pet, name)(), getattr(expected, name)(), atol=1e-4)


def test_a_nibabel_image_gives_the_pet_of_the_command(work):
    ct, labels, expected = read(work, nibabel.load)
    pet = Predictor.from_folder(**OPTIONS).predict(ct, labels)  # the one model of the results folder
    assert isinstance(pet, nibabel.Nifti1Image)
    np.testing.assert_array_equal(pet.get_fdata(dtype=np.float32), expected.get_fdata(dtype=np.float32))
    np.testing.assert_allclose(pet.affine, expected.affine, atol=1e-4)


def test_several_images_are_predicted_one_after_another_on_their_own_grids(work):
    predictor = Predictor.from_folder(work / "results", grid="ct", **OPTIONS)
    for spacing in ((4.0, 4.0, 4.0), (2.0, 3.0, 3.0)):
        ct, labels = two_district_case(spacing=spacing, direction=TURNED)
        assert predictor.predict(ct, labels).grid.matches(ct.grid)


def test_several_inputs_and_targets_are_passed_by_name(tmp_path, monkeypatch):
    monkeypatch.setattr("ct2pet.models.load_model", lambda name: ScaledAndThresholded)
    write_two_target_model(tmp_path / "results", two_target_plans(), factors=(0.5,))
    predictor = Predictor.from_folder(tmp_path / "results", **OPTIONS)
    ct, low_dose, _ = two_input_case()
    found = predictor.predict({"CT": ct, "low_dose": low_dose})
    assert {name: volume.unit for name, volume in found.items()} == {"PET": "SUV", "organs": "label"}
    with pytest.raises(ImageError, match="the model needs CT, low_dose; low_dose is missing"):
        predictor.predict(ct)


def test_the_header_of_a_nifti_image_is_read_as_in_files():
    """A voxel size in metres counts, and what is left or right must be defined."""
    image = nibabel.Nifti1Image(np.zeros((2, 3, 4), np.float32), np.diag([-0.002, 0.003, 0.004, 1]))
    image.header.set_xyzt_units("meter")
    np.testing.assert_allclose(as_volume(image).grid.spacing, (4, 3, 2), rtol=1e-6)
    image.set_sform(None, 0)
    image.set_qform(None, 0)
    with pytest.raises(ImageError, match=r"the orientation .* is unknown"):
        as_volume(image)


@pytest.mark.parametrize("direction", [None, TURNED, FLIPPED_AND_PERMUTED])
def test_an_image_converted_to_a_volume_and_back_is_unchanged(direction):
    volume, _ = two_district_case(spacing=(2.0, 3.0, 4.0), direction=direction)
    itk = like(volume, sitk.Image(1, 1, 1, sitk.sitkInt16))
    nifti = like(volume, nibabel.Nifti1Image(np.zeros((1, 1, 1), np.float32), np.eye(4)))
    for image in (itk, nifti):
        again = as_volume(image, "HU")
        assert again.grid.matches(volume.grid)
        np.testing.assert_array_equal(again.array, volume.array)
    index = (3, 5, 7)  # x, y, z: both libraries say where this voxel lies, one in LPS and one in RAS
    lps = np.array(itk.TransformIndexToPhysicalPoint(index))
    ras = nibabel.affines.apply_affine(nifti.affine, index)
    np.testing.assert_allclose(lps, ras * [-1, -1, 1], atol=1e-6)
    assert itk[index] == nifti.dataobj[index] == volume.array[index[::-1]]


@pytest.mark.parametrize(
    ("image", "error", "problem"),
    [
        (sitk.Image(4, 4, sitk.sitkFloat32), GeometryError, "three axes"),
        (sitk.Image([4, 4, 4], sitk.sitkVectorFloat32, 2), GeometryError, "one value per voxel"),
        (nibabel.Nifti1Image(np.zeros((2, 2, 2, 2), np.float32), np.eye(4)), GeometryError, r"\(2, 2, 2, 2\)"),
        (np.zeros((4, 4, 4)), ImageError, "not ndarray"),
        ("ct.nii.gz", ImageError, "not str"),
    ],
)
def test_an_object_that_is_no_3d_scalar_image_is_refused(image, error, problem):
    with pytest.raises(error, match=problem):
        as_volume(image)


def test_values_that_are_no_ct_are_refused(work):
    ct, labels = two_district_case()
    predictor = Predictor.from_folder(**OPTIONS)
    with pytest.raises(ImageError, match=r"CT: .*not a CT in HU"):
        predictor.predict(ct.with_array(ct.array + 5000), labels)


def test_a_predictor_has_one_model(work):
    with pytest.raises(Ct2PetError, match="holds one model"):
        Predictor.from_folder(ensemble=["scaled__ct2petPlans"] * 2, **OPTIONS)
    with pytest.raises(CheckpointError, match="no model with a checkpoint_final"):
        Predictor.from_folder(work / "imagesTs", **OPTIONS)


def test_without_a_map_the_segmenter_makes_it(work, monkeypatch):
    use_stubs(monkeypatch)
    ct, _ = two_district_case()
    halves = np.ones(ct.array.shape, np.uint8)
    halves[len(halves) // 2 :] = 2
    predictor = Predictor.from_folder(segmenter="halves", grid="ct", **OPTIONS)
    np.testing.assert_array_equal(
        predictor.predict(ct).array, predictor.predict(ct, ct.with_array(halves, "label")).array
    )
