import json
from pathlib import Path

from tiny import tiny_plans

from ct2pet.provenance import case_digests, cases_among, command_line, digest
from ct2pet.training.options import TrainingOptions
from ct2pet.training.record import TrainingRecord
from ct2pet.training.run import TrainingRun
from ct2pet.training.schedule import Schedule


def record(command="", seed=1, origin=None, cases=("A", "B")):
    with command_line("ct2pet_train", command.split()):
        options, folder = TrainingOptions(seed=seed), Path("fold_0")
        run = TrainingRun("pix2pix", "trunk", tiny_plans(), None, [*cases], ["C"], folder, options, (), origin or {})
        return TrainingRecord(run, Schedule(num_epochs=5, iterations=7, decay_steps=1))


def test_the_record_states_plans_data_and_versions_of_a_training(tmp_path):
    plans, found = tiny_plans(), record("001 pix2pix all", seed=4)
    found.save(tmp_path)
    content = json.loads((tmp_path / "provenance.json").read_text())
    assert content == found.content
    assert content["plans"] == {"name": plans.plans_name, "sha256": digest(plans.to_json())}
    assert (content["dataset_name"], content["model"], content["configuration"]) == (
        plans.dataset_name,
        "pix2pix",
        "trunk",
    )
    assert content["num_training_cases"] == 2
    assert cases_among(content["training_cases"], plans.dataset_name, ["A", "C"]) == ["A"]
    (run,) = content["runs"]
    assert (run["seed"], run["device"], run["num_epochs"], run["iterations_per_epoch"]) == (4, "cpu", 5, 7)
    assert run["command"] == "ct2pet_train 001 pix2pix all"
    assert run["processes"] == 1


def test_the_record_contains_the_origin_of_the_run():
    assert record(origin={"fold": "3"}).content == {**record().content, "fold": "3"}


def test_other_runs_of_the_same_training_stay(tmp_path):
    first, second = record("001"), record("001 --c")
    second.go_on(first.content)
    assert [run["command"] for run in second.content["runs"]] == ["ct2pet_train 001", "ct2pet_train 001 --c"]
    again = record("001 --c")
    again.go_on(second.content)
    assert again.content["runs"] == second.content["runs"]
    assert again.content["training_cases"] == first.content["training_cases"]
    unknown = record("001")
    unknown.go_on(None)  # a checkpoint without provenance
    assert len(unknown.content["runs"]) == 1


def test_training_cases_of_earlier_runs_are_recorded():
    earlier = record().content
    resumed = record(cases=["B", "D"])
    resumed.go_on(earlier)
    name = earlier["dataset_name"]
    assert cases_among(resumed.content["training_cases"], name, ["A", "B", "C", "D"]) == ["A", "B", "D"]


def test_other_training_cases_than_those_of_a_checkpoint_are_noticed():
    own = record()
    assert not own.has_other_cases({"training_cases": record().own_cases})
    assert own.has_other_cases({"training_cases": record(cases=["A", "B", "C"]).own_cases})
    assert own.has_other_cases({"training_cases": record(cases=["A"]).own_cases})
    assert own.has_other_cases({"provenance": record(cases=["A"]).content})  # of an older version
    assert own.has_other_cases({"provenance": record(cases=["A", "B", "C"]).content})
    assert not own.has_other_cases({"provenance": record().content})
    assert not own.has_other_cases({"provenance": {}})
    assert not own.has_other_cases({})


def test_a_validation_records_its_own_run_and_that_of_the_training():
    with command_line("ct2pet_train", ["001", "--val"]):
        content = record("001").of_validation()
    assert content["run"]["command"] == "ct2pet_train 001 --val"
    assert content["run"]["device"] == "cpu"
    assert content["runs"][0]["command"] == "ct2pet_train 001"
    assert "training_cases" not in content


def test_weights_of_another_training_are_noted_and_its_cases_count_as_seen():
    source = {"dataset_name": "Dataset900_Tiny", "model": "pix2pix", "fold": "all", "networks": ["generator"]}
    digests = case_digests("Dataset900_Tiny", ["B", "C"])
    found = record()
    found.begin_with({**source, "training_cases": digests})
    assert found.content["pretrained_weights"] == source
    name = found.content["dataset_name"]
    assert cases_among(found.content["training_cases"], name, ["A", "B", "C", "D"]) == ["A", "B", "C"]
    assert found.content["num_training_cases"] == 2
    resumed = record("--c")
    resumed.go_on(found.content)
    assert {**resumed.content, "runs": None} == {**found.content, "runs": None}
    unknown = record()
    unknown.begin_with({**source, "training_cases": None})  # a checkpoint that does not say
    assert unknown.content["training_cases"] == record().content["training_cases"]


def test_initial_weights_of_the_same_dataset_without_their_cases_make_the_cases_unknown():
    source = {"dataset_name": record().content["dataset_name"], "model": "pix2pix", "training_cases": None}
    found, other, named = record(), record(), record()
    found.begin_with({**source, "training_cases_known": False})
    assert found.seen_cases is None
    resumed = record("--c")
    resumed.go_on(found.content)
    assert resumed.seen_cases is None
    other.begin_with({**source, "dataset_name": "Dataset901_Other", "training_cases_known": False})
    assert other.seen_cases == other.content["training_cases"]
    assert "training_cases_known" not in other.content["pretrained_weights"]
    named.begin_with({**source, "training_cases": case_digests(source["dataset_name"], ["C"])})
    assert named.seen_cases == named.content["training_cases"]
