from ct2pet.errors import CasesFailed


def test_failed_cases_are_named_one_a_line_in_order():
    error = CasesFailed({"b": "no PET", "a": "truncated"}, some_done=True)
    first, *lines = str(error).splitlines()
    assert first.startswith("2 case(s)")
    assert lines == ["a: truncated", "b: no PET"]
    assert error.failures == {"a": "truncated", "b": "no PET"}
    assert error.some_done
