"""The augmentation study of a dataset of nodule phantoms, from its files to the table."""

import csv

import numpy as np
import pytest
from class_images import FIELDS, class_configuration
from whole_pipeline import run

from ct2pet.api.augmentation_study import study_augmentation
from ct2pet.cli.augmentation_study import main
from ct2pet.errors import Ct2PetError, DatasetError
from ct2pet.files import read_json
from ct2pet.imageio import write_volume
from ct2pet.inference.synthesis import SynthesisRequest, sample_volumes
from ct2pet.models import load_model
from ct2pet.phantom import write_nodule_dataset
from ct2pet.study import curation
from ct2pet.study.cases import labelled_cases
from ct2pet.study.slices import SliceOptions, read_slices
from ct2pet.study.trained_generator import trained_generator
from ct2pet.volume import Grid, Volume

COMMAND = [
    "-d",
    "104",
    "--classifiers",
    "small_cnn",
    "--arms",
    "duplicates",
    "oracle",
    "--patients",
    "8",
    "--seeds",
    "1",
]
COMMAND += ["--kinds", "pet", "ct", "--pixels", "16", "--slices_per_case", "2", "--steps", "4", "--few_patients"]


@pytest.fixture(scope="module")
def raw(tmp_path_factory):
    folder = tmp_path_factory.mktemp("raw")
    write_nodule_dataset(folder / "Dataset104_Nodules", num_train=12, num_test=6, seed=1)
    return folder


@pytest.fixture(autouse=True)
def folders(raw, monkeypatch):
    monkeypatch.setenv("ct2pet_raw", str(raw))


def test_the_command_trains_every_arm_and_prints_what_it_brought(tmp_path, capsys):
    assert main([*COMMAND, "-o", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    assert "3 + 3 real test patients, 1 run(s) each" in printed
    study = read_json(tmp_path / "study.json")
    assert {row["arm"]: row["images"] for row in study["arms"]} == {"real": 12, "duplicates": 24, "oracle": 20}
    assert all(np.isfinite(row["auc"]) for row in study["arms"])
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "runs").iterdir()}
    assert main([*COMMAND, "-o", str(tmp_path)]) == 0
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "runs").iterdir()} == before


@pytest.fixture(scope="module")
def trained(raw, tmp_path_factory):
    """A MedScanGAN of two steps; the folder of the preprocessed data and of the results."""
    root = tmp_path_factory.mktemp("trained")
    with pytest.MonkeyPatch.context() as patch:
        for kind, folder in {"raw": raw, "preprocessed": root / "preprocessed", "results": root / "results"}.items():
            patch.setenv(f"ct2pet_{kind}", str(folder))
        assert run("plan_and_preprocess -d 104 -np 1 -device cpu -m medscangan") == 0
        short = "--num_epochs 1 --iterations_per_epoch 2 -device cpu -num_workers 0"
        assert run(f"train 104 medscangan all {short}") == 0
    return root


@pytest.fixture
def generator(trained, monkeypatch):
    monkeypatch.setenv("ct2pet_results", str(trained / "results"))


def words(line):
    small = "--pixels 16 --slices_per_case 2 --steps 4 --few_patients --classifiers small_cnn --seeds 1 -device cpu"
    return [*f"-d 104 --kinds pet ct {small}".split(), *line.split()]


@pytest.mark.usefixtures("generator")
def test_a_trained_generator_is_two_arms_and_its_images_are_measured_next_to_real_ones(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(curation.Curator, "rejections", keep_two_of_three)  # no image of two steps would pass
    assert main([*words("-m medscangan --ratios 1"), "-o", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    study, images = read_json(tmp_path / "study.json"), read_json(tmp_path / "images.json")
    arms = {row["arm"]: row for row in study["arms"]}
    assert list(arms) == ["real", "classical", "oversampling", "mixup", "pca_gaussian", "gan", "gan_curated"]
    assert arms["gan"]["images"] == 2 * arms["real"]["images"]
    counts = arms["gan_curated"]["counts"]
    assert counts["asked"] == counts["kept"] == arms["real"]["images"]
    assert counts["drawn"] > counts["kept"]
    assert f"small_cnn gan_curated: asked {counts['asked']}, drawn {counts['drawn']}" in printed
    assert study["generator"].startswith("medscangan (ct2petPlans, checkpoint ")
    assert list(images) == [study["generator"], "PCA-Gaussian"]
    for report in images.values():
        assert set(report["features"]) == {"random network", "classifier"}
        assert set(report["similarity"]) == {"pet", "ct"}
        assert 0 <= report["privacy"]["share_below"] <= 1
    page = (tmp_path / "study.html").read_text()
    assert all(name in page for name in ("gan_curated", "Closest pairs", study["generator"]))
    assert "patient_0" not in page
    for kind in ("real", "synthetic"):
        assert len(list((tmp_path / "pictures" / kind / "pet").glob("*.png"))) == 12  # 6 test patients
    assert main([*words("-m medscangan --ratios 1"), "-o", str(tmp_path)]) == 0  # the same weights go on


@pytest.mark.usefixtures("generator")
def test_images_of_a_folder_are_measured_like_those_of_the_generator_without_a_study(tmp_path):
    for label in ("benign", "malignant"):
        assert run(f"synthesize -o {tmp_path / 'made' / label} --label {label} -n 4 -device cpu") == 0
    short = words("--only_images")
    assert main([*short, "-synthetic", str(tmp_path / "made"), "-o", str(tmp_path / "folder")]) == 0
    assert main([*short, "-m", "medscangan", "-o", str(tmp_path / "generator")]) == 0
    for name in ("folder", "generator"):
        assert not (tmp_path / name / "runs").exists()
        assert len(list((tmp_path / name / "pictures" / "real" / "pet").glob("*.png"))) == 12
        page = (tmp_path / name / "images.html").read_text()
        assert "Closest pairs" in page
        assert "patient_0" not in page
    assert len(list((tmp_path / "folder" / "pictures" / "synthetic" / "ct").glob("*.png"))) == 8  # all that there are
    by_folder, by_model = (read_json(tmp_path / name / "images.json") for name in ("folder", "generator"))
    (name,) = (name for name in by_folder if name != "PCA-Gaussian")
    assert name.startswith("folder made (")
    assert by_folder["PCA-Gaussian"] == by_model["PCA-Gaussian"]  # the real images are the same
    assert set(by_folder[name]["features"]["classifier"]["synthetic"]) >= {"frechet", "kid", "recall", "coverage"}


def test_a_folder_of_training_images_is_flagged_and_serves_as_the_generator_of_a_study(raw, tmp_path):
    options = SliceOptions(pixels=16, per_case=2)
    cases = labelled_cases(raw / "Dataset104_Nodules", "Tr", ("pet",))
    training = read_slices(cases, ("benign", "malignant"), options)
    for number, (image, label) in enumerate(zip(training.images[:, 0], training.labels)):
        volume = Volume(image[None], Grid((1, 16, 16), (3.0, 4.0, 4.0)), "SUV")
        write_volume(tmp_path / "made" / training.classes[label] / f"{number}.nii.gz", volume)
    words_of_study = "--pixels 16 --slices_per_case 2 --steps 4 --few_patients --classifiers small_cnn --seeds 1"
    chosen = ["--arms", "gan", "-synthetic", str(tmp_path / "made"), "-o", str(tmp_path / "study"), "-device", "cpu"]
    assert main(["-d", "104", *words_of_study.split(), *chosen]) == 0
    study, images = read_json(tmp_path / "study" / "study.json"), read_json(tmp_path / "study" / "images.json")
    assert {row["arm"]: row["images"] for row in study["arms"]} == {"real": 16, "gan": 32}
    assert images[study["generator"]]["privacy"]["share_below"] == 1.0


def keep_two_of_three(self, images):
    return {"low_confidence": np.arange(len(images)) % 3 == 1}


@pytest.mark.usefixtures("generator")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("-m medscangan --size_mm 128", "mm, slices have 128 mm; see --size_mm"),
        ("-m medscangan -f 3", "no checkpoint_final.pth of fold 3; there are folds: all"),
        ("-m pix2pix", "no trained model has -m pix2pix; trained are: "),
        ("--arms gan", "the arm gan needs a trained generator"),
        ("--only_images", "--only_images needs a generator (-m) or a folder of images (-synthetic)"),
        ("-synthetic nowhere", "nowhere/benign: no such folder"),
    ],
)
def test_a_generator_that_does_not_fit_is_one_line_before_any_training(tmp_path, capsys, arguments, message):
    assert main([*words(arguments), "-o", str(tmp_path / "study")]) == 2
    error = capsys.readouterr().err.strip()
    assert len(error.splitlines()) == 1
    assert message in error
    assert not (tmp_path / "study" / "runs").exists()


def test_a_generator_of_other_classes_or_images_is_refused():
    model = load_model("medscangan")(class_configuration(), FIELDS)
    options = SliceOptions(32.0, 16)

    def sampler(kinds=("ct", "pet"), condition=("diagnosis", ("malignant", "benign"))):
        return trained_generator(model, class_configuration(), kinds, condition, options)

    with pytest.raises(
        Ct2PetError, match=r"not trained with the diagnosis 'unclear'; its classes are benign, malignan"
    ):
        sampler(condition=("diagnosis", ("benign", "unclear")))
    with pytest.raises(Ct2PetError, match=r"with the condition.* diagnosis, the study needs stage alone"):
        sampler(condition=("stage", ("benign", "malignant")))
    images = sampler().sample(0, 3, seed=2)  # the study's first class is the generator's second one
    request = SynthesisRequest({"diagnosis": "malignant"}, 3, 2)
    expected = [volumes for _, volumes in sample_volumes(model, class_configuration(), request)]
    for index, volumes in enumerate(expected):
        np.testing.assert_allclose(images[index, 0], volumes["CT"].array[0], atol=1e-3)  # 16 voxels of 2 mm are 32 mm
        np.testing.assert_allclose(images[index, 1], volumes["PET"].array[0], atol=1e-5)


def without(words):
    return [word for word in COMMAND if word not in words]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (without(["--few_patients"]), "only 6 training patient(s) are benign: below 10"),
        ([*COMMAND, "--classifiers", "oracle"], "unknown name 'oracle'; classifiers: mobilenet"),
        (without(["--patients", "8"]), "oracle needs more real patients"),
        ([*COMMAND, "-d", "105"], "no dataset '105'"),
    ],
)
def test_invalid_arguments_are_one_error_line(tmp_path, capsys, arguments, message):
    assert main([*arguments, "-o", str(tmp_path / "study")]) == 2
    error = capsys.readouterr().err.strip()
    assert len(error.splitlines()) == 1
    assert message in error


def test_a_case_without_a_class_stops_the_study_before_it_starts(raw, tmp_path):
    table = raw / "Dataset104_Nodules" / "cases.csv"
    text = table.read_text()
    with table.open(newline="") as file:
        rows = list(csv.DictReader(file))
    try:
        table.write_text(
            text.replace(f"{rows[3]['case']},{rows[3]['patient']},{rows[3]['diagnosis']}", f"{rows[3]['case']},,")
        )
        with pytest.raises(DatasetError, match="nodule_0004 has no diagnosis"):
            study_augmentation(104, tmp_path / "study", slices=SliceOptions(pixels=16))
    finally:
        table.write_text(text)
    assert not (tmp_path / "study").exists()
