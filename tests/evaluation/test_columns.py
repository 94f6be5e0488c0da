from ct2pet.evaluation.columns import aligned

ROWS = [["region", "", "MAE [SUV]"], ["head", "long text", "0.5"], ["whole body", "x", "12.25"]]


def test_columns_have_one_width_and_numbers_end_at_the_right():
    assert aligned(ROWS).splitlines() == [
        "region                 MAE [SUV]",
        "--------------------------------",
        "head        long text        0.5",
        "whole body          x      12.25",
    ]


def test_texts_begin_at_the_left_in_as_many_columns_as_asked_for():
    assert aligned(ROWS, left=2).splitlines()[3] == "whole body  x              12.25"
