import re

from summaries import label_summary, synthetic_summary

from ct2pet.report.answer import certainties, certainty, errors_of, tiles


def test_in_how_many_cases():
    own, theirs = {"a": 0.1, "b": 0.3, "c": 0.2, "d": None}, {"a": 0.2, "b": 0.2, "c": 0.5, "d": 1.0}
    assert certainty(own, theirs, "other") == "Its error is lower than that of other in 2 of 3 cases."
    assert certainty({"a": None}, {"a": 0.2}, "x") == ""


def test_the_best_baseline_that_is_blind_is_the_opponent():
    (text,) = certainties(synthetic_summary(6))
    assert "than that of body median in 6 of 6 cases" in text
    assert certainties({**synthetic_summary(2), "baselines": {"zeros": {}, "body_median": {}}}) == []


def test_errors_are_those_of_the_cases_that_have_the_region():
    cases = {"a": {"head": {"mae": 1.0, "psnr": 2.0}}, "b": {"legs": {"mae": 3.0}}, "c": {"head": {"mae": None}}}
    assert errors_of(cases, "head") == {"a": 1.0, "c": None}
    assert errors_of(cases, "head", "psnr") == {"a": 2.0, "c": None}


def test_the_first_numbers_have_units_intervals_and_cases():
    summary = synthetic_summary(6)
    values = re.findall("<dd>(.*?)</dd>", tiles(summary))
    mae = summary["mean"]["whole_body"]["mae"]
    assert values[0] == f"{mae['mean']:.3f} SUV"
    assert values[1] == f"95% interval {mae['ci95'][0]:.3f} … {mae['ci95'][1]:.3f}, 6 cases"
    assert values[-1].endswith("5 cases")
    assert re.fullmatch("[+−][0-9.]+%", values[-2])
    alone = re.findall("<dd>(.*?)</dd>", tiles(synthetic_summary(1)))
    assert alone[1] == "1 case"
    assert alone[-2] == "–"
    assert tiles({"cases": {}, "mean": {}}) == ""


def test_no_hyphen_stands_for_a_minus():
    summary = synthetic_summary(6)
    text = tiles(summary)
    assert "−" in text
    assert not re.search(r"-\d", text)


def test_the_first_number_of_labels_is_their_mean_overlap():
    html = tiles(label_summary())
    assert html.count("<dt>") == 1
    by_case = [(0.8 + 0.6 + 0.0) / 3, (0.9 + 0.4) / 2, (0.7 + 0.0) / 2, (1.0 + 0.5) / 2]
    assert f"<dt>Mean Dice coefficient of the labels</dt><dd>{25 * sum(by_case):.2f}%</dd>" in html
    assert "4 cases" in html
