"""Score the answers of readers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from scipy import stats

from ct2pet.errors import Ct2PetError
from ct2pet.evaluation.statistics import Interval
from ct2pet.schema import read_as
from ct2pet.study.statistics import auc, auc_interval

_LEVEL = 0.05
_FIRST_SYNTHETIC = 3  # ratings: 1 surely real, 2 probably real, 3 probably synthetic, 4 surely synthetic


@dataclass(frozen=True)
class _Key:
    """The file that lists which image of a study is ``real`` and which ``synthetic``."""

    study: str
    seed: int
    images: list[Literal["real", "synthetic"]]


@dataclass(frozen=True)
class _Answers:
    """What the page of a study gives a reader to send back."""

    study: str
    ratings: list[int]
    reader: str = ""


@dataclass(frozen=True)
class ReaderScore:
    """One reader. A right answer names a synthetic image synthetic, or a real one real.

    ``ci95``: of the accuracy (Clopper-Pearson). ``p_two_sided``, ``p_above``, ``p_below``: exact binomial tests of the
    right answers against guessing; ``p_below`` is that of as few right ones or fewer. ``d_prime``: sensitivity index
    with the log-linear correction (Hautus, Behav. Res. Methods 27 (1995) 46), negative where synthetic images look
    more real than real ones. ``auc``: of the ratings. d' and AUC are None where a kind was not answered.
    """

    reader: str
    images: int
    answered: int
    right: int
    synthetic_named_synthetic: tuple[int, int]
    real_named_real: tuple[int, int]
    ci95: Interval
    p_two_sided: float
    p_above: float
    p_below: float
    d_prime: float | None
    auc: float | None
    auc_ci95: Interval | None

    @property
    def accuracy(self) -> float:
        return self.right / self.answered

    @property
    def distinguishable(self) -> bool:
        """Whether the reader distinguishes the two kinds; an accuracy significantly below chance shows this too."""
        return self.p_two_sided < _LEVEL


def score_answers(key: Path, answers: Sequence[Path]) -> list[ReaderScore]:
    """Score each reader's file against the key. Raises Ct2PetError, naming the file, where one is not of this study,
    holds no answer, or is damaged."""
    truth = read_as(key, _Key, remedy="give the key that ct2pet_reader_study make wrote")
    return [_score(truth, path) for path in answers]


def _score(truth: _Key, path: Path) -> ReaderScore:
    content = read_as(path, _Answers, remedy="give a file that a reader saved on the page of the study")
    if content.study != truth.study:
        raise Ct2PetError(f"{path}: answers to the study {content.study}, the key is of {truth.study}")
    ratings, synthetic = np.array(content.ratings), np.array([kind == "synthetic" for kind in truth.images])
    if ratings.shape != synthetic.shape or not np.isin(ratings, range(5)).all():
        raise Ct2PetError(f"{path}: holds other than {len(synthetic)} ratings of 0 (none) to 4; the file was changed")
    given = ratings > 0
    if not given.any():
        raise Ct2PetError(f"{path}: no image is answered")
    return _of_ratings(content.reader or path.stem, len(ratings), ratings[given], synthetic[given])


def _of_ratings(reader: str, images: int, ratings: np.ndarray, synthetic: np.ndarray) -> ReaderScore:
    named = ratings >= _FIRST_SYNTHETIC
    right = int((named == synthetic).sum())
    hits, correct_real = int((named & synthetic).sum()), int((~named & ~synthetic).sum())
    number, number_real = int(synthetic.sum()), int((~synthetic).sum())
    test = stats.binomtest(right, len(ratings))
    interval = test.proportion_ci(0.95, method="exact")
    labels, both = synthetic.astype(int), number > 0 and number_real > 0
    return ReaderScore(
        reader,
        images,
        len(ratings),
        right,
        (hits, number),
        (correct_real, number_real),
        [float(interval.low), float(interval.high)],
        float(test.pvalue),
        float(stats.binomtest(right, len(ratings), alternative="greater").pvalue),
        float(stats.binomtest(right, len(ratings), alternative="less").pvalue),
        _d_prime(hits, number, number_real - correct_real, number_real) if both else None,
        auc(labels, ratings) if both else None,
        auc_interval(labels, ratings) if both else None,
    )


def _d_prime(hits: int, synthetic: int, false_alarms: int, real: int) -> float:
    rates = ((hits + 0.5) / (synthetic + 1), (false_alarms + 0.5) / (real + 1))
    return float(stats.norm.ppf(rates[0]) - stats.norm.ppf(rates[1]))


def text(score: ReaderScore) -> str:
    """The score as lines of text, with its interpretation."""
    lines = [
        f"reader {score.reader}: {score.answered} of {score.images} images answered",
        f"  right: {score.right} ({score.accuracy:.1%}, 95% interval {score.ci95[0]:.1%} to {score.ci95[1]:.1%}); "
        f"synthetic named synthetic {_share(score.synthetic_named_synthetic)}, "
        f"real named real {_share(score.real_named_real)}",
        f"  against guessing: p = {score.p_two_sided:.2g} (two-sided), {score.p_above:.2g} (better), "
        f"{score.p_below:.2g} (worse)",
    ]
    if score.auc is not None and score.auc_ci95 is not None:
        low, high = score.auc_ci95
        lines.append(f"  d' = {score.d_prime:.2f}, AUC of the ratings {score.auc:.3f} (95% {low:.3f} to {high:.3f})")
    return "\n".join([*lines, f"  {_verdict(score)}"])


def _share(counts: tuple[int, int]) -> str:
    return f"{counts[0]} of {counts[1]}"


def _verdict(score: ReaderScore) -> str:
    if not score.distinguishable:
        return "not distinguished with this number of images; the interval above shows what accuracy is still possible"
    if score.accuracy > 0.5:
        return "distinguishable: this reader distinguishes synthetic images from real ones"
    return (
        "distinguishable: this reader separates the two kinds and names them the wrong way round; "
        "an accuracy below chance is no sign of realism"
    )
