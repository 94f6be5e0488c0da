import json

import pytest

from ct2pet.errors import Ct2PetError
from ct2pet.evaluation import summary as summaries
from ct2pet.evaluation.baselines import NAMES


def results(**mae_of_case):
    def regions(mae):
        return {"whole_body": {"mae": mae, "suv_mean_bias": -3.0, "mae_volume": mae and mae / 4}, "head": {"mae": None}}

    return {
        case: {"prediction": regions(mae), **{name: regions(1.0 + index) for index, name in enumerate(NAMES)}}
        for case, mae in mae_of_case.items()
    }


def test_mean_and_standard_error_by_hand():
    assert summaries.mean_of([1.0, 3.0, None, 5.0]) == {"mean": 3.0, "se": pytest.approx(2 / 3**0.5), "n": 3}
    assert summaries.mean_of([2.0]) == {"mean": 2.0, "se": None, "n": 1}
    assert summaries.mean_of([None]) == {"mean": None, "se": None, "n": 0}


def test_shape_is_the_written_one(tmp_path):
    found = summaries.summarise(results(b=0.4, a=0.2), {"ct2pet_version": "1"})
    assert list(found) == ["cases", "mean", "baselines", "provenance"]
    assert list(found["cases"]) == ["a", "b"]
    assert found["cases"]["a"]["whole_body"]["mae"] == 0.2
    assert found["mean"]["whole_body"]["mae"] == {"mean": pytest.approx(0.3), "se": pytest.approx(0.1), "n": 2}
    assert found["mean"]["head"]["mae"]["n"] == 0
    assert found["baselines"]["body_median"]["whole_body"]["mae"] == 2.0
    assert found["baselines"]["zeros"]["head"]["mae"] is None
    summaries.write_summary(tmp_path / "summary.json", found)
    assert summaries.read_summary(tmp_path / "summary.json") == found


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda s: s.pop("baselines"), "not a summary"),
        (lambda s: s["cases"]["a"]["head"].update(mae="low"), "cases.a.head.mae"),
        (lambda s: s["cases"].update(a=3), "cases.a"),
        (lambda s: s["mean"]["head"].update(mae=1.0), "mean.head.mae"),
        (lambda s: s["mean"]["head"]["mae"].update(n=None), "mean.head.mae"),
        (lambda s: s["baselines"]["zeros"]["head"].update(mae=True), "baselines.zeros.head.mae"),
        (lambda s: s["baselines"].pop("zeros"), "baselines"),
    ],
)
def test_damage_is_named(tmp_path, change, told):
    content = summaries.summarise(results(a=0.2), {})
    change(content)
    path = tmp_path / "summary.json"
    path.write_text(json.dumps(content))
    with pytest.raises(Ct2PetError, match=told) as caught:
        summaries.read_summary(path)
    assert str(path) in str(caught.value)


def test_table_has_units_all_rows_and_no_nan():
    text = summaries.table(summaries.summarise(results(a=0.2, b=0.4), {}))
    assert "MAE [SUV]" in text
    assert "SUVmean bias [%]" in text
    assert "0.300 ± 0.100" in text
    assert "-3.0 ± 0.0" in text
    assert "nan" not in text.lower()
    for name in ("zeros", "body median", "blurred", "shifted"):
        assert text.count(name) >= 2
    lines = text.splitlines()
    header = next(line for line in lines if line.startswith("whole_body (n = 2)"))
    assert len(lines[lines.index(header) + 2]) == len(header)
    assert lines[lines.index(header) + 2].startswith("synthetic PET")


def test_volume_columns_stand_apart_and_are_explained():
    text = summaries.table(summaries.summarise(results(a=0.2), {}))
    header = next(line for line in text.splitlines() if "MAE volume [SUV]" in line)
    assert "MAE [SUV]" not in header
    assert "flatters" in text
