from summaries import synthetic_summary

from ct2pet.evaluation.text_table import table


def test_it_has_units_all_rows_and_no_nan():
    text = table(synthetic_summary())
    assert "MAE [SUV]" in text
    assert "SUVmean bias [%]" in text
    assert " ± " in text
    assert "nan" not in text.lower()
    lines = text.splitlines()
    for region in ("whole_body (n = 6)", "legs (n = 5)", "lesions (n = 5)", "organ:liver (n = 6)"):
        header = next(line for line in lines if line.startswith(region))
        rows = lines[lines.index(header) + 2 :][:5]
        assert {len(row) for row in rows} == {len(header)}
        starts = ("synthetic PET", "zeros", "body median", "real PET, blurred *", "real PET, shifted *")
        assert all(row.startswith(start) for row, start in zip(rows, starts))


def test_volume_columns_stand_apart_and_are_explained():
    text = table(synthetic_summary(2))
    header = next(line for line in text.splitlines() if "MAE volume [SUV]" in line)
    assert "MAE [SUV]" not in header
    assert "flatters" in text
