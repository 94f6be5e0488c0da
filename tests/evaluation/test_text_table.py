from summaries import synthetic_summary

from ct2pet.evaluation.text_table import table


def test_it_has_units_all_rows_and_no_nan():
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
    start = next(index for index, line in enumerate(lines) if line.startswith("share of the 9 lesions found"))
    assert "SUV ≥ 2.5" in lines[start]
    assert "SUV ≥ 10" in lines[start]
    firsts = [line.split()[0] for line in lines[start + 2 : start + 8]]
    assert firsts == ["real", "synthetic", "zeros", "body", "real", "real"]
    expected = [f"{value:.2f}" for value in summary["detection"]["curves"]["prediction"]["sensitivity"]]
    assert lines[start + 3].split()[-7:] == expected
    summary["detection"]["curves"] = {}
    assert "lesions found" not in table(summary)


def test_volume_columns_stand_apart_and_are_explained():
    text = table(synthetic_summary(2))
    header = next(line for line in text.splitlines() if "MAE volume [SUV]" in line)
    assert "MAE [SUV]" not in header
    assert "flatters" in text
