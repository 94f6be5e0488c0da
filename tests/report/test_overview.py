import html
import re

from summaries import synthetic_summary

from ct2pet.report.overview import overview, seen_in_training, trainings

RUN = {"date": "2030-01-02", "num_epochs": 9, "iterations_per_epoch": 250}
FACTS = {"num_training_cases": 12, "run": RUN}


def summary_of(trained, **provenance):
    prediction = {"model": "pix2pix", "plans_name": "mine", "trained": trained}
    run = {"date": "2030-02-03", "versions": {"ct2pet": "1.2"}}
    return synthetic_summary(3, provenance={"prediction": prediction, "run": run, **provenance})


def facts(summary, curves=None):
    text = overview(summary, curves or {})
    return {
        html.unescape(name): html.unescape(value) for name, value in re.findall("<dt>(.*?)</dt><dd>(.*?)</dd>", text)
    }


def test_method_training_and_evaluation_are_named_with_dates_cases_and_epochs():
    later = {"num_training_cases": 10, "run": {**RUN, "date": "2030-01-09"}}
    summary = summary_of({"head": {"fold_0": FACTS}, "trunk": {"fold_0": later}}, failed_cases=["x"])
    assert facts(summary, {"head": [{}] * 7, "trunk": [{}] * 9}) == {
        "Method": "pix2pix, plans mine",
        "Networks": "head, trunk; fold 0",
        "Training cases": "10 to 12",
        "Training": "7 to 9 epochs of 250 steps",
        "Trained on": "2030-01-02 to 2030-01-09",
        "Evaluated": "3 cases, 1 failed",
        "Evaluated on": "2030-02-03, ct2pet 1.2",
    }


def test_facts_without_a_record_are_omitted():
    assert facts(synthetic_summary(1, provenance={})) == {"Evaluated": "1 case"}
    assert trainings(synthetic_summary(1, provenance={"prediction": None})) == {}


def test_only_a_network_of_the_fold_all_has_seen_its_validation_cases():
    trained = {"head": {"fold_all": FACTS}, "trunk": {"fold_0": FACTS}, "legs": {"fold_0": FACTS, "fold_all": FACTS}}
    assert seen_in_training(summary_of(trained)) == {"head"}


def test_markup_in_names_is_text():
    text = overview(summary_of({"<b>": {"fold_0": FACTS}}), {})
    assert "<b>" not in text
    assert "&lt;b&gt;" in text
