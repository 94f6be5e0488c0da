import numpy as np
import pytest
from matplotlib.figure import Figure
from summaries import synthetic_summary

from ct2pet.report.uptake import SUV_EDGES, draw_histogram, draw_uptake, joint_histogram, uptake_plots, uptake_section


def test_every_voxel_counts_once_at_its_two_values():
    real = np.array([0.15, 2.0, 2.0, 60.0, 0.0, 0.05])
    fake = np.array([0.15, 3.0, 3.0, 0.0, 0.0, 0.02])
    counts = joint_histogram(real, fake)
    assert counts.sum() == 4  # the last two are cold in both PETs
    place = [int(np.searchsorted(SUV_EDGES, value, side="right")) - 1 for value in (2.0, 3.0)]
    assert counts[place[0], place[1]] == 2
    assert counts[-1, 0] == 1  # beyond the ends counts in the outermost bins


def test_identical_pets_are_on_the_diagonal():
    pet = np.random.default_rng(0).uniform(0.1, 39, 1000)
    counts = joint_histogram(pet, pet)
    assert counts.sum() == np.trace(counts) == 1000


def test_each_organ_and_lesion_of_each_case_is_a_point_that_leads_to_it():
    summary = synthetic_summary(3)
    anchors = {case: f"to-{case}" for case in summary["cases"]}
    anchors["case_000, lesion 1"] = "to-the-lesion"
    draws = uptake_plots(summary, anchors)
    assert list(draws) == ["SUVmean by district", "SUVmean by organ", "SUVmax by lesion"]
    axes = Figure().subplots()
    draws["SUVmax by lesion"](axes)
    (points,) = axes.collections
    lesions = [one for found in summary["lesions"].values() for one in found]
    np.testing.assert_allclose(
        points.get_offsets(), [[one["real_suv_max"], one["fake_suv_max"]] for one in lesions], rtol=1e-6
    )
    urls = points.get_urls()
    assert urls[0].startswith("#to-the-lesion case_000, lesion 1: ")
    assert all(url.startswith("#to-case_") for url in urls[1:])


def test_both_axes_have_one_range_and_the_line_is_the_identity():
    axes = Figure().subplots()
    draw_uptake(axes, "t", "SUVmean", {"a": (1.0, 2.0), "b": (4.0, 3.0)})
    assert axes.get_xlim() == axes.get_ylim() == pytest.approx((0, 4.2))
    x, y = axes.lines[0].get_data()
    assert list(x) == list(y)


def test_the_histogram_shows_the_real_pet_along_x():
    counts = joint_histogram(np.full(5, 20.0), np.full(5, 0.2))
    axes = Figure().subplots()
    draw_histogram(axes, counts)
    shown = axes.collections[0].get_array().reshape(counts.shape)
    row, column = np.argwhere(~np.ma.getmaskarray(shown))[0]
    assert SUV_EDGES[column] <= 20.0 < SUV_EDGES[column + 1]
    assert SUV_EDGES[row] <= 0.2 < SUV_EDGES[row + 1]


def test_without_uptake_there_is_no_section():
    assert list(uptake_section({"cases": {}, "lesions": {}}, [], {})) == []
