import json

import pytest
from summaries import label_summary, summary_with_labels, synthetic_summary

from ct2pet.errors import Ct2PetError
from ct2pet.evaluation.summary_file import read_summary, write_summary


@pytest.mark.parametrize("make", [synthetic_summary, label_summary, summary_with_labels])
def test_a_written_summary_is_read_back(tmp_path, make):
    summary = make()
    write_summary(tmp_path / "summary.json", summary)
    assert read_summary(tmp_path / "summary.json") == summary


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda s: s.pop("mean"), "not a summary"),
        (lambda s: s.pop("detection"), r"another version of ct2pet \(detection\)"),
        (lambda s: s.update(more=1), r"another version of ct2pet \(more\)"),
        (lambda s: s["cases"]["case_001"]["head"].update(mae="low"), "cases.case_001.head.mae"),
        (lambda s: s["cases"].update(a=3), "cases.a"),
        (lambda s: s["mean"]["head"].update(mae=1.0), "mean.head.mae"),
        (lambda s: s["mean"]["head"]["mae"].update(n=None), "mean.head.mae"),
        (lambda s: s["mean"]["head"]["mae"].update(ci95=[1.0]), "mean.head.mae"),
        (lambda s: s["groups"]["none"]["head"]["mae"].pop("q25"), "groups.none.head.mae"),
        (lambda s: s["baselines"]["zeros"]["head"].update(mae=True), "baselines.zeros.head.mae"),
        (lambda s: s["baselines"].pop("zeros"), "baselines"),
        (lambda s: s["baseline_cases"].pop("zeros"), "baseline_cases"),
        (lambda s: s["diagnoses"].update(case_001=3), "diagnoses.case_001"),
        (lambda s: s["lesions"].update(case_001={}), "lesions.case_001"),
        (lambda s: s["lesions"]["case_001"][0].update(mae="x"), "lesions.case_001"),
        (lambda s: s["agreement"]["zeros"]["head"]["suv_mean"].update(ccc="x"), "agreement.zeros.head.suv_mean.ccc"),
        (lambda s: s["detection"].pop("curves"), "detection"),
    ],
)
def test_damage_is_named(tmp_path, change, told):
    content = synthetic_summary(3)
    change(content)
    path = tmp_path / "summary.json"
    path.write_text(json.dumps(content))
    with pytest.raises(Ct2PetError, match=told) as caught:
        read_summary(path)
    assert str(path) in str(caught.value)
