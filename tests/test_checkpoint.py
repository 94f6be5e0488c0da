import math
import os
import random
from collections import OrderedDict

import numpy as np
import pytest
import torch
from full_disk import file_size_limit

from ct2pet.checkpoint import FORMAT_VERSION, load_checkpoint, moved, save_checkpoint
from ct2pet.errors import CheckpointError


def content() -> dict:
    network = torch.nn.Sequential(torch.nn.Linear(5, 4), torch.nn.BatchNorm1d(4))
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3, betas=(0.5, 0.999))
    network(torch.ones(3, 5)).sum().backward()
    optimizer.step()
    return {
        "model_name": "pix2pix",
        "plans": {"districts": {"head": 1}, "blend_mm": 8.0, "tags": ["a", None, True]},
        "fold": "all",
        "epoch": 3,
        "best": math.inf,
        "model": network.state_dict(),
        "optimizers": {"generator": optimizer.state_dict()},
        "random": torch.get_rng_state(),
    }


def assert_same(one, other) -> None:
    if isinstance(one, torch.Tensor):
        assert torch.equal(one, other)
        assert one.dtype == other.dtype
    elif isinstance(one, dict):
        assert list(one) == list(other)
        for key in one:
            assert_same(one[key], other[key])
    elif isinstance(one, (list, tuple)):
        assert type(one) is type(other)
        assert len(one) == len(other)
        for a, b in zip(one, other):
            assert_same(a, b)
    else:
        assert one == other
        assert type(one) is type(other)


def test_a_saved_checkpoint_is_loaded(tmp_path):
    saved = content()
    save_checkpoint(tmp_path / "fold_all" / "checkpoint_final.pth", saved)
    loaded = load_checkpoint(tmp_path / "fold_all" / "checkpoint_final.pth")
    assert loaded.pop("format_version") == FORMAT_VERSION
    assert isinstance(loaded["model"], OrderedDict)
    assert_same(saved, loaded)
    assert os.listdir(tmp_path / "fold_all") == ["checkpoint_final.pth"]


def test_tensors_go_to_the_device_and_plain_values_stay(tmp_path):
    save_checkpoint(tmp_path / "c.pth", content())
    loaded = moved(load_checkpoint(tmp_path / "c.pth"), "meta")
    assert all(tensor.device.type == "meta" for tensor in loaded["model"].values())
    assert loaded["plans"]["districts"] == {"head": 1}


@pytest.mark.parametrize("value", [np.float64(1.5), np.zeros(3), {1, 2}, random.Random(0), os.system])
def test_other_objects_are_refused_by_key_and_leave_the_old_file(tmp_path, value):
    path = tmp_path / "c.pth"
    save_checkpoint(path, {"epoch": 1})
    with pytest.raises(TypeError, match=r"\['log'\]\[1\]\['mae'\]"):
        save_checkpoint(path, {"log": [{"mae": 1.0}, {"mae": value}]})
    assert load_checkpoint(path)["epoch"] == 1


def test_every_flipped_byte_is_found_or_harmless(tmp_path):
    path = tmp_path / "c.pth"
    saved = content()
    save_checkpoint(path, saved)
    whole = path.read_bytes()
    generator = np.random.default_rng(0)
    found = 0
    for position in generator.integers(0, len(whole), 60):
        damaged = bytearray(whole)
        damaged[position] ^= 0xFF
        path.write_bytes(damaged)
        try:
            loaded = load_checkpoint(path)
        except CheckpointError:
            found += 1
        else:
            loaded.pop("format_version")
            assert_same(saved, loaded)
    assert found > 20


@pytest.mark.parametrize("share", [0.0, 0.3, 0.95])
def test_a_truncated_file_is_named(tmp_path, share):
    path = tmp_path / "c.pth"
    save_checkpoint(path, content())
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(CheckpointError, match=r"c\.pth: damaged"):
        load_checkpoint(path)


class Evil:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (self.path,)


def test_a_foreign_file_is_refused_and_its_code_does_not_run(tmp_path):
    torch.save({"format_version": FORMAT_VERSION, "x": Evil(str(tmp_path / "ran"))}, tmp_path / "evil.pth")
    torch.save({"state_dict": {}}, tmp_path / "other.pth")
    torch.save(torch.zeros(3), tmp_path / "tensor.pth")
    for name in ("evil", "other", "tensor"):
        with pytest.raises(CheckpointError, match=rf"{name}\.pth: damaged, or not a checkpoint"):
            load_checkpoint(tmp_path / f"{name}.pth")
    assert not (tmp_path / "ran").exists()


def test_a_missing_file_and_a_later_format_are_named(tmp_path):
    with pytest.raises(CheckpointError, match=r"nothing\.pth: no such file"):
        load_checkpoint(tmp_path / "nothing.pth")
    torch.save({"format_version": 99}, tmp_path / "later.pth")
    with pytest.raises(CheckpointError, match=r"later\.pth: format_version 99"):
        load_checkpoint(tmp_path / "later.pth")


def test_a_full_disk_is_reported_in_one_line_and_the_old_file_is_kept(tmp_path):
    path = tmp_path / "c.pth"
    save_checkpoint(path, {"epoch": 1})
    with (
        file_size_limit(100_000),
        pytest.raises(CheckpointError, match=r"c\.pth: cannot be written \(.+\).*continue with --c") as told,
    ):
        save_checkpoint(path, {"epoch": 2, "weights": torch.zeros(100_000)})
    assert "\n" not in str(told.value)
    assert load_checkpoint(path)["epoch"] == 1
    assert os.listdir(tmp_path) == ["c.pth"]


def test_a_folder_in_which_nothing_can_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(CheckpointError, match=r"c\.pth: cannot be written \((Not a directory|File exists)\)"):
        save_checkpoint(tmp_path / "file" / "c.pth", {"epoch": 2})
