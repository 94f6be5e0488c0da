import pytest

from ct2pet.errors import DatasetError
from ct2pet.evaluation.error_maps import check_error_maps
from ct2pet.evaluation.references import Reference, References


@pytest.fixture
def references(tmp_path):
    return References({"a": Reference(tmp_path / "real" / "a.nii.gz", None)}, {"head": 1})


@pytest.mark.parametrize("record", ["prediction.json", "summary.json"])
def test_error_maps_overwrite_no_predictions_of_another_model(tmp_path, references, record):
    other = tmp_path / "other"
    other.mkdir()
    check_error_maps(other, tmp_path / "fake", references, None)
    (other / record).write_text("{}")
    for output in (None, tmp_path / record, tmp_path / "fake" / "summary.json"):
        with pytest.raises(DatasetError, match=rf"other: has a {record}; error maps would overwrite .*; choose"):
            check_error_maps(other, tmp_path / "fake", references, output)


def test_error_maps_may_be_replaced_next_to_their_own_summary(tmp_path, references):
    errors = tmp_path / "errors"
    errors.mkdir()
    (errors / "summary.json").write_text("{}")
    check_error_maps(errors, tmp_path / "fake", references, errors / ".." / "errors" / "summary.json")
