"""Summaries of worse models, and how to look into a comparison."""

import copy

import numpy as np


def worse(summary, seed, mean=0.1):
    """The same references, predictions with other errors."""
    rng, found = np.random.default_rng(seed), copy.deepcopy(summary)
    for regions in found["cases"].values():
        for metrics in regions.values():
            for metric in ("mae", "mae_volume"):
                if metrics.get(metric) is not None:
                    metrics[metric] += rng.normal(mean, 0.05)
            for metric in ("psnr", "ssim", "psnr_volume", "ssim_volume"):
                if metrics.get(metric) is not None:
                    metrics[metric] -= abs(rng.normal(mean, 0.05))
    return found


def line_of(comparison, table, subject, metric):
    (line,) = [one for one in comparison.of_table(table) if (one.subject, one.metric) == (subject, metric)]
    return line


def values(summary, region, metric, cases=None):
    return np.array([summary["cases"][case][region][metric] for case in cases or summary["cases"]])
