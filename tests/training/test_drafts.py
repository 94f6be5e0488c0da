from dataclasses import replace

import numpy as np
import pytest
import torch
from hand_models import Scaled
from tiny import FIELDS, SUV_WINDOW, tiny_configuration
from tiny_store import write_tiny_store

from ct2pet.checkpoint import save_checkpoint
from ct2pet.preprocessing.storage import write_images
from ct2pet.training.drafts import DraftStore
from ct2pet.volume import Box


@pytest.fixture
def store(tmp_path):
    return write_tiny_store(tmp_path / "store")


def model_of(factor=1.0, **changes):
    model = Scaled(tiny_configuration(**changes), FIELDS)
    model.factor.data.fill_(factor)
    return model


def checkpoint_of(factor, path):
    save_checkpoint(path, {"model": model_of(factor).state_dict()})
    return path


def drafts_in(store, folder, **changes):
    return DraftStore(store, folder, model_of(**changes))


def make(drafts, cases, checkpoint, **changes):
    drafts.make(cases, model_of(**changes), "main", checkpoint, shown=False)


def whole(case):
    return case.read(Box((0, 0, 0), case.shape))


def test_a_case_has_its_draft_next_to_all_that_is_stored(store, tmp_path):
    drafts = drafts_in(store, tmp_path / "drafts")
    make(drafts, ["A0", "A1"], checkpoint_of(0.5, tmp_path / "c.pth"))
    for name in ("A0", "A1"):
        original, drafted = whole(store.open(name)), whole(drafts.open(name))
        pet = np.where(original["mask"], 0.5 * (original["CT"].astype(np.float32) + 1) / 2, 0)
        np.testing.assert_allclose(drafted["PET_draft"], 2 * pet - 1, atol=2e-3)
        assert drafted.keys() == original.keys() | {"PET_draft"}
        for field, stored in original.items():
            np.testing.assert_array_equal(drafted[field], stored)
    part = drafts.open("A1").read(Box((3, 2, 4), (9, 8, 7)))
    np.testing.assert_array_equal(part["PET_draft"], drafted["PET_draft"][3:9, 2:8, 4:7])


def test_a_draft_is_in_the_range_of_inputs_whatever_the_range_of_the_target(store, tmp_path):
    """The plans map 0 to 10 SUV to [-1, 1]: normalised predictions are their own drafts, and -1 is SUV 0, which is the
    value outside the district and beyond the stored box."""
    window = replace(SUV_WINDOW, range=[-1.0, 1.0])
    normalization = {**tiny_configuration().normalization, "PET": window}
    drafts = drafts_in(store, tmp_path / "drafts", normalization=normalization)
    make(drafts, ["A0"], checkpoint_of(0.5, tmp_path / "c.pth"), normalization=normalization)
    content = whole(drafts.open("A0"))
    pet = np.where(content["mask"], 0.5 * (content["CT"].astype(np.float32) + 1) / 2, -1)
    np.testing.assert_allclose(content["PET_draft"], pet, atol=2e-3)


def times(folder):
    return {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}


def test_a_draft_is_kept_until_its_checkpoint_or_its_case_changes(store, tmp_path):
    drafts, checkpoint = drafts_in(store, tmp_path / "drafts"), checkpoint_of(0.5, tmp_path / "c.pth")
    make(drafts, ["A0", "A1"], checkpoint)
    before = times(drafts.drafts)
    make(drafts, ["A0", "A1", "A2"], checkpoint)
    assert {name: time for name, time in times(drafts.drafts).items() if name in before} == before
    assert (drafts.drafts / "A2.b2nd").exists()

    before = times(drafts.drafts)
    record = store.folder / "A1.json"
    record.write_text(record.read_text().replace('"key": "key"', '"key": "another"'))
    make(drafts, ["A0", "A1"], checkpoint)
    changed = {name for name, time in times(drafts.drafts).items() if before[name] != time}
    assert changed == {"A1.b2nd", "A1.json"}

    make(drafts, ["A0", "A1"], checkpoint_of(0.25, checkpoint))
    assert whole(drafts.open("A0"))["PET_draft"].max() <= 2 * 0.25 - 1 + 1e-3


def test_a_draft_whose_record_is_missing_is_made_again(store, tmp_path):
    """As it is when the process ended between the two files."""
    drafts, checkpoint = drafts_in(store, tmp_path / "drafts"), checkpoint_of(0.5, tmp_path / "c.pth")
    make(drafts, ["A0"], checkpoint)
    expected = whole(drafts.open("A0"))["PET_draft"]
    (drafts.drafts / "A0.json").unlink()
    write_images(drafts.drafts / "A0.b2nd", [np.zeros((1, 1, 1))])
    make(drafts, ["A0"], checkpoint)
    np.testing.assert_array_equal(whole(drafts.open("A0"))["PET_draft"], expected)


def test_partial_drafts_of_an_interrupted_process_are_removed(store, tmp_path):
    drafts, checkpoint = drafts_in(store, tmp_path / "drafts"), checkpoint_of(0.5, tmp_path / "c.pth")
    make(drafts, ["A0"], checkpoint)
    (drafts.drafts / ".partial-abcd1234-A1.b2nd").write_bytes(b"half of it")
    make(drafts, ["A0"], checkpoint)
    assert {path.name for path in drafts.drafts.iterdir()} == {"A0.b2nd", "A0.json"}


def test_gradients_are_enabled_after_drafts_are_made(store, tmp_path):
    make(drafts_in(store, tmp_path / "drafts"), ["A0"], checkpoint_of(1.0, tmp_path / "c.pth"))
    assert torch.is_grad_enabled()
