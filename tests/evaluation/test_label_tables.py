import csv
import io

import pytest
from label_maps import label_cases

from ct2pet.evaluation.label_summary import Presence, summarise_labels
from ct2pet.evaluation.label_tables import COLUMNS, columns_of, csv_text, latex, text_table, total_presence

SUMMARY = summarise_labels(label_cases())


def test_the_text_has_a_row_a_label_and_their_mean():
    lines = text_table(SUMMARY).splitlines()
    assert lines[0].split("  ")[0] == "label"
    for header in ("Dice [%]", "IoU [%]", "HD95 [mm]", "ASD [mm]", "missed"):
        assert header in lines[0]
    assert [line.split()[0] for line in lines[2:6]] == ["liver", "spleen", "heart", "mean"]
    assert "85.00 ± 12.91" in lines[2]
    assert lines[3].split()[-1] == "1/3"
    assert "33.33 ± 30.55" in lines[3]
    assert " 9.00 " in lines[4]  # the distance of a single case has no deviation
    assert lines[5].split()[-1] == "1/8"
    assert len({len(line) for line in lines[:6]}) == 1
    assert "over 4 cases" in lines[-1]


def test_a_table_over_folds_names_the_folds():
    folds = {"a": 0, "b": 1, "c": 0, "d": 1}
    assert "85.00 ± 14.14" in text_table(summarise_labels(label_cases(), folds))
    assert "over 2 folds" in text_table(summarise_labels(label_cases(), folds))
    assert "over 1 fold." in text_table(summarise_labels(label_cases(), dict.fromkeys(folds, 0)))


def test_latex_is_a_table_with_a_row_a_label_and_their_mean():
    text = latex(SUMMARY)
    lines = text.splitlines()
    assert r"Label & Dice (\%) & IoU (\%) & HD95 (mm) & ASD (mm) & Missed \\" in lines
    (liver,) = (line for line in lines if line.startswith("Liver"))
    assert liver.startswith(r"Liver & 85.00 $\pm$ 12.91 & ")
    assert lines[-4].startswith(r"Mean & ")
    assert lines[-5] == r"\midrule"
    (columns,) = (line for line in lines if "tabular}{" in line)
    assert all(line.count(" & ") == len(columns.split("{")[-1]) - 2 for line in lines if line.endswith(r"\\"))
    assert not any(character in text for character in "±–")


def test_names_that_latex_would_read_as_commands_are_literal():
    summary = summarise_labels({"a": {"urinary_bladder": {"dice": 0.5}, "100%_fat": {"dice": 0.1}}})
    assert "Urinary bladder & 50.00" in latex(summary)
    assert r"100\% fat & 10.00" in latex(summary)


def test_the_csv_has_the_units_of_its_header():
    rows = list(csv.DictReader(io.StringIO(csv_text(SUMMARY))))
    assert [row["label"] for row in rows] == ["liver", "spleen", "heart", "mean"]
    liver, spleen, heart, mean = rows
    assert float(liver["Dice mean [%]"]) == pytest.approx(85.0)
    assert float(liver["Dice sd [%]"]) == pytest.approx(12.909944)
    assert float(liver["HD95 mean [mm]"]) == pytest.approx(3.75)
    assert (spleen["Dice n"], spleen["HD95 n"], spleen["cases"], spleen["missed"]) == ("3", "2", "3", "1")
    assert (heart["ASD mean [mm]"], heart["ASD sd [mm]"], heart["invented"]) == ("3.0", "", "1")
    assert float(mean["Dice mean [%]"]) == pytest.approx(SUMMARY.mean["dice"]["mean"] * 100)


def test_a_number_that_does_not_exist_is_a_dash_or_empty():
    cases = {"a": {"liver": {"dice": None, "hd95": None}, "spleen": {"dice": 0.5}}}
    summary = summarise_labels(cases)
    assert text_table(summary).splitlines()[2].split() == ["liver", "–", "–", "0/0"]
    assert csv_text(summary).splitlines()[1:3] == ["liver,,,0,,,0,0,0,0", "spleen,50.0,,1,,,0,0,0,0"]


def test_biases_are_next_to_the_overlaps_where_there_are_any():
    cases = {"a": {"liver": {"dice": 0.5, "suv_mean_bias": -3.0}}, "b": {"liver": {"dice": 0.5, "suv_mean_bias": 5.0}}}
    lines = text_table(summarise_labels(cases)).splitlines()
    assert "SUVmean bias [%]" in lines[0]
    assert "+1.0 ± 5.7" in lines[2]
    assert list(columns_of(("suv_max_bias", "real_volume_ml", "dice"))) == ["dice", "suv_max_bias"]


def test_a_column_writes_its_unit_sign_and_digits():
    assert COLUMNS["dice"].header == "Dice [%]"
    assert COLUMNS["dice"].text(0.731) == "73.10"
    assert COLUMNS["hd95"].text(14.153) == "14.15"
    assert COLUMNS["suv_mean_bias"].text(3.04) == "+3.0"
    assert COLUMNS["asd"].text(None) == "–"


def test_all_labels_together():
    assert total_presence([Presence(4, 1, 2), Presence(3, 0, 1)]) == Presence(7, 1, 3)
