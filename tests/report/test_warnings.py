import html

from summaries import synthetic_summary

from ct2pet.report.warnings import warnings_section


def test_failed_cases_training_cases_missing_districts_and_doubts_are_named():
    prediction = {"districts_without_model": ["legs"], "trained": {"head": {"fold_all": {}}}}
    provenance = {"failed_cases": ["broken"], "evaluated_training_cases": ["case_001"], "prediction": prediction}
    doubts = {"case_000": ["<b>low</b>", "low confidence in head"]}
    text = html.unescape(warnings_section(synthetic_summary(2, provenance=provenance), doubts))
    for words in ("broken", "case_001", "legs", "case_000: <b>low</b>; low confidence in head", "head: trained on all"):
        assert f"<li>{words}" in text


def test_names_are_text():
    text = warnings_section(synthetic_summary(1, provenance={"failed_cases": ["<b>"]}), {})
    assert "<b>" not in text


def test_missing_ones_are_reported():
    text = warnings_section(synthetic_summary(1), {})
    assert "None: every case was evaluated" in text
    assert "<li>" not in text
