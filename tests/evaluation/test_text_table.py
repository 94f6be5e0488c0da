from label_maps import label_cases
from summaries import grouped_summary, label_summary, summary_with_labels, synthetic_summary

from ct2pet.evaluation import label_tables
from ct2pet.evaluation.headline import plain_answer
from ct2pet.evaluation.label_summary import summarise_labels
from ct2pet.evaluation.text_table import short_table, table


def test_the_text_table_has_units_all_rows_and_no_nan():
    text = table(synthetic_summary())
    assert "MAE [SUV]" in text
    assert "SUVmean bias [%]" in text
    assert " ± " in text
    assert "nan" not in text.lower()
    lines = text.splitlines()
    for region in ("whole_body (n = 6)", "legs (n = 5)", "lesions (n = 5)"):
        header = next(line for line in lines if line.startswith(region))
        rows = lines[lines.index(header) + 2 :][:5]
        assert {len(row) for row in rows} == {len(header)}
        starts = ("synthetic PET", "zeros", "body median", "real PET, blurred *", "real PET, shifted *")
        assert all(row.startswith(start) for row, start in zip(rows, starts))


def test_organs_stand_in_one_table_each_metric():
    summary = synthetic_summary()
    text = table(summary)
    lines = text.splitlines()
    start = next(index for index, line in enumerate(lines) if line.startswith("organs: SUVmean bias [%]"))
    assert "liver (n = 6)" in lines[start + 2]
    assert f"{summary['mean']['organ:liver']['suv_mean_bias']['mean']:+.1f} ± " in lines[start + 2]
    assert lines[start + 2].split()[-4:] == ["-100.0", "-60.0", "-5.0", "-2.0"]
    assert text.count("liver (n = 6)") == 2


def test_detection_stands_by_threshold_and_method():
    summary = synthetic_summary()
    lines = table(summary).splitlines()
    start = next(index for index, line in enumerate(lines) if line.startswith("detected share of the 9 lesions"))
    assert "SUV ≥ 2.5" in lines[start]
    assert "SUV ≥ 10" in lines[start]
    firsts = [line.split()[0] for line in lines[start + 2 : start + 8]]
    assert firsts == ["real", "synthetic", "zeros", "body", "real", "real"]
    expected = [f"{value:.2f}" for value in summary["detection"]["curves"]["prediction"]["sensitivity"]]
    assert lines[start + 3].split()[-7:] == expected
    summary["detection"]["curves"] = {}
    assert "detected share" not in table(summary)


def test_volume_columns_stand_apart_and_are_explained():
    text = table(synthetic_summary(2))
    header = next(line for line in text.splitlines() if "MAE volume [SUV]" in line)
    assert "MAE [SUV]" not in header
    assert "improves all values" in text


def test_the_text_of_a_label_target_is_answer_and_label_table():
    summary = label_summary()
    labels = label_tables.text_table(summarise_labels(label_cases()))
    assert table(summary) == f"{plain_answer(summary)}\n\n{labels}"


def test_the_answer_comes_first_and_organs_are_counted_where_they_are_not_listed():
    summary = synthetic_summary()
    for organs in (True, False):
        text = table(summary, organs)
        assert text.startswith(f"{plain_answer(summary)}\n\n")
        assert ("liver (n = 6)" in text) == organs
        assert ("2 organs: --verbose lists them" in text) == (not organs)


def test_districts_that_no_model_predicted_are_named_with_their_cases():
    summary = synthetic_summary()
    assert "Not predicted" not in table(summary)
    found = {"a": ["head", "arms"], "b": ["head"]}
    text = table({**summary, "provenance": {**summary["provenance"], "not_predicted": found}})
    assert "left out: arms in 1 case(s) (a); head in 2 case(s) (a, b)." in text


def test_the_short_table_compares_each_region_with_the_better_constant():
    summary = synthetic_summary()
    summary["baselines"]["zeros"]["head"]["mae"] = 0.5 * summary["mean"]["head"]["mae"]["mean"]
    lines = short_table(summary).splitlines()
    rows = {line.split(" (n = ")[0]: line.split() for line in lines[2:8]}
    assert list(rows) == ["whole body", "head", "trunk", "arms", "legs", "lesions"]
    assert rows["head"][-1] == "+100%"
    own, other = summary["mean"]["legs"]["mae"]["mean"], summary["baselines"]["body_median"]["legs"]["mae"]
    assert rows["legs"][-2:] == [f"{other:.3f}", f"{100 * (own / other - 1):+.0f}%"]
    assert "liver" not in short_table(summary)
    assert short_table(label_summary()) == plain_answer(label_summary())


def test_labels_have_a_separate_table_next_to_the_errors_of_the_pet():
    summary = summary_with_labels()
    text = table(summary)
    lines = text.splitlines()
    assert label_tables.text_table(summarise_labels(label_cases())) in text
    headers = [line for line in lines if "Dice" in line and "[%]" in line]
    assert len(headers) == 1
    assert text.count("liver (n = 4)") == 2  # its mean absolute error and its bias
    assert "heart (n" not in text  # there is no PET's error in it
    assert plain_answer(summary) in text


def test_groups_of_lesions_have_lines_of_their_own():
    summary = grouped_summary()
    groups = summary["detection"]["curves"]["prediction"]["by_group"]
    text = table(summary)
    for name, group in groups.items():
        block = text[text.index(f"of the {group['lesions']} lesions {name}") :].splitlines()
        own = next(line for line in block if line.startswith("synthetic PET"))
        assert own.split()[2:] == [f"{value:.2f}" for value in group["sensitivity"]]
        assert f"\nlesions_{name} (n = 5)" in text
    assert "lesions shown" not in table(synthetic_summary())
