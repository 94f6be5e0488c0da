import json
import shutil
import zipfile

import numpy as np
import pytest
from hand_models import Scaled, expected_suv, two_district_case, write_trained
from summaries import synthetic_summary
from whole_pipeline import DATASET, NAME, content_of, killed_until_done, run

from ct2pet.api.model_sharing import export_model, install_model
from ct2pet.api.prediction import predict
from ct2pet.checkpoint import load_checkpoint
from ct2pet.errors import Ct2PetError
from ct2pet.evaluation import write_summary
from ct2pet.imageio import read_volume, write_volume
from ct2pet.provenance import case_digests
from ct2pet.sharing import Manifest, write_package

HAND = "Dataset900_Tiny"
CASES = ["SMITH_John", "case2"]
DESCRIPTION = {
    "name": "Tiny",
    "channel_names": {"0": "CT"},
    "target": {"name": "PET", "unit": "SUVbw g/ml"},
    "numTraining": 2,
    "file_ending": ".nii.gz",
    "districts": {"low": 1, "high": 2},
    "training": [{"image": "./imagesTr/SMITH_John_0000.nii.gz"}],
}
ORIGIN = {
    "num_training_cases": 2,
    "training_cases": case_digests(HAND, CASES),
    "runs": [{"command": "ct2pet_train SMITH_John", "seed": 7, "versions": {"ct2pet": "0.1.0", "torch": "2.6"}}],
}


@pytest.fixture
def results(tmp_path, monkeypatch):
    """Two folds of the district low and one of high, trained by hand."""
    folder = tmp_path / "results"
    monkeypatch.setenv("ct2pet_results", str(folder))
    for module in ("models", "api.model_sharing"):
        monkeypatch.setattr(f"ct2pet.{module}.load_model", {"scaled": Scaled}.__getitem__)
    write_trained(folder, {"low": {0: 0.5, 1: 1.5}, "high": {0: 2.0, 1: 2.0}}, origin=ORIGIN)
    for model in (folder / HAND).iterdir():
        (model / "dataset.json").write_text(json.dumps(DESCRIPTION))
    return folder


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """Another, empty results folder, which the commands use from now on."""

    def enter():
        monkeypatch.setenv("ct2pet_results", str(tmp_path / "other place" / "results"))
        return tmp_path / "other place" / "results"

    return enter


def test_an_exported_model_predicts_the_same_bytes_where_it_is_installed(pipeline, tmp_path, monkeypatch):
    assert run(f"export_model -d 077 -m pix2pix -f all -o {tmp_path}/model.zip") == 0
    monkeypatch.setenv("ct2pet_results", str(tmp_path / "new"))
    monkeypatch.setenv("ct2pet_preprocessed", str(tmp_path / "none"))
    assert run(f"install_model {tmp_path}/model.zip") == 0
    shutil.copytree(pipeline.raw / "imagesTs", tmp_path / "imagesTs")
    shutil.copytree(pipeline.raw / "districtsTs", tmp_path / "districtsTs")
    line = f"predict -i {tmp_path}/imagesTs -device cpu -step_size 1"
    assert run(f"{line} -o {tmp_path}/installed") == 0
    shutil.rmtree(tmp_path / "new")
    assert run(f"{line} -o {tmp_path}/from_zip --model {tmp_path}/model.zip") == 0
    expected = {path.name: path.read_bytes() for path in pipeline.predictions.glob("[!.]*.nii.gz")}
    assert len(expected) == 2
    for folder in ("installed", "from_zip"):
        assert {path.name: path.read_bytes() for path in (tmp_path / folder).glob("*.nii.gz")} == expected
    assert not list((tmp_path / "new").rglob("*"))


def test_in_half_precision_an_archive_is_smaller_and_predicts_nearly_the_same(pipeline, tmp_path):
    """float16 keeps 11 bits: each weight is off by at most 1 part in 2048."""
    sizes = []
    for name, flag in (("full", ""), ("half", "--half_precision")):
        assert run(f"export_model -d 077 -m pix2pix -f all -o {tmp_path}/{name}.zip {flag}") == 0
        sizes.append((tmp_path / f"{name}.zip").stat().st_size)
    assert sizes[1] < 0.6 * sizes[0]
    line = f"predict -i {pipeline.raw / 'imagesTs'} -device cpu -step_size 1 --districts {pipeline.raw / 'districtsTs'}"
    assert run(f"{line} -o {tmp_path}/out --model {tmp_path}/half.zip") == 0
    for path in (tmp_path / "out").glob("[!.]*.nii.gz"):
        full, half = (read_volume(one, "SUV").array for one in (pipeline.predictions / path.name, path))
        assert np.abs(full - half).max() < 0.02 * full.max()


def test_an_archive_contains_no_case_names_and_no_paths(pipeline, tmp_path):
    export_model("077", tmp_path / "model.zip", folds=["all"])
    with zipfile.ZipFile(tmp_path / "model.zip") as archive:
        assert not [name for name in archive.namelist() if "Tr" in name or name.endswith((".csv", ".png", ".nii.gz"))]
        archive.extractall(tmp_path / "out")
    cases = [path.name.split("_0000")[0] for path in (pipeline.raw / "imagesTr").glob("[!.]*")]
    assert len(cases) == 4
    digests = case_digests(DATASET, cases).split()
    forbidden = [
        *cases,
        *digests,
        str(pipeline.root.parent),
        NAME,
        "zzuser",
        "zzmachine",
        "ct2pet_train ",
    ]
    for name, content in content_of(tmp_path / "out").items():
        texts = [content]
        if name.endswith(".pth"):
            with zipfile.ZipFile(tmp_path / "out" / name) as weights:
                texts = [weights.read(member) for member in weights.namelist()] + [str(weights.namelist()).encode()]
        if name == "MODEL_CARD.md":
            texts = [content.replace(b"ct2pet_train ", b"")]
        for text in texts:
            assert [word for word in forbidden if word.encode() in text] == [], name


def test_extra_entries_of_dataset_json_and_command_lines_are_not_exported(results, tmp_path):
    export_model("900", tmp_path / "model.zip")
    with zipfile.ZipFile(tmp_path / "model.zip") as archive:
        archive.extractall(tmp_path / "out")
    everything = b"".join(content_of(tmp_path / "out").values())
    assert b"SMITH" not in everything
    weights = load_checkpoint(tmp_path / "out" / HAND / "scaled__ct2petPlans__low" / "fold_0" / "checkpoint_final.pth")
    assert weights["provenance"] == {
        "num_training_cases": 2,
        "runs": [{key: value for key, value in ORIGIN["runs"][0].items() if key != "command"}],
    }


def test_the_card_names_every_training_and_the_manifest_every_file(results, tmp_path):
    export_model("900", tmp_path / "model.zip")
    with zipfile.ZipFile(tmp_path / "model.zip") as archive:
        card = archive.read("MODEL_CARD.md").decode()
        manifest = json.loads(archive.read("model.json"))
        assert {*manifest["files"]} == {*archive.namelist()} - {"model.json"}
    for configuration in ("low", "high"):
        for fold in "01":
            assert f"| {configuration} | {fold} | 2 | unknown | 4, 4, 4 | 8, 8, 8 |" in card
    assert manifest["configurations"] == {"low": ["0", "1"], "high": ["0", "1"]}


def write_validations(results, errors, seen):
    """A summary in each folder of a validation of the district low, fold 0, with this MAE."""
    for folder, mae in errors.items():
        summary = synthetic_summary(3, provenance={"evaluated_training_cases": seen})
        summary["mean"]["low"] = {"mae": {**summary["mean"]["whole_body"]["mae"], "mean": mae}}
        path = results / HAND / "scaled__ct2petPlans__low" / "fold_0" / folder / "summary.json"
        path.parent.mkdir()
        write_summary(path, summary)


@pytest.mark.parametrize(
    ("checkpoint", "stated"), [("checkpoint_final.pth", "0.999"), ("checkpoint_best.pth", "0.111"), ("other.pth", None)]
)
def test_the_card_states_the_errors_of_the_exported_checkpoint_and_how_to_use_it(results, tmp_path, checkpoint, stated):
    write_validations(results, {"validation": 0.999, "validation_best": 0.111}, seen=[])
    for path in results.glob("*/*/fold_*/checkpoint_final.pth"):
        path.rename(path.with_name(checkpoint))
    export_model("900", tmp_path / "model.zip", checkpoint=checkpoint)
    with zipfile.ZipFile(tmp_path / "model.zip") as archive:
        card = archive.read("MODEL_CARD.md").decode()
    assert [error for error in ("0.999", "0.111") if error in card] == [error for error in [stated] if error]
    assert ("no record of errors" in card) == (stated is None)
    commands = [line for line in card.splitlines() if "ct2pet_predict" in line]
    assert len(commands) == 2
    assert all((f" -chk {checkpoint}" in line) == (checkpoint != "checkpoint_final.pth") for line in commands)


@pytest.mark.parametrize("seen", [["case_001"], None])
def test_the_card_states_no_errors_where_cases_may_be_training_cases(results, tmp_path, seen):
    write_validations(results, {"validation": 0.999}, seen)
    export_model("900", tmp_path / "model.zip")
    with zipfile.ZipFile(tmp_path / "model.zip") as archive:
        assert "no record of errors" in archive.read("MODEL_CARD.md").decode()


def test_only_chosen_folds_and_configurations_are_exported(results, tmp_path):
    export_model("900", tmp_path / "model.zip", configurations=["low"], folds=[1])
    with zipfile.ZipFile(tmp_path / "model.zip") as archive:
        assert {name.split("/")[1:3][-1] for name in archive.namelist() if name.endswith(".pth")} == {"fold_1"}
    ct, labels = two_district_case()
    write_volume(tmp_path / "in" / "a.nii.gz", ct)
    write_volume(tmp_path / "maps" / "a.nii.gz", labels)
    options = {"districts": tmp_path / "maps", "device": "cpu", "float32": True, "blend_mm": 0.0}
    (path,) = predict(tmp_path / "in", tmp_path / "out", model_paths=[tmp_path / "model.zip"], **options)
    found = read_volume(path).array
    low = labels.array == 1
    assert found[low] == pytest.approx(expected_suv(ct.array, 1.5)[low], abs=1e-3)
    assert (found[~low] == 0).all()


def test_installing_again_changes_nothing_and_another_model_is_never_replaced(results, tmp_path, elsewhere):
    export_model("900", tmp_path / "model.zip")
    other = elsewhere()
    folders = install_model(tmp_path / "model.zip")
    assert folders == [other / HAND / f"scaled__ct2petPlans__{name}" for name in ("high", "low")]
    assert all((folder / "MODEL_CARD.md").is_file() for folder in folders)
    (folders[0] / "fold_0" / "progress.png").touch()
    before = content_of(other)
    install_model(tmp_path / "model.zip")
    assert content_of(other) == before
    checkpoint = folders[1] / "fold_1" / "checkpoint_final.pth"
    checkpoint.write_bytes(checkpoint.read_bytes() + b"x")
    shutil.rmtree(folders[0])
    with pytest.raises(Ct2PetError, match=r"low: another model has this name \(fold_1/checkpoint_final\.pth differs\)"):
        install_model(tmp_path / "model.zip")
    assert not folders[0].exists()  # nothing is installed where a part cannot be
    assert not list(other.glob(".*"))


def test_a_model_that_is_killed_while_it_is_installed_is_whole_or_not_there(results, tmp_path, elsewhere, monkeypatch):
    export_model("900", tmp_path / "model.zip")
    other = elsewhere()

    def install():
        for folder in other.glob("Dataset*/*"):
            assert {*content_of(folder)} >= {"plans.json", "dataset.json", "fold_0/checkpoint_final.pth"}
        install_model(tmp_path / "model.zip")

    assert killed_until_done(install, monkeypatch) == 2
    assert len(list(other.glob("Dataset*/*"))) == 2


def test_a_damaged_archive_installs_nothing(results, tmp_path, elsewhere):
    export_model("900", tmp_path / "model.zip")
    content = bytearray((tmp_path / "model.zip").read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / "model.zip").write_bytes(content)
    other = elsewhere()
    with pytest.raises(Ct2PetError, match=r"model\.zip: "):
        install_model(tmp_path / "model.zip")
    assert list(other.iterdir()) == []


def test_weights_in_the_wrong_place_are_refused(results, tmp_path, elsewhere):
    export_model("900", tmp_path / "model.zip")
    swapped = tmp_path / "swapped"
    with zipfile.ZipFile(tmp_path / "model.zip") as archive:
        archive.extractall(swapped)
        (swapped / "model.json").unlink()
    for name in ("low", "high"):
        (swapped / HAND / f"scaled__ct2petPlans__{name}").rename(swapped / HAND / f"{name}_")
    for name, place in (("low", "high"), ("high", "low")):
        (swapped / HAND / f"{name}_").rename(swapped / HAND / f"scaled__ct2petPlans__{place}")
    about = Manifest(HAND, "scaled", "ct2petPlans", "checkpoint_final.pth", {"low": ["0"]}, "0.1.0")
    write_package(tmp_path / "swapped.zip", swapped, about)
    other = elsewhere()
    with pytest.raises(
        Ct2PetError, match=r"swapped\.zip: Dataset900.*contains scaled of (low|high), which does not match its folder"
    ):
        install_model(tmp_path / "swapped.zip")
    assert list(other.iterdir()) == []


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("export_model -d 900 -o {0}/model.tar", "model.tar: the name of an exported model must end in .zip"),
        (
            "export_model -d 901 -o {0}/model.zip",
            "no trained model has -d 901; trained are: -d Dataset900_Tiny -m scaled",
        ),
        ("export_model -d 900 -f 3 -o {0}/model.zip", "no checkpoint_final.pth of fold 3; there are folds: 0, 1"),
        ("export_model -d 900 -o {0}/notes.zip", "would be replaced, but is not a model of ct2pet_export_model"),
        ("install_model {0}/missing.zip", "missing.zip: no such file"),
        ("predict -i {0} -o {0}/../out --model {0}/missing.zip", "missing.zip: no such file"),
        ("predict -i {0} -o {0}/../out --model {0}", "no model with a checkpoint_final.pth in folders"),
    ],
)
def test_an_impossible_export_installation_or_prediction_is_one_error_line(results, tmp_path, capsys, line, said):
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "notes.zip").write_text("my notes")
    assert run(line.format(tmp_path / "work")) == 2
    (found,) = capsys.readouterr().err.strip().splitlines()
    assert said in found
    assert [path.name for path in (tmp_path / "work").iterdir()] == ["notes.zip"]
