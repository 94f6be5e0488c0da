import torch
from tiny import tiny_configuration
from tiny_store import write_tiny_store
from trainings import make_run, same

from ct2pet.preprocessing.preprocessor import decisions_of


def test_cases_that_do_not_hold_the_district_are_omitted(tmp_path):
    """Of those that are preprocessed without it (A3), and of those that are not preprocessed at all (A8, A9)."""
    store = write_tiny_store(tmp_path / "store")
    store.write("A3", None, "key", decisions_of(tiny_configuration()))
    run = make_run(store, tmp_path, cases=(["A0", "A9", "A3"], ["A8", "A2", "A3"])).with_present_cases()
    assert (run.training_cases, run.validation_cases) == (["A0"], ["A2"])
    assert run.folder == tmp_path


def test_initial_weights_depend_only_on_the_seed(tmp_path):
    run = make_run(None, tmp_path, seed=3)
    first = run.build().state_dict()
    torch.rand(100)
    assert same(first, run.build().state_dict())
    assert not same(first, make_run(None, tmp_path, seed=4).build().state_dict())


def test_a_method_is_built_with_the_numbers_of_the_plans_on_the_cpu(tmp_path):
    run = make_run(None, tmp_path)
    run.plans.models["pix2pix"]["learning_rate"] = 7e-4
    model = run.build()
    assert model.hyperparameters.learning_rate == 7e-4
    assert {parameter.device.type for parameter in model.parameters()} == {"cpu"}
