import csv

import numpy as np
import pytest
from hand_models import hand_plans, write_trained
from scipy import stats
from trainings import final_weights, same

from ct2pet.api.training import train, train_seeds
from ct2pet.api.training_table import show_seeds, show_trainings
from ct2pet.evaluation import read_summary
from ct2pet.training import TrainingOptions

FAST = {"num_epochs": 3, "iterations_per_epoch": 1, "deterministic": True, "show_progress": False, "num_workers": 0}


@pytest.mark.parametrize("fold", [0, "all"])
def test_the_table_has_the_best_epoch_the_validation_and_what_to_type_next(results, capsys, fold):
    folders = train("901", "pix2pix", fold, configurations=["high"], device="cpu", options=TrainingOptions(**FAST))
    show_trainings(folders, "pix2pix", fold)
    lines = capsys.readouterr().out.splitlines()
    (row,) = [line for line in lines if line.split()[:1] == ["high"]]
    with (folders[0] / "training_log.csv").open() as file:
        maes = [float(one["validation_mae_suv"]) for one in csv.DictReader(file)]
    assert f"{maes.index(min(maes)) + 1}: MAE {min(maes):.3g} SUV" in row
    if fold == "all":
        assert row.rstrip().endswith("–")
    else:
        mean = read_summary(folders[0] / "validation" / "summary.json")["mean"]["high"]["mae"]
        assert f"MAE [SUV] {mean['mean']:.3f}" in row
    assert f"checkpoints: {folders[0]} (checkpoint_final.pth, checkpoint_best.pth)" in lines
    command = f"ct2pet_predict -i FOLDER_OF_INPUT_IMAGES -o FOLDER_OF_PREDICTIONS -d 901 -m pix2pix -f {fold}"
    assert lines[-1] == f"next: {command} -c high"

    (folders[0] / "checkpoint_best.pth").unlink()  # as after --disable_checkpointing
    if fold == 0:
        (folders[0] / "validation").rename(folders[0] / "validation_best")  # and --val_best
    show_trainings(folders, "pix2pix", fold)
    again = capsys.readouterr().out.splitlines()
    assert f"checkpoints: {folders[0]} (checkpoint_final.pth)" in again
    (row_again,) = [line for line in again if line.split()[:1] == ["high"]]
    assert row_again.split("  ")[-1] == row.split("  ")[-1]


def test_the_next_command_chooses_plans_that_are_not_the_default_and_no_district_where_all_are_trained(
    tmp_path, capsys
):
    write_trained(
        tmp_path, {"low": {"all": 1.0}, "high": {"all": 1.0}}, model="pix2pix", plans=hand_plans(plans_name="b")
    )
    folders = [tmp_path / "Dataset900_Tiny" / f"pix2pix__b__{name}" / "fold_all" for name in ("low", "high")]
    for folder in folders:
        (folder / "training_log.csv").write_text("epoch,seconds\n0,1\n")
    show_trainings(folders, "pix2pix", "all")
    assert capsys.readouterr().out.splitlines()[-1].endswith(" -d 900 -m pix2pix -f all -p b")


def test_seeds_are_trainings_of_their_own_with_the_standard_error_between_them(results, capsys):
    how = {"configurations": ["high"], "device": "cpu", "options": TrainingOptions(**{**FAST, "num_epochs": 1})}
    runs = train_seeds("901", "pix2pix", 0, num_seeds=2, **how)
    place = results.parent / "seed_12346" / "Dataset901_Hand" / "pix2pix__ct2petPlans__high" / "fold_0"
    assert list(runs) == [12345, 12346]
    assert runs[12346] == [place]
    weights = [final_weights(folder) for (folder,) in runs.values()]
    assert not same(*weights)
    (alone,) = train("901", "pix2pix", 0, seed=12346, final_validation=False, **how)
    assert same(final_weights(alone), weights[1])

    show_seeds(runs, "pix2pix", 0)
    out = capsys.readouterr().out
    maes = [
        read_summary(folder / "validation" / "summary.json")["mean"]["high"]["mae"]["mean"]
        for (folder,) in runs.values()
    ]
    assert f"MAE [SUV] {np.mean(maes):.3f} ± {stats.sem(maes):.3f}" in out
    assert all(f"{mae:.3f}" in out for mae in maes)
    command = "ct2pet_predict -i FOLDER_OF_INPUT_IMAGES -o FOLDER/seed_12345 -d 901 -m pix2pix -f 0 -c high"
    assert f"next, for every seed: ct2pet_results={results.parent / 'seed_12345'} {command}" in out
