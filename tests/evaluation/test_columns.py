import pytest

from ct2pet.evaluation.columns import aligned

ROWS = [["region", "", "MAE [SUV]"], ["head", "long text", "0.5"], ["whole body", "x", "12.25"]]


def test_columns_have_one_width_and_numbers_end_at_the_right():
    assert aligned(ROWS).splitlines() == [
        "region                 MAE [SUV]",
        "--------------------------------",
        "head        long text        0.5",
        "whole body          x      12.25",
    ]


def test_texts_are_left_aligned_in_the_requested_columns():
    assert aligned(ROWS, left=2).splitlines()[3] == "whole body  x              12.25"


@pytest.mark.parametrize("width", [10, 24, 40])
def test_a_table_wider_than_the_terminal_becomes_several_with_the_same_numbers(width):
    rows = [["region", *(f"metric {number}" for number in range(5))], ["head", *map(str, range(10, 15))]]
    parts = aligned(rows, width=width).split("\n\n")
    lines = [part.splitlines() for part in parts]
    assert all(len(line) <= max(width, len("region  metric 0")) for part in lines for line in part)
    assert [part[0].split()[0] for part in lines] == ["region"] * len(parts)
    assert [cell for part in lines for cell in part[2].split()[1:]] == rows[1][1:]
    assert aligned(rows, width=len(aligned(rows).splitlines()[0])) == aligned(rows)


def test_in_a_narrow_terminal_a_text_of_the_first_column_is_a_line_above_its_rows():
    rows = [["Body", "", "one"], ["Head (n = 3)", "MAE [SUV]", "0.5"], ["", "SSIM", "0.25"]]
    assert aligned(rows, left=2, width=20).splitlines() == [
        "Body           one",
        "------------------",
        "Head (n = 3)",
        "  MAE [SUV]    0.5",
        "  SSIM        0.25",
    ]
