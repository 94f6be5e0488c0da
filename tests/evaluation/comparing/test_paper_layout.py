import copy
import re

import numpy as np
import pytest
from scipy import stats
from summaries import label_summary, synthetic_summary

from ct2pet.errors import Ct2PetError
from ct2pet.evaluation.comparing.paper_layout import paper_tables
from ct2pet.evaluation.statistics import holm


def changed(summary, factor):
    """The same cases with larger errors, which differ from case to case."""
    other = copy.deepcopy(summary)
    for index, regions in enumerate(other["cases"].values()):
        for metrics in regions.values():
            for name in ("mae", "mae_volume", "psnr", "psnr_volume", "ssim", "ssim_volume"):
                if metrics.get(name) is not None:
                    metrics[name] *= factor + index / 100
    return other


@pytest.fixture(scope="module")
def four():
    first = synthetic_summary(12)
    return [first, changed(first, 1.1)], [changed(first, 1.3), changed(first, 0.9)]


def row(text, table, subject, metric):
    block = text[text.index(f"Table {table}:") :]
    lines = block[: block.find("\n\n")].splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith(subject))
    line = next(line for line in lines[start:] if metric in line)
    return re.split(r"  +", line.strip())


def values(summary, region, metric):
    found = (regions.get(region, {}).get(metric) for regions in summary["cases"].values())
    return np.array([value for value in found if value is not None])


def test_the_mae_is_in_units_of_20_suv_with_its_standard_error(four):
    cells = row(paper_tables(*four), "I", "head", "MAE")
    for cell, summary in zip(cells[2:6], [*four[0], *four[1]]):
        mae = values(summary, "head", "mae") / 20
        assert cell == f"{mae.mean():.4f} ± {stats.sem(mae):.4f}"


def test_each_method_is_tested_against_itself_and_all_tests_are_corrected_together(four):
    text = paper_tables(*four)
    (number,) = map(int, re.findall(r"all (\d+) tests", text))
    (proposed, competitor), found = zip(*four), []
    cells = row(text, "I", "whole body", "MAE")
    for index, (own, theirs) in enumerate((proposed, competitor)):
        a, b = values(own, "whole_body", "mae"), values(theirs, "whole_body", "mae")
        p = max(stats.ttest_rel(a, b).pvalue, stats.wilcoxon(a, b).pvalue)
        found.append(p)
        shown = cells[6 + index].rstrip("*")
        assert float(shown.removeprefix("<")) >= min(0.001, p)
    assert number > 30
    assert holm(found) != found


def test_conditions_are_over_the_whole_volume_and_lesions_inside_them(four):
    text = paper_tables(*four)
    first = four[0][0]
    diagnosis = sorted(set(first["diagnoses"].values()))[0]
    own = [case for case, name in first["diagnoses"].items() if name == diagnosis]
    mae = np.array([first["cases"][case]["whole_body"]["mae_volume"] for case in own]) / 20
    assert row(text, "III", diagnosis, "MAE")[2].startswith(f"{mae.mean():.4f}")
    assert row(text, "II", "lesions", "SSIM")[1].startswith(f"{values(first, 'lesions', 'ssim').mean():.3f}")


def test_four_cases_get_no_stars():
    first = synthetic_summary(4)
    text = paper_tables([first, first], [changed(first, 2), changed(first, 2)])
    tables = text[: text.index("Mean ±")]
    assert "*" not in tables


def test_summaries_of_other_cases_or_without_a_pet_are_refused():
    first = synthetic_summary(6)
    with pytest.raises(Ct2PetError, match="case_005"):
        paper_tables([first, first], [first, synthetic_summary(5)])
    labels = label_summary()
    with pytest.raises(Ct2PetError, match="no MAE, PSNR or SSIM"):
        paper_tables([labels, labels], [labels, labels])


def test_runs_are_averaged_case_by_case_and_have_an_error_of_their_own(four):
    (pix2pix, cyclegan), competitor = four
    second = changed(pix2pix, 9)
    cells = row(paper_tables([[pix2pix, second], cyclegan], competitor), "I", "head", "MAE")
    runs = np.array(
        [[one["cases"][case]["head"]["mae"] / 20 for case in pix2pix["cases"]] for one in (pix2pix, second)]
    )
    error = stats.sem(runs.mean(axis=0))
    assert cells[2] == f"{runs.mean():.4f} ± {error:.4f} (± {stats.sem(runs.mean(axis=1)):.4f})"
    assert cells[3:6] == row(paper_tables([[pix2pix], cyclegan], competitor), "I", "head", "MAE")[3:6]
