"""Images of a class: in physical units, written with what says that they are synthetic."""

import json

import numpy as np
import pytest
import torch
from class_images import DIAGNOSIS, FIELDS, SPACING, class_configuration
from PIL import Image

from ct2pet.dataset import Field, Fields
from ct2pet.errors import Ct2PetError
from ct2pet.imageio import read_volume
from ct2pet.inference.synthesis import (
    CAPTION_PIXELS,
    RECORD,
    SynthesisRequest,
    check_output,
    parse_classes,
    sample_volumes,
    write_samples,
    write_sheet,
)
from ct2pet.models import load_model

SEX = Field("sex", "condition", "category", labels={"F": 0, "M": 1})
OTHER = Field("side", "condition", "category", labels={"left": 0, "M": 1})


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return load_model("medscangan")(class_configuration(), FIELDS)


def volumes(model, count=3, seed=5, label="benign"):
    request = SynthesisRequest({"diagnosis": label}, count, seed)
    return dict(sample_volumes(model, class_configuration(), request))


def test_classes_are_given_by_their_name_or_with_their_condition():
    assert parse_classes(["malignant"], FIELDS) == {"diagnosis": "malignant"}
    both = Fields((DIAGNOSIS, SEX))
    assert parse_classes(["sex=F", "benign"], both) == {"sex": "F", "diagnosis": "benign"}
    assert parse_classes(["side=M", "F"], Fields((SEX, OTHER))) == {"side": "M", "sex": "F"}


@pytest.mark.parametrize(
    ("labels", "fields", "message"),
    [
        (["high"], FIELDS, "--label high: the model has no such class; its classes are diagnosis: benign, malig"),
        (["sex=benign"], FIELDS, "--label sex=benign: the model has no such class"),
        (["diagnosis=M"], Fields((DIAGNOSIS, SEX)), "--label diagnosis=M: the model has no such class"),
        (["M", "F"], Fields((SEX, OTHER)), "--label M: the model has no such class"),  # of two conditions
        ([], FIELDS, "--label: the class of diagnosis is missing; one of benign, malignant"),
    ],
)
def test_a_label_that_is_missing_unknown_or_of_two_conditions_is_an_error(labels, fields, message):
    with pytest.raises(Ct2PetError, match=message):
        parse_classes(labels, fields)


def test_an_output_folder_with_other_files_is_refused(tmp_path):
    check_output(tmp_path / "new")
    check_output(tmp_path)
    (tmp_path / "real.nii.gz").touch()
    with pytest.raises(Ct2PetError, match="synthetic images may be mixed with real ones"):
        check_output(tmp_path)
    (tmp_path / RECORD).touch()
    check_output(tmp_path)


def test_images_are_in_suv_and_hu_on_the_plans_spacing(model):
    normalised = {"PET": torch.tensor([0.0, 0.5, 2.0]), "CT": torch.tensor([-1.0, 0.0, 1.0])}
    model = model.eval()
    original = model.sample
    try:
        model.sample = lambda conditions, count, seed: {
            name: values.view(3, 1, 1, 1).expand(3, 1, 16, 16) for name, values in normalised.items()
        }
        found = volumes(model)
    finally:
        model.sample = original
    assert list(found) == ["benign_0001", "benign_0002", "benign_0003"]
    for name, expected in {"PET": (0.0, 5.0, 20.0), "CT": (-1000.0, -300.0, 400.0)}.items():
        for one, value in zip(found.values(), expected):
            assert np.allclose(one[name].array, value)
            assert one[name].grid.spacing == SPACING
            assert one[name].array.shape == (1, 16, 16)
            assert one[name].unit == {"PET": "SUV", "CT": "HU"}[name]


def test_the_same_seed_gives_the_same_images_and_no_image_comes_twice(model):
    first, again, other = volumes(model, 20), volumes(model, 20), volumes(model, 20, seed=6)
    arrays = [one["CT"].array.tobytes() for one in first.values()]
    assert arrays == [one["CT"].array.tobytes() for one in again.values()]
    assert len({*arrays, *(one["CT"].array.tobytes() for one in other.values())}) == 40
    assert volumes(model, 1, label="malignant")["malignant_0001"]["CT"].array.tobytes() != arrays[0]


def test_written_images_are_marked_as_synthetic(model, tmp_path):
    request = SynthesisRequest({"diagnosis": "malignant"}, 3, 1)
    paths = write_samples(tmp_path, model, class_configuration(), request, {"model": "medscangan"})
    assert sorted(path.name for path in paths) == sorted(
        f"malignant_{n:04d}_{kind}.nii.gz" for n in (1, 2, 3) for kind in ("PET", "CT")
    )
    expected = volumes(model, 3, 1, "malignant")
    for path in paths:
        case, kind = path.name.removesuffix(".nii.gz").rsplit("_", 1)
        assert np.array_equal(read_volume(path).array, expected[case][kind].array)
    record = json.loads((tmp_path / RECORD).read_text())
    assert "not of a patient and not for diagnosis" in record["note"]
    assert (record["classes"], record["seed"], record["model"]) == ({"diagnosis": "malignant"}, 1, "medscangan")
    assert {path.name for path in tmp_path.glob("*.png")} == {"sheet_malignant_PET.png", "sheet_malignant_CT.png"}


def test_the_sheet_of_a_pet_ends_at_its_highest_uptake_and_that_of_a_ct_at_the_planned_window(model, tmp_path):
    request = SynthesisRequest({"diagnosis": "malignant"}, 2, 1)
    write_samples(tmp_path, model, class_configuration(), request, {})
    planned = class_configuration().normalization["CT"]
    for kind in ("PET", "CT"):
        slices = [read_volume(path).array[0] for path in sorted(tmp_path.glob(f"*_{kind}.nii.gz"))]
        of_pet = (0.0, max(1.0, np.quantile(slices, 0.995)))
        low, high = of_pet if kind == "PET" else (planned.lower, planned.upper)
        expected = np.hstack([np.round(255 * ((one - low) / (high - low)).clip(0, 1)) for one in slices])
        sheet = np.asarray(Image.open(tmp_path / f"sheet_malignant_{kind}.png"))[CAPTION_PIXELS:]
        np.testing.assert_allclose(sheet[:, : expected.shape[1]], expected, atol=1)


def test_a_sheet_shows_the_images_row_by_row_in_grey_of_the_window_below_a_caption(tmp_path):
    images = [np.full((4, 6), float(value)) for value in range(10)]
    write_sheet(tmp_path / "sheet.png", images, (0.0, 5.0), "PET, 0 to 5 SUV")
    picture = np.asarray(Image.open(tmp_path / "sheet.png"))
    caption, sheet = picture[:CAPTION_PIXELS], picture[CAPTION_PIXELS:, :48]
    assert caption.max() > 128
    assert sheet.shape == (8, 48)
    assert picture[CAPTION_PIXELS:, 48:].sum() == 0
    assert sheet[0, ::6].tolist() == [0, 51, 102, 153, 204, 255, 255, 255]
    assert sheet[4, ::6].tolist() == [255, 255, 0, 0, 0, 0, 0, 0]


def write(folder, label, count, seed, **record):
    torch.manual_seed(0)
    made = load_model("medscangan")(class_configuration(), FIELDS)
    request = SynthesisRequest({"diagnosis": label}, count, seed)
    return write_samples(folder, made, class_configuration(), request, record)


def test_images_of_an_earlier_run_are_not_left_beside_those_of_a_new_model_or_seed(tmp_path, capsys):
    write(tmp_path, "benign", 3, 1, model="A")
    for changed in ({"seed": 2, "model": "A"}, {"seed": 2, "model": "B"}):
        paths = write(tmp_path, "benign", 2, **changed)
        assert {*tmp_path.glob("*.nii.gz")} == {*paths}
        assert changed.items() <= json.loads((tmp_path / RECORD).read_text()).items()
    assert f"{tmp_path}: 6 image(s) of an earlier run are replaced" in capsys.readouterr().err


def test_images_of_another_class_stay_beside_those_of_the_same_model(tmp_path):
    (tmp_path / "benign_2024_0001_PET.nii.gz").touch()  # of another class, benign_2024
    (tmp_path / RECORD).write_text('{"model": "A"}')
    paths = [*write(tmp_path, "malignant", 1, 1, model="A"), *write(tmp_path, "benign", 2, 2, model="A")]
    assert {path.name for path in tmp_path.glob("*.nii.gz")} == {
        "benign_2024_0001_PET.nii.gz",
        *(path.name for path in paths),
    }


@pytest.mark.parametrize(
    "other", [{"model": "B"}, {"model": "A", "checkpoints_sha256": {"whole_body": {"fold_0": "1"}}}]
)
def test_images_of_another_class_are_not_mixed_with_those_of_another_model(tmp_path, other):
    write(tmp_path, "malignant", 1, 1, model="A")
    write(tmp_path, "benign", 1, 1, model="A")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(Ct2PetError, match=r"2 image\(s\) in this folder, such as malignant_0001_CT.nii.gz") as raised:
        write(tmp_path, "benign", 1, 1, **other)
    assert "\n" not in str(raised.value)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
