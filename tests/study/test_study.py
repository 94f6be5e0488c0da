"""A whole study: complete, the same every time, resumed run by run, and refused where it could not say anything."""

import json
from dataclasses import replace

import numpy as np
import pytest
from disc_slices import disc_slices
from torch import nn

import ct2pet.study.study as module
from ct2pet.errors import Ct2PetError, DatasetError, PluginError, TrainingError
from ct2pet.files import read_json
from ct2pet.study import classification
from ct2pet.study.classification import ClassifierOptions
from ct2pet.study.classifiers.base import Classifier
from ct2pet.study.study import Run, StudyData, StudyOptions, draw_patients, run_study, runs_of

OPTIONS = StudyOptions(
    classifiers=("small_cnn",),
    arms=("oracle", "duplicates"),
    ratios=(0.0, 1.0),
    seeds=2,
    patients=24,
    training=ClassifierOptions(steps=10, batch_size=16, check_every=5),
)


@pytest.fixture(scope="module")
def data(training, tested):
    return StudyData(training, tested)


@pytest.fixture(scope="module")
def finished(data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("study")
    return folder, run_study(data, OPTIONS, folder)


def test_every_arm_is_trained_with_every_seed_and_real_images_alone_always(finished):
    folder, study = finished
    assert [(row["arm"], row["ratio"], row["runs"]) for row in study["arms"]] == [
        ("real", 0.0, 2),
        ("oracle", 0.0, 2),
        ("duplicates", 1.0, 2),
    ]
    images = {row["arm"]: row["images"] for row in study["arms"]}
    assert images == {"real": 36, "oracle": 36 + 32, "duplicates": 72}  # 18 of 24 patients, two slices each; 16 others
    assert read_json(folder / "study.json") == json.loads(json.dumps(study))


def test_an_interrupted_study_continues_with_the_same_result(data, finished, tmp_path, monkeypatch):
    execute, done = module._execute, []

    def interrupted(run, *arguments):
        if len(done) == 3:
            raise KeyboardInterrupt
        done.append(run)
        return execute(run, *arguments)

    monkeypatch.setattr(module, "_execute", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run_study(data, OPTIONS, tmp_path)
    assert len([*(tmp_path / "runs").iterdir()]) == 3
    assert not (tmp_path / "study.json").exists()
    monkeypatch.setattr(module, "_execute", lambda run, *rest: (done.append(run), execute(run, *rest))[1])
    assert run_study(data, OPTIONS, tmp_path) == finished[1]
    assert len(done) == len(set(done)) == 6
    assert (tmp_path / "study.json").read_bytes() == (finished[0] / "study.json").read_bytes()


def test_seeds_can_be_added_and_nothing_is_trained_twice(data, finished, tmp_path, monkeypatch):
    one = replace(OPTIONS, seeds=1)
    run_study(data, one, tmp_path)
    lines = []
    study = run_study(data, OPTIONS, tmp_path, progress=lines.append)
    assert len(lines) == 3
    assert study["arms"] == finished[1]["arms"]


def test_a_folder_of_another_study_is_refused(data, finished):
    longer = replace(OPTIONS, training=replace(OPTIONS.training, steps=20))
    with pytest.raises(Ct2PetError, match="differs in training;"):
        run_study(data, longer, finished[0])
    brighter = replace(data, test=replace(data.test, images=data.test.images * 1.1))
    with pytest.raises(Ct2PetError, match="differs in data;"):
        run_study(brighter, OPTIONS, finished[0])


def test_settings_bind_only_once_a_run_is_stored(data, tmp_path, monkeypatch):
    def interrupted(*arguments):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(module, "_execute", interrupted)
        with pytest.raises(KeyboardInterrupt):
            run_study(data, replace(OPTIONS, training=replace(OPTIONS.training, steps=20)), tmp_path)
    assert (tmp_path / "settings.json").exists()
    one = replace(OPTIONS, arms=(), seeds=1)
    assert run_study(data, one, tmp_path)["arms"][0]["runs"] == 1


def test_an_unfit_classifier_is_refused_before_anything_is_written(data, tmp_path, monkeypatch):
    small = StudyData(disc_slices(24, pixels=16), disc_slices(24, pixels=16, first=100))
    with pytest.raises(TrainingError, match="resnet18 needs slices of at least 32 pixels, not 16"):
        run_study(small, replace(OPTIONS, classifiers=("small_cnn", "resnet18"), arms=(), patients=None), tmp_path)
    monkeypatch.setattr(classification, "load_classifier", lambda name: Classifier(lambda *sizes: nn.Flatten()))
    with pytest.raises(PluginError, match=r"returns \(2, 1024\) for 2 images, not logits of \(2, 2\)"):
        run_study(data, OPTIONS, tmp_path)
    assert not any(tmp_path.iterdir())


def test_draws_are_stratified_and_keep_patients_apart(training):
    parts = draw_patients(training, 24, 0.25, seed=3)
    patients = [set(part.patients) for part in parts]
    assert [len(own) for own in patients] == [18, 6, 16]
    assert not patients[0] & patients[1]
    assert not (patients[0] | patients[1]) & patients[2]
    for part, number in zip(parts, (9, 3, 8)):
        assert list(part.patient_labels().values()).count(1) == number
    again, other = (draw_patients(training, 24, 0.25, seed=seed)[0] for seed in (3, 4))
    assert set(again.patients) == patients[0] != set(other.patients)
    assert draw_patients(training, None, 0.25, seed=0)[2] is None


def test_the_validation_patients_are_the_same_in_every_arm(data, monkeypatch, tmp_path):
    seen = {}
    train = module.train_classifier

    def record(name, training, validation, options, seed):
        seen.setdefault(seed, set()).add(tuple(sorted(set(validation.patients))))
        assert not set(validation.patients) & set(training.slices.patients)
        return train(name, training, validation, options, seed)

    monkeypatch.setattr(module, "train_classifier", record)
    run_study(data, OPTIONS, tmp_path)
    assert [len(validations) for validations in seen.values()] == [1, 1]


def test_the_order_of_runs_is_seed_by_seed_and_a_ratio_of_0_is_no_run_of_its_own():
    runs = list(runs_of(OPTIONS))
    assert [run.seed for run in runs] == [0, 0, 0, 1, 1, 1]
    assert runs[2] == Run("duplicates", "small_cnn", 1.0, 0)


def test_patients_on_two_sides_are_refused(training, tested, tmp_path):
    with pytest.raises(DatasetError, match=r"two sides of the split; patient_000 is one"):
        run_study(StudyData(training, training), OPTIONS, tmp_path)
    with pytest.raises(DatasetError, match="two sides"):
        run_study(StudyData(training, tested, extra=tested), OPTIONS, tmp_path)


def test_too_few_patients_are_refused_unless_they_are_wanted(tested, tmp_path):
    few = StudyData(disc_slices(16), tested)
    options = replace(OPTIONS, patients=None, arms=(), seeds=1)
    with pytest.raises(DatasetError, match=r"only 8 training patient\(s\) are benign.*--few_patients"):
        run_study(few, options, tmp_path)
    study = run_study(few, replace(options, few_patients=True), tmp_path)
    assert study["arms"][0]["runs"] == 1


def test_one_class_alone_is_refused_even_then(training, tested, tmp_path):
    benign = StudyData(training, tested.take(tested.labels == 0))
    with pytest.raises(DatasetError, match="no test patient is malignant"):
        run_study(benign, replace(OPTIONS, few_patients=True), tmp_path)


def test_a_patient_of_both_classes_is_named(training, tested, tmp_path):
    labels = training.labels.copy()
    labels[5] = 1 - labels[5]
    with pytest.raises(DatasetError, match="training patient patient_002 has cases of both classes"):
        run_study(StudyData(replace(training, labels=labels), tested), OPTIONS, tmp_path)


def test_an_oracle_needs_patients_that_are_not_drawn(data, tmp_path):
    with pytest.raises(Ct2PetError, match="oracle needs more real patients"):
        run_study(data, replace(OPTIONS, patients=40), tmp_path)


def test_more_patients_than_there_are(data, tmp_path):
    with pytest.raises(DatasetError, match="only 40 training patients, not 50"):
        run_study(data, replace(OPTIONS, patients=50), tmp_path)


def test_no_names_of_patients_are_written(finished):
    text = "".join(path.read_text() for path in finished[0].rglob("*.json"))
    assert "patient_0" not in text
    assert np.isfinite([p for run in finished[1]["runs"] for p in run["probabilities"]]).all()
