"""What may not be read is neither damaged nor missing, what may not be written is named before any work, and files that
are written have the permissions of the umask."""

import os
import shutil
import stat
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from raw_cases import case_volumes, write_raw
from rights import open_folder, without_superuser
from tiny import tiny_configuration, tiny_plans
from tiny_store import write_tiny_store

from ct2pet.api.prediction import predict as predict_images
from ct2pet.checkpoint import load_checkpoint, save_checkpoint
from ct2pet.cli.predict import main as predict
from ct2pet.errors import CheckpointError, DatasetError, ImageError, WriteError
from ct2pet.files import write_json
from ct2pet.imageio import read_volume, write_volume
from ct2pet.inference.trained_models import find_trained
from ct2pet.outputs import check_output_folder
from ct2pet.planning.plans import Plans
from ct2pet.preprocessing.preprocessor import check_store, preprocess_dataset
from ct2pet.volume import Grid, Volume

# All that the command imports, before rights are dropped: Python's own modules may lie where only the superuser reads.
__all__ = ["open_folder", "predict_images"]
MODEL = "Dataset001_X/pix2pix__ct2petPlans__head"


def test_unreadable_checkpoints_and_images_are_not_reported_as_damaged(open_folder):
    save_checkpoint(open_folder / "a.pth", {"epoch": 1})
    grid = Grid((3, 4, 5), (1.0, 1.0, 1.0))
    write_volume(open_folder / "a.nii.gz", Volume(np.zeros(grid.shape, np.int16), grid, "HU"))
    for path in open_folder.iterdir():
        path.chmod(0)
    with without_superuser():
        with pytest.raises(CheckpointError, match=r"a\.pth: no permission to read$"):
            load_checkpoint(open_folder / "a.pth")
        with pytest.raises(ImageError, match=r"a\.nii\.gz: no permission to read$"):
            read_volume(open_folder / "a.nii.gz")


@pytest.mark.parametrize("place", ["", "Dataset001_X", MODEL, f"{MODEL}/fold_all"])
def test_a_model_in_an_unreadable_folder_is_not_reported_as_missing(open_folder, place, capsys, monkeypatch):
    results = open_folder / "results"
    for name in ("Dataset001_X", "Dataset002_Y"):
        save_checkpoint(results / MODEL.replace("Dataset001_X", name) / "fold_all" / "checkpoint_final.pth", {})
    (results / place).chmod(0)
    monkeypatch.setenv("ct2pet_results", str(results))
    text = f"{results / place}: no permission to read"
    with without_superuser():
        if place:
            assert [model.dataset_name for model in find_trained(results)] == ["Dataset002_Y"]
            assert capsys.readouterr().err.startswith(text)
        else:
            assert predict(["-i", str(open_folder / "ct.nii.gz"), "-o", str(open_folder / "pet.nii.gz")]) == 2
            assert text in capsys.readouterr().err


def test_an_unreadable_store_is_not_reported_as_missing_or_damaged(open_folder):
    store = write_tiny_store(open_folder / "store", 1)
    check_store(store, tiny_configuration(), tiny_plans().all_fields)
    (store.folder / "A0.b2nd").chmod(0)
    with without_superuser(), pytest.raises(DatasetError, match=r"A0\.b2nd: no permission to read$"):
        check_store(store, tiny_configuration(), tiny_plans().all_fields)
    (store.folder / "A0.json").chmod(0)
    with without_superuser(), pytest.raises(DatasetError, match=r"A0\.json: no permission to read$"):
        store.open("A0")
    store.folder.chmod(0)
    with without_superuser(), pytest.raises(DatasetError, match=r"store: no permission to read$"):
        store.recorded_cases()


def test_unreadable_plans_are_named(open_folder):
    tiny_plans().save(open_folder / "plans.json")
    (open_folder / "plans.json").chmod(0)
    with without_superuser(), pytest.raises(Exception, match=r"plans\.json: no permission to read$"):
        Plans.load(open_folder / "plans.json")


def test_preprocessing_into_an_unwritable_folder_stops_before_any_work(open_folder, monkeypatch):
    plans = tiny_plans()
    plans = Plans(**{**vars(plans), "districts": {"low": 1, "high": 2}})
    dataset = write_raw(open_folder / "raw", {"A": case_volumes()})
    target = open_folder / "preprocessed"
    target.mkdir(mode=0o555)
    monkeypatch.setattr("ct2pet.preprocessing.preprocessor.map_cases", lambda *_, **__: pytest.fail("work began"))
    with without_superuser(), pytest.raises(WriteError, match=rf"^{target}: not writable .*get write permission"):
        preprocess_dataset(dataset, plans, target)
    shutil.rmtree(target)


def test_the_unwritable_parent_of_a_missing_folder_is_named(open_folder):
    (open_folder / "a").mkdir(mode=0o555)
    with without_superuser(), pytest.raises(WriteError, match=rf"^{open_folder}/a: not writable"):
        check_output_folder(open_folder / "a" / "b" / "c")


def test_a_file_has_the_permissions_of_the_umask(tmp_path):
    before = os.umask(0o027)
    try:
        write_json(tmp_path / "plans.json", {})
        assert os.umask(0o027) == 0o027  # reading the umask did not change it
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "plans.json").stat().st_mode) == 0o640


def test_files_that_threads_write_at_once_have_the_permissions_of_the_umask(tmp_path, monkeypatch):
    set_umask = os.umask

    def slowly(mask):
        before = set_umask(mask)
        time.sleep(0.005)  # another thread runs
        return before

    before = set_umask(0o027)
    monkeypatch.setattr(os, "umask", slowly)
    try:
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda number: write_json(tmp_path / f"{number}.json", {}), range(12)))
        assert set_umask(0o027) == 0o027
    finally:
        set_umask(before)
    assert {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()} == {0o640}
