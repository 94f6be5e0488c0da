"""The demonstration of MedScanGAN, from phantoms to the report and the page for readers."""

import json
from dataclasses import replace

import pytest
from whole_pipeline import times_of

from ct2pet.api import demo
from ct2pet.api.demonstrations import medscangan


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The demonstration in seconds: few patients, two steps."""
    with pytest.MonkeyPatch.context() as patch:
        numbers = {"_NUM_TRAIN": 10, "_NUM_TEST": 4, "_EPOCHS": 1, "_ITERATIONS": 2}
        for name, number in numbers.items():
            patch.setattr(medscangan, name, number)
        study = replace(medscangan._STUDY, arms=("gan", "oracle"), seeds=1, patients=8, few_patients=True)
        patch.setattr(medscangan, "_STUDY", replace(study, training=replace(study.training, steps=4)))
        patch.setattr(medscangan, "_READ", replace(medscangan._READ, number=4))
        patch.setattr(medscangan, "default_processes", lambda: 1)
        folder = tmp_path_factory.mktemp("demo") / "out"
        demo.run_demo(folder, "medscangan", device="cpu")
        before = trained(folder)
        demo.run_demo(folder, "medscangan", device="cpu")
        assert trained(folder) == before  # begun again, it goes on
    return folder


def trained(folder):
    return {path: time for path, time in times_of(folder / "results").items() if path.suffix == ".pth"}


def test_the_report_is_the_page_of_the_study_with_all_arms(folder):
    study = json.loads((folder / "study" / "study.json").read_text())
    assert {row["arm"] for row in study["arms"]} == {"real", "gan", "oracle"}
    report = (folder / "report.html").read_text()
    assert report == (folder / "study" / "study.html").read_text()
    assert "Closest pairs" in report
    assert "medscangan (medscangan_64mm, " in study["generator"]


def test_the_medscangan_demo_writes_images_of_both_classes_and_the_reader_page(folder):
    for label in ("benign", "malignant"):
        made = folder / "synthetic" / label
        assert len(list(made.glob("*.nii.gz"))) == 8  # PET and CT
        assert (made / f"sheet_{label}_PET.png").exists()
    page = (folder / "reader.html").read_text()
    key = json.loads((folder / "reader_key" / "key.json").read_text())
    assert sorted(key["images"]) == ["real"] * 4 + ["synthetic"] * 4
    assert key["study"] in page
