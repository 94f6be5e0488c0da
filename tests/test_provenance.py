import getpass
import gzip
import json
import shlex
import socket
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest
from whole_pipeline import MACHINE, NAME, SHORT, USER, content_of

from ct2pet import provenance
from ct2pet.provenance import (
    added_run,
    case_digests,
    cases_among,
    command_line,
    device_name,
    digest,
    this_run,
    without_path,
)

ROOT = Path(__file__).parents[1]


def test_without_an_epoch_the_date_is_that_of_today(monkeypatch):
    monkeypatch.delenv("SOURCE_DATE_EPOCH")
    monkeypatch.setattr(provenance.time, "time", lambda: 1.0)
    assert provenance.this_run()["date"] == "1970-01-01"


def test_a_run_names_versions_date_and_what_is_given():
    run = this_run(device="cpu", seed=3)
    assert run["versions"]["python"] == ".".join(map(str, sys.version_info[:3]))
    for name in ("ct2pet", "numpy", "scipy", "SimpleITK", "nibabel"):
        assert run["versions"][name] == metadata.version(name)
    assert run["date"] == "2023-11-14"  # of SOURCE_DATE_EPOCH in the tests
    assert (run["device"], run["seed"], run["command"]) == ("cpu", 3, None)
    json.dumps(run)


def test_torch_is_named_where_it_computes_and_never_imported():
    script = "from ct2pet.provenance import this_run; import sys; print(this_run()['versions'].get('torch')); "
    script += "print('torch' in sys.modules)"
    for before, expected in (("", "None\nFalse\n"), ("import torch; ", f"{metadata.version('torch')}\nTrue\n")):
        words = [sys.executable, "-c", before + script]
        assert subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True).stdout == expected


@pytest.mark.parametrize("written", ["-i 'scans/Jane Doe/'", "'-iscans/Jane Doe'", "'-i=Jane Doe'", "'Jane Doe'"])
def test_a_folder_that_may_be_called_like_a_patient_is_omitted(written):
    with command_line("ct2pet_x", shlex.split(f"{written} -o 'Jane Doe PET'")):
        command = without_path(this_run(), Path("scans/Jane Doe"))["command"]
    assert command.removeprefix("ct2pet_x ") in [f"{sign}... -o 'Jane Doe PET'" for sign in ("-i ", "-i", "-i=", "")]
    assert without_path(this_run(), Path("scans"))["command"] is None


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["-i", "/data/clinic/imagesTs", "-o", "out"], "ct2pet_x -i imagesTs -o out"),
        (["-i", "../there/pets/", "--like=/home/someone/pet.nii.gz"], "ct2pet_x -i pets --like=pet.nii.gz"),
        (["-i", r"C:\data\ct.nii.gz"], "ct2pet_x -i ct.nii.gz"),
        (["001", "pix2pix", "all", "-c", "head", "trunk", "--num_epochs", "3"], None),
        (["-o", "my pets"], "ct2pet_x -o 'my pets'"),
        (["-o", str(Path.home())], "ct2pet_x -o ..."),
        (["-o", f"/data/{socket.gethostname()}"], "ct2pet_x -o ..."),
        (["-step_size", "0.5", "-o", "."], "ct2pet_x -step_size 0.5 -o ."),
        (["-i/data/clinic/imagesTs", r"-iC:\data=1\ct.nii.gz"], "ct2pet_x -iimagesTs -ict.nii.gz"),
    ],
)
def test_the_command_line_is_kept_without_folders_users_and_machines(arguments, said):
    with command_line("ct2pet_x", arguments):
        assert this_run()["command"] == (said or " ".join(["ct2pet_x", *arguments]))
    assert this_run()["command"] is None


def test_the_name_of_the_user_is_omitted(monkeypatch):
    monkeypatch.setattr(getpass, "getuser", lambda: "somebody")
    with command_line("ct2pet_x", ["-o", "/scratch/somebody"]):
        assert "somebody" not in this_run()["command"]


def git(folder, *words):
    identity = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"]
    return subprocess.run(
        ["git", "-C", str(folder), *identity, *words], capture_output=True, text=True, check=True
    ).stdout.strip()


def test_the_commit_is_that_of_the_code_and_changes_show(tmp_path, monkeypatch):
    (tmp_path / "ct2pet").mkdir()
    code = tmp_path / "ct2pet" / "provenance.py"
    code.write_text("pass\n")
    monkeypatch.setattr(provenance, "__file__", str(code))
    find = provenance._commit.__wrapped__
    git(tmp_path, "init", "-q")
    assert find() is None  # nothing is committed yet
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "one")
    head = git(tmp_path, "rev-parse", "HEAD")
    git(tmp_path, "tag", "-am", "a tag", "v1")
    assert find() == head
    code.write_text("changed\n")
    assert find() == f"{head}-dirty"


def test_a_repository_around_the_installed_package_is_not_its_own(tmp_path, monkeypatch):
    code = tmp_path / "venv" / "ct2pet" / "provenance.py"
    code.parent.mkdir(parents=True)
    code.write_text("pass\n")
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "one")
    monkeypatch.setattr(provenance, "__file__", str(code))
    installed = {"url": "https://example.org/ct2pet", "vcs_info": {"vcs": "git", "commit_id": "abc"}}

    class Installed:
        def __init__(self, text):
            self.text = text

        def read_text(self, name):
            return {"direct_url.json": self.text}[name]

    for text, expected in ((json.dumps(installed), "abc"), ('{"dir_info": {}}', None), (None, None), ("{", None)):
        monkeypatch.setattr(metadata, "distribution", lambda name, text=text: Installed(text))
        assert provenance._commit.__wrapped__() == expected


def test_a_digest_depends_only_on_the_content(tmp_path):
    assert digest({"a": 1, "b": [1.5]}) == digest(json.loads('{ "b": [1.5],\n "a": 1}'))
    assert digest({"a": 1}) != digest({"a": 2})
    (tmp_path / "one.json").write_text('{"a": 1}')
    assert provenance.digest_of_json(tmp_path / "one.json") == digest({"a": 1})
    assert provenance.digest_of_json(tmp_path / "none.json") is None


def test_cases_are_found_by_digest_and_only_in_their_own_dataset():
    digests = case_digests("Dataset001_A", ["b", "a"])
    assert "a" not in digests.split()
    assert digests == case_digests("Dataset001_A", ["a", "b"])
    assert cases_among(digests, "Dataset001_A", ["c", "b", "a"]) == ["a", "b"]
    assert cases_among(digests, "Dataset002_B", ["a", "b"]) == []
    assert cases_among("", "Dataset001_A", ["a"]) == []


def test_a_run_that_continues_is_added_and_the_same_one_is_not():
    first, second = {"date": "1"}, {"date": "2"}
    assert added_run(None, first) == [first]
    assert added_run([first], first) == [first]
    assert added_run([first], second) == [first, second]
    assert added_run("damaged", first) == [first]


def test_a_device_keeps_its_name_where_nothing_more_is_known():
    assert device_name("cpu") == "cpu"


def test_trainings_predictions_and_summaries_say_where_they_come_from(pipeline):
    fingerprint = digest(json.loads((pipeline.preprocessed / "dataset_fingerprint.json").read_text()))
    training = json.loads(
        (pipeline.results / "pix2pix__ct2petPlans__legs" / "fold_all" / "provenance.json").read_text()
    )
    assert training["plans"] == {"name": "ct2petPlans", "sha256": digest(pipeline.plans)}
    assert (training["dataset_fingerprint_sha256"], training["fold"]) == (fingerprint, "all")
    assert training["runs"][0]["command"] == f"ct2pet_train 077 pix2pix all {SHORT}"
    prediction = json.loads((pipeline.predictions / "prediction.json").read_text())
    facts = prediction["trained"]["legs"]["fold_all"]
    assert {name: facts[name] for name in facts if name != "run"} == {
        name: training[name] for name in ("plans", "dataset_fingerprint_sha256", "num_training_cases")
    }
    assert facts["run"]["seed"] == 12345
    summary = json.loads((pipeline.predictions / "summary.json").read_text())["provenance"]
    assert summary["prediction"] == {name: prediction[name] for name in prediction if name != "training_cases"}
    assert summary["evaluated_training_cases"] == []
    assert summary["run"]["command"] == f"ct2pet_evaluate -d 077 -i {pipeline.predictions.name} -np 1"
    for run_ in (training["runs"][0], prediction["runs"][0], summary["run"]):
        assert {"ct2pet", "python", "torch", "SimpleITK", "numpy"} <= set(run_["versions"])
        assert run_["device"] == "cpu"


def test_no_file_names_a_folder_a_user_or_a_machine(pipeline):
    secrets = [str(pipeline.root.parent).encode(), NAME.encode(), USER.encode(), MACHINE.encode()]
    files = content_of(pipeline.predictions) | content_of(pipeline.results) | content_of(pipeline.preprocessed)
    assert len(files) > 40
    for name, content in files.items():
        content = gzip.decompress(content) if name.endswith(".gz") else content
        assert not [secret for secret in secrets if secret in content or secret in name.encode()], name
