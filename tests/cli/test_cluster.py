"""The commands with --dask and --slurm: the files are those of one machine, byte by byte."""

import json
import shutil

import blosc2
import numpy as np
import pytest
from dask_processes import scheduler, wait_until_joined, worker
from dicom_studies import study_of, write_studies
from whole_pipeline import TEST_CASES, content_of, run

from ct2pet.cli import convert_dicom


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    """A scheduler with two workers."""
    with (
        scheduler(tmp_path_factory.mktemp("scheduler")) as (_, found),
        worker(found, wait=False) as one,
        worker(found, wait=False) as other,
    ):
        wait_until_joined(found, one, other)
        yield found


def different(one, other):
    """The names of the files that are not the same in two folders."""
    contents = content_of(one), content_of(other)
    return [name for name in {**contents[0], **contents[1]} if contents[0].get(name) != contents[1].get(name)]


def stored(path):
    """The voxels of a store, or its record. Its bytes depend on the order in which threads have compressed blocks."""
    if path.suffix == ".b2nd":
        return blosc2.open(str(path))[...]
    return {name: value for name, value in json.loads(path.read_text()).items() if name != "crc32"}


def test_preprocessed_cases_are_the_same(pipeline_copy, address, tmp_path):
    folder = pipeline_copy.preprocessed
    before = shutil.copytree(folder, tmp_path / "before")
    for store in [path for path in folder.iterdir() if path.is_dir()]:
        shutil.rmtree(store)
    assert different(folder, before)
    assert run(f"preprocess -d 077 --dask {address}") == 0
    names = {path.relative_to(before) for path in before.glob("*/[!.]*") if path.suffix in (".b2nd", ".json")}
    assert names == {path.relative_to(folder) for path in folder.glob("*/[!.]*") if path.is_file()}
    for name in names:
        one, other = (stored(path / name) for path in (folder, before))
        assert np.array_equal(one, other), name


def test_predictions_are_the_same(pipeline, address, tmp_path, capsys):
    target = tmp_path / pipeline.predictions.name
    assert pipeline.predict(target, f"--dask {address}") == 0
    names = [f"{case}.nii.gz" for case in TEST_CASES]
    assert [path.name for path in sorted(target.glob("*.nii.gz"))] == names
    for name in names:
        assert (target / name).read_bytes() == (pipeline.predictions / name).read_bytes()
    assert "Dask: 2 worker(s); dashboard http://" in capsys.readouterr().err


def test_the_numbers_of_an_evaluation_are_the_same(pipeline, address, tmp_path):
    summary = tmp_path / "summary.json"
    assert run(f"evaluate -d 077 -i {pipeline.predictions} -o {summary} --dask {address}") == 0
    here, there = (json.loads(path.read_text()) for path in (pipeline.predictions / "summary.json", summary))
    for part in ("cases", "mean"):
        assert here[part] == there[part]


def test_district_maps_are_the_same(pipeline, address, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # the workers are elsewhere, and the folder is named from here
    command = f"segment_districts -i {pipeline.raw}/imagesTs --segmenter files --districts {pipeline.raw}/districtsTs"
    assert run(f"{command} -o here -np 1") == 0
    assert run(f"{command} -o there --dask {address}") == 0
    assert different(tmp_path / "there", tmp_path / "here") == []


def test_converted_cases_are_the_same(address, tmp_path, monkeypatch):
    folder = write_studies(tmp_path / "in", study_of("JANE"), study_of("JOHN"))
    for name, options in {"here": ["-np", "1"], "there": ["--dask", address]}.items():
        monkeypatch.setenv("ct2pet_raw", str(tmp_path / name))
        assert convert_dicom.main(["-i", str(folder), "-d", "007", "-n", "CLINIC", *options]) == 0
    assert different(tmp_path / "there", tmp_path / "here") == []


def test_registered_cases_are_the_same(pipeline, address, tmp_path, monkeypatch):
    for name, options in {"here": "-np 1", "there": f"--dask {address}"}.items():
        shutil.copytree(pipeline.raw, tmp_path / name / pipeline.raw.name)
        monkeypatch.setenv("ct2pet_raw", str(tmp_path / name))
        assert run(f"register -d 077 {options}") == 0
    assert (tmp_path / "there" / pipeline.raw.name / "registration" / f"{TEST_CASES[0]}.json").exists()
    assert different(tmp_path / "there", tmp_path / "here") == []


def test_a_scheduler_that_does_not_answer_changes_nothing(pipeline_copy, capsys):
    before = content_of(pipeline_copy.root)
    assert run("preprocess -d 077 --dask tcp://127.0.0.1:1") == 2
    assert content_of(pipeline_copy.root) == before
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("ct2pet_preprocess: tcp://127.0.0.1:1: no Dask scheduler answers there")


def test_dask_and_slurm_together_are_refused(capsys):
    with pytest.raises(SystemExit) as ended:
        run("preprocess -d 077 --dask tcp://127.0.0.1:1 --slurm jobs=2")
    assert ended.value.code == 2
    assert "not allowed with argument --dask" in capsys.readouterr().err
