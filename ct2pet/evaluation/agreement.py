"""Agreement of measurements in synthetic and real PETs, over cases or lesions."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np

Pair = tuple["float | None", "float | None"]


def agreement(pairs: Iterable[Pair]) -> dict[str, float | int | None]:
    """Of (real, fake) pairs: ``n`` pairs in which both exist; ``ccc``, Lin's concordance correlation coefficient; and
    Bland and Altman's limits: ``bias``, the mean of fake - real, ``sd`` of these differences, and ``low`` and ``high``,
    bias ± 1.96 sd. None where it is undefined: without pairs, for one pair, for pairs without variance.
    """
    both = [(real, fake) for real, fake in pairs if real is not None and fake is not None]
    if not both:
        return {"n": 0, "ccc": None, "bias": None, "sd": None, "low": None, "high": None}
    real, fake = (np.array(values, dtype=float) for values in zip(*both))
    bias, sd = float((fake - real).mean()), float((fake - real).std(ddof=1)) if len(both) > 1 else None
    limits = (None, None) if sd is None else (bias - 1.96 * sd, bias + 1.96 * sd)
    ccc = concordance(real, fake)
    return {"n": len(both), "ccc": ccc, "bias": bias, "sd": sd, "low": limits[0], "high": limits[1]}


def concordance(real: Sequence[float] | np.ndarray, fake: Sequence[float] | np.ndarray) -> float | None:
    """Concordance correlation coefficient (Lin, Biometrics 45 (1989) 255), with variances over n. None where it does
    not exist: below two values, or where both do not vary and are equal."""
    x, y = np.asarray(real, dtype=float), np.asarray(fake, dtype=float)
    if x.size < 2:
        return None
    return concordance_of_moments(x.mean(), y.mean(), x.var(), y.var(), ((x - x.mean()) * (y - y.mean())).mean())


def concordance_of_moments(
    mean_x: float, mean_y: float, variance_x: float, variance_y: float, covariance: float
) -> float | None:
    """As ``concordance``, from means, variances and covariance (over n)."""
    spread = float(variance_x + variance_y + (mean_x - mean_y) ** 2)
    return float(2 * covariance / spread) if spread > 0 and math.isfinite(spread) else None
