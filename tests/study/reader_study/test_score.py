"""Scores of readers, against worked examples."""

import math

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import roc_auc_score

from ct2pet.errors import Ct2PetError
from ct2pet.files import write_json
from ct2pet.study.reader_study.score import score_answers, text


def study_of(folder, ratings, kinds=None, reader="R1"):
    """The key and the answers to 80 real and 80 synthetic images."""
    kinds = kinds or ["real"] * 80 + ["synthetic"] * 80
    write_json(folder / "key.json", {"study": "abc", "seed": 1, "images": kinds})
    write_json(folder / "answers.json", {"study": "abc", "reader": reader, "ratings": [int(r) for r in ratings]})
    return folder / "key.json", folder / "answers.json"


def score_of(folder, ratings, kinds=None):
    key, answers = study_of(folder, ratings, kinds)
    return score_answers(key, [answers])[0]


def with_right_answers(real, synthetic):
    """Ratings with so many right answers among 80 images of each kind."""
    return [1] * real + [4] * (80 - real) + [4] * synthetic + [1] * (80 - synthetic)


def test_the_pet_reader_of_the_paper_distinguishes_although_below_chance(tmp_path):
    """59 of 160 right (Samaras et al. 2025) is too few for guessing: p = 0.001."""
    score = score_of(tmp_path, with_right_answers(30, 29))
    assert score.right == 59
    assert score.p_two_sided == pytest.approx(2 * stats.binom.cdf(59, 160, 0.5))
    assert score.p_two_sided < 0.002
    assert score.p_below < 0.001 < 0.99 < score.p_above
    assert score.d_prime < 0
    assert score.distinguishable
    assert "distinguishable: this reader separates the two kinds and names them the wrong way round" in text(score)


def test_the_ct_reader_of_the_paper_distinguishes(tmp_path):
    score = score_of(tmp_path, with_right_answers(67, 68))
    assert score.accuracy == 135 / 160
    assert score.p_above < 1e-15
    assert "distinguishable: this reader distinguishes" in text(score)


def test_a_guessing_reader_does_not_distinguish(tmp_path):
    score = score_of(tmp_path, with_right_answers(40, 43))
    assert not score.distinguishable
    low, high = score.ci95
    assert low < 0.5 < high
    assert text(score).splitlines()[-1].strip().startswith("not distinguished")


def test_the_interval_is_clopper_and_pearsons(tmp_path):
    score = score_of(tmp_path, with_right_answers(50, 60))
    expected = stats.beta.ppf([0.025, 0.975], [110, 111], [51, 50])
    assert score.ci95 == pytest.approx(expected.tolist())


def test_d_prime_has_the_log_linear_correction(tmp_path):
    score = score_of(tmp_path, with_right_answers(70, 60))
    assert score.d_prime == pytest.approx(stats.norm.ppf(60.5 / 81) - stats.norm.ppf(10.5 / 81))
    assert math.isfinite(score_of(tmp_path, with_right_answers(80, 80)).d_prime)


def test_the_auc_uses_all_four_ratings(tmp_path):
    random = np.random.default_rng(0)
    kinds = ["real", "synthetic"] * 80
    ratings = np.clip(np.rint(random.normal(2.3 + 0.5 * (np.arange(160) % 2), 0.9)), 1, 4).astype(int)
    score = score_of(tmp_path, ratings, kinds)
    assert score.auc == pytest.approx(roc_auc_score(np.arange(160) % 2, ratings))
    assert score.auc_ci95[0] < score.auc < score.auc_ci95[1]
    assert score.synthetic_named_synthetic == ((ratings[1::2] >= 3).sum(), 80)


def test_unanswered_images_are_left_out(tmp_path):
    score = score_of(tmp_path, [1] * 10 + [0] * 70 + [4] * 5 + [0] * 75)
    assert (score.answered, score.right) == (15, 15)
    assert "15 of 160 images answered" in text(score)
    only_real = score_of(tmp_path, [1] * 10 + [0] * 150)
    assert only_real.auc is only_real.d_prime is None


def test_several_readers_are_scored_each(tmp_path):
    key, first = study_of(tmp_path, with_right_answers(60, 60))
    second = tmp_path / "second.json"
    write_json(second, {"study": "abc", "reader": "", "ratings": with_right_answers(10, 10)})
    scores = score_answers(key, [first, second])
    assert [(score.reader, score.right) for score in scores] == [("R1", 120), ("second", 20)]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"study": "other", "ratings": [1] * 160}, r"answers\.json: answers to the study other, the key is of abc"),
        ({"study": "abc", "ratings": [1] * 12}, "holds other than 160 ratings"),
        ({"study": "abc", "ratings": [7] * 160}, "holds other than 160 ratings"),
        ({"study": "abc", "ratings": [0] * 160}, "no image is answered"),
        ({"study": "abc"}, "give a file that a reader saved"),
        ([1, 2], "give a file that a reader saved"),
    ],
)
def test_files_that_do_not_fit_are_named(tmp_path, content, message):
    key, answers = study_of(tmp_path, with_right_answers(40, 40))
    write_json(answers, content)
    with pytest.raises(Ct2PetError, match=message):
        score_answers(key, [answers])


def test_answers_in_place_of_the_key_are_refused(tmp_path):
    _, answers = study_of(tmp_path, with_right_answers(40, 40))
    with pytest.raises(Ct2PetError, match="give the key that ct2pet_reader_study make wrote"):
        score_answers(answers, [answers])
