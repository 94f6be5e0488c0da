"""The page of an augmentation study."""

import re
from dataclasses import replace

import numpy as np
import pytest
from disc_slices import disc_slices
from PIL import Image

from ct2pet.report import write_study_page
from ct2pet.study.features import random_features
from ct2pet.study.generators import fit_pca_gaussian
from ct2pet.study.image_report import image_report
from ct2pet.study.results import summarize
from ct2pet.study.slices import number_text
from ct2pet.study.synthetic_images import MeasuredImages, sampled_slices, write_pictures

TRAINING = disc_slices(12, seed=1, channels=("pet", "ct"))
TEST = disc_slices(20, seed=2, first=100, channels=("pet", "ct"))


def results(arm, quality, ratio=0.0):
    labels = np.array(list(TEST.patient_labels().values()))
    for seed in range(3):
        noise = np.random.default_rng([seed, len(arm)]).normal(0, 1, len(labels))
        scores = 1 / (1 + np.exp(-(quality * (labels - 0.5) + noise)))
        made = {"arm": arm, "classifier": "small_cnn", "ratio": ratio, "seed": seed, "images": 24}
        yield {**made, "counts": {"drawn": 40, "kept": 24}, "step": 9, "probabilities": scores.tolist()}


@pytest.fixture(scope="module")
def study():
    labels = np.array(list(TEST.patient_labels().values()))
    runs = [*results("real", 1.0), *results("oracle", 8.0), *results("gan", 2.0, 1.0)]
    return {"options": {"seeds": 3}, "generator": "medscangan <plans>", **summarize(labels, runs)}


@pytest.fixture(scope="module")
def images():
    made = sampled_slices(fit_pca_gaussian(TRAINING), TEST)
    return {"medscangan <plans>": MeasuredImages(made, image_report(made, TRAINING, TEST, [random_features(2)]))}


@pytest.fixture(scope="module")
def page(study, images, tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "study.html"
    write_study_page(path, "Study of <Dataset104>", study, (TRAINING, TEST), images)
    return path.read_text()


def test_the_answer_gives_what_the_generator_brought_with_its_interval(page, study):
    row = next(row for row in study["arms"] if row["arm"] == "gan")
    low, high = row["auc_difference_ci95"]
    assert f"({row['auc_difference']:+.3f} [{low:+.3f}, {high:+.3f}]" in page
    assert f"{row['share_of_oracle_gain']:.0%}" in page
    assert "20 real test patients (10 benign, 10 malignant), 3 run(s) of each arm" in page
    assert "Images of the generator, 1 for each real one, raise the AUC of small_cnn (" in page or low <= 0
    assert "Other real patients raise the AUC of small_cnn (" in page


@pytest.mark.parametrize(
    ("difference", "holm", "verdict"),
    [(0.1, 0.049, "raise"), (-0.1, 0.049, "lower"), (0.1, 0.05, "do not measurably change")],
)
def test_an_effect_is_claimed_by_the_corrected_p_only(study, images, tmp_path, difference, holm, verdict):
    ends = [0.5 * difference, 1.5 * difference]
    rows = [
        {**row, "auc_difference": difference, "auc_difference_ci95": sorted(ends), "p_bootstrap_holm": holm}
        if row["arm"] == "gan"
        else row
        for row in study["arms"]
    ]
    write_study_page(tmp_path / "study.html", "Study", {**study, "arms": rows}, (TRAINING, TEST), {})
    text = (tmp_path / "study.html").read_text()
    (sentence,) = re.findall(r"<p>(Images of the generator, 1 for each real one, .*?)</p>", text)
    assert f" {verdict} the AUC of small_cnn (" in sentence
    assert f"], corrected p {holm:g}" in sentence


def test_every_arm_is_a_row_and_the_measured_numbers_are_next_to_those_of_real_images(page, study, images):
    for row in study["arms"]:
        assert f"{row['auc']:.3f} [{row['auc_ci95'][0]:.3f}, {row['auc_ci95'][1]:.3f}]" in page
    (own,) = images.values()
    both = own.report["features"]["random network"]
    pattern = r"Fréchet distance \(random network\)</th><td[^>]*>([^<]+)</td><td[^>]*>([^<]+)<"
    assert re.search(pattern, page).groups() == tuple(
        number_text(both[kind]["frechet"]) for kind in ("synthetic", "real")
    )


def test_sheets_of_both_kinds_and_classes_and_the_closest_pairs_are_shown(page):
    for kind in ("PET", "CT"):
        for label in ("benign", "malignant"):
            assert f"<figcaption>{kind}, {label}, " in page
    assert page.count("data:image/png;base64") == 4 + 2
    assert "nearest training image" in page


def test_names_are_escaped_and_no_patient_is_named(page):
    assert "<plans>" not in page
    assert "medscangan &lt;plans&gt;" in page
    assert "patient_1" not in page
    assert "http://" not in re.sub(r"http://www\.w3\.org/\S+", "", page)
    assert "not for diagnosis" in page


def test_a_study_without_comparisons_has_no_plot(study, tmp_path):
    labels = np.array(list(TEST.patient_labels().values()))
    alone = {"options": {}, "generator": "", **summarize(labels, list(results("real", 1.0)))}
    write_study_page(tmp_path / "study.html", "Study", alone, (TRAINING, TEST), {})
    assert "<svg" not in (tmp_path / "study.html").read_text()


def test_pictures_for_readers_are_grey_values_in_the_range_of_the_real_images(tmp_path):
    brighter = replace(TEST, images=TEST.images * np.array([2.0, 1.0], np.float32)[:, None, None])
    write_pictures(tmp_path, TEST, brighter)
    suv = round(float(np.percentile(brighter.images[:, 0], 99.5)), 1)
    for channel, (kind, low, width) in enumerate((("pet", 0.0, suv), ("ct", -1000.0, 1400.0))):
        found = np.asarray(Image.open(tmp_path / kind / "0003.png"))
        expected = 255 * np.clip((TEST.images[2, channel] - low) / width, 0, 1)
        assert np.abs(found - expected).max() <= 0.5 + 1e-3
    assert len(list((tmp_path / "pet").iterdir())) == len(TEST)
    write_pictures(tmp_path, TEST.take(np.arange(2)), brighter)
    assert sorted(path.name for path in (tmp_path / "pet").iterdir()) == ["0001.png", "0002.png"]
