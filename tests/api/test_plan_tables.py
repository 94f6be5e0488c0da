import pytest

from ct2pet.api import plan_tables
from ct2pet.api.plan_tables import planned_model, show_costs, show_next, show_plan
from ct2pet.api.planning import plan
from ct2pet.preprocessing.folder import PreprocessedDataset


@pytest.fixture
def plans(prepared, monkeypatch):
    monkeypatch.setenv("ct2pet_preprocessed", str(prepared))
    return PreprocessedDataset.find("901").plans("ct2petPlans")


def test_the_plan_is_a_table_with_units_and_every_decision(plans, capsys):
    show_plan(plans)
    lines = capsys.readouterr().out.splitlines()
    assert "training on cpu" in lines[0]
    header = next(line for line in lines if "Region" in line)
    for title in ("Spacing [mm]", "Patch [voxels]", "Batch", "Memory of pix2pix [GiB]"):
        assert title in header
    for name, planned in plans.configurations.items():
        (line,) = [line for line in lines if line.split()[:1] == [name]]
        for numbers in (planned.spacing, planned.patch_size):
            assert " × ".join(f"{value:g}" for value in numbers) in line
        features = planned.network("generator").arguments["features_per_stage"]
        assert f"{len(features)} stages, {features[0]} to {features[-1]} features" in line


def test_the_next_command_names_the_dataset_plans_of_another_name_and_chosen_districts(plans, capsys):
    from dataclasses import replace

    show_next(plans)
    show_next(replace(plans, plans_name="mine"))
    show_next(plans, ["trunk", "legs"])
    assert capsys.readouterr().out.splitlines() == [
        "next: ct2pet_train 901 pix2pix all",
        "next: ct2pet_train 901 pix2pix all -p mine",
        "next: ct2pet_train 901 pix2pix all -c trunk legs",
    ]


def test_reference_plans_name_the_method_that_they_are_made_for(plans):
    from dataclasses import replace

    without = replace(plans, settings={})
    names = {"paper_2503_15555": "pix2pix", "small_lesions": "lesion_regression", "mine": next(iter(plans.models))}
    assert {name: planned_model(replace(without, plans_name=name)) for name in names} == names


def test_the_cost_of_every_region_and_their_sum_are_printed(plans, monkeypatch, capsys):
    cost = plan_tables.TrainingCost(seconds_per_step=0.5, steps=14400, memory_gib=1.25, checkpoints_gb=0.021)
    asked = []
    monkeypatch.setattr(plan_tables, "training_cost", lambda *arguments: asked.append(arguments[1:]) or cost)
    show_costs(plans)
    out = capsys.readouterr().out
    assert asked == [(name, "pix2pix", "cpu") for name in plans.configurations]
    assert out.count("2 h 00 min") == len(plans.configurations)
    assert f"about {2 * len(plans.default_configurations)} h 00 min per fold" in out


def test_plans_for_a_device_that_is_not_here_are_not_timed(plans, monkeypatch, capsys):
    from dataclasses import replace

    monkeypatch.setattr(plan_tables, "training_cost", lambda *arguments: pytest.fail("was timed"))
    absent = replace(plans, settings={**plans.settings, "device": "mps"})
    show_costs(absent)
    assert "the plans are for mps, which this machine does not have" in capsys.readouterr().err


def test_a_reference_plan_without_settings_has_a_table(plans, capsys):
    reference = plan("901", plans_name="paper_2503_15555")
    assert planned_model(reference) in reference.models
    show_plan(reference)
    assert "32 × 32 × 32" in capsys.readouterr().out
