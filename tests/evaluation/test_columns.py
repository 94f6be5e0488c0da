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
