from pathlib import Path

import pytest

from ct2pet.errors import Ct2PetError
from ct2pet.report.curves import read_log


def test_a_training_log_is_read_without_empty_values(tmp_path):
    path = tmp_path / "training_log.csv"
    path.write_text("epoch,g_l1,validation_mae_suv\n0,0.5,\n1,0.25,0.4\n")
    assert read_log(path) == [{"epoch": 0.0, "g_l1": 0.5}, {"epoch": 1.0, "g_l1": 0.25, "validation_mae_suv": 0.4}]
    path.write_text("epoch,g_l1\n")
    assert read_log(path) == []


@pytest.mark.parametrize(
    "text", ["epoch,g_l1\n0,much\n", "g_l1\n0.5\n", "epoch\n0,1,2\n", "epoch\nnan\n", "epoch\ninf\n"]
)
def test_anything_else_is_refused_by_name(tmp_path, text):
    path = tmp_path / "training_log.csv"
    path.write_text(text)
    with pytest.raises(Ct2PetError, match=r"training_log\.csv"):
        read_log(path)


def test_no_log_is_refused_by_name(tmp_path):
    with pytest.raises(Ct2PetError, match=r"training_log\.csv"):
        read_log(tmp_path / "training_log.csv")


def test_an_unreadable_log_is_not_reported_as_damaged(tmp_path, monkeypatch):
    def forbidden(path, *arguments, **options):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "open", forbidden)
    with pytest.raises(Ct2PetError, match=r"training_log\.csv: no permission to read$"):
        read_log(tmp_path / "training_log.csv")
