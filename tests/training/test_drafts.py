import numpy as np
import pytest
import torch
from hand_models import Scaled
from tiny import tiny_configuration
from tiny_store import write_tiny_store

from ct2pet.checkpoint import save_checkpoint
from ct2pet.training.drafts import DraftStore
from ct2pet.volume import Box


@pytest.fixture
def store(tmp_path):
    return write_tiny_store(tmp_path / "store")


def checkpoint_of(factor, path):
    model = Scaled(tiny_configuration())
    model.factor.data.fill_(factor)
    save_checkpoint(path, {"model": model.state_dict()})
    return path


def make(drafts, cases, checkpoint):
    drafts.make(cases, Scaled(tiny_configuration()), checkpoint, "main", bar=False)


def whole(case):
    return case.read(Box((0, 0, 0), case.shape))


def test_a_case_shows_its_draft_in_place_of_its_ct(store, tmp_path):
    drafts = DraftStore(store, tmp_path / "drafts")
    make(drafts, ["A0", "A1"], checkpoint_of(0.5, tmp_path / "c.pth"))
    for name in ("A0", "A1"):
        original, drafted = whole(store.open(name)), whole(drafts.open(name))
        pet = np.where(original["mask"], 0.5 * (original["ct"].astype(np.float32) + 1) / 2, 0)
        np.testing.assert_allclose(drafted["ct"], 2 * pet - 1, atol=2e-3)
        np.testing.assert_array_equal(drafted["pet"], original["pet"])
        np.testing.assert_array_equal(drafted["mask"], original["mask"])
    part = drafts.open("A1").read(Box((3, 2, 4), (9, 8, 7)))
    np.testing.assert_array_equal(part["ct"], drafted["ct"][3:9, 2:8, 4:7])


def times(folder):
    return {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}


def test_a_draft_is_kept_until_its_checkpoint_or_its_case_changes(store, tmp_path):
    drafts, checkpoint = DraftStore(store, tmp_path / "drafts"), checkpoint_of(0.5, tmp_path / "c.pth")
    make(drafts, ["A0", "A1"], checkpoint)
    before = times(drafts.drafts)
    make(drafts, ["A0", "A1", "A2"], checkpoint)
    assert {name: time for name, time in times(drafts.drafts).items() if name in before} == before
    assert (drafts.drafts / "A2.npy").exists()

    before = times(drafts.drafts)
    record = store.folder / "A1.json"
    record.write_text(record.read_text().replace('"key": "key"', '"key": "another"'))
    make(drafts, ["A0", "A1"], checkpoint)
    changed = {name for name, time in times(drafts.drafts).items() if before[name] != time}
    assert changed == {"A1.npy", "A1.json"}

    make(drafts, ["A0", "A1"], checkpoint_of(0.25, checkpoint))
    assert whole(drafts.open("A0"))["ct"].max() <= 2 * 0.25 - 1 + 1e-3


def test_a_draft_whose_record_is_missing_is_made_again(store, tmp_path):
    """As it is when the process ended between the two files."""
    drafts, checkpoint = DraftStore(store, tmp_path / "drafts"), checkpoint_of(0.5, tmp_path / "c.pth")
    make(drafts, ["A0"], checkpoint)
    (drafts.drafts / "A0.json").unlink()
    np.save(drafts.drafts / "A0.npy", np.zeros((1, 1, 1)))
    make(drafts, ["A0"], checkpoint)
    assert whole(drafts.open("A0"))["ct"].shape == store.open("A0").shape


def test_drafts_need_no_gradients(store, tmp_path):
    make(DraftStore(store, tmp_path / "drafts"), ["A0"], checkpoint_of(1.0, tmp_path / "c.pth"))
    assert torch.is_grad_enabled()
