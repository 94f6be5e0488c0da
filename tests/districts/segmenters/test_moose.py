"""MOOSE: with a stand-in for what it may answer, and with the package itself and a tiny model."""

import importlib.util
import json

import numpy as np
import pytest
from fake_packages import install, write_weights
from known_ct import DISTRICTS, blocks
from tiny_nnunet import files_of, write_nnunet

from ct2pet.districts import make_segmenter, segment_ct
from ct2pet.errors import PluginError

LABELS = {"background": 0, "Legs": 1, "Body": 2, "Head": 3, "Arms": 4}
TRUTH = np.array([0, 4, 2, 1, 3])
"""The dataset's label of each block, where the blocks are legs, body, head and arms."""

needs_moosez = pytest.mark.skipif(
    importlib.util.find_spec("moosez") is None, reason="needs moosez: pip install 'ct2pet[moose]'"
)


@pytest.fixture
def fake(tmp_path, monkeypatch):
    install(tmp_path / "packages", "moosez", monkeypatch)
    return tmp_path / "weights"


@pytest.mark.parametrize("labels", [LABELS, {"background": 0, "arms": 1, "head": 2, "body": 3, "legs": 4}])
def test_labels_are_mapped_by_the_names_of_the_model(fake, labels):
    ct, block = blocks((50, 150, 250, 350))
    weights = write_weights(fake, "Dataset001_body", labels=labels)
    segmenter = make_segmenter("moose", weights=weights, device="cpu")
    found = segment_ct(segmenter, "case", ct, DISTRICTS)
    names = {number: name.lower().replace("body", "trunk") for name, number in labels.items()}
    expected = np.array([0, *(DISTRICTS[names[number]] for number in (1, 2, 3, 4))])[block]
    np.testing.assert_array_equal(found.district_map.array, expected)
    assert found.district_map.grid == ct.grid
    assert found.warnings == ()
    assert found.confidence == {}
    assert segmenter.version == "9.8.7"
    assert segmenter.settings() == {"model": "clin_ct_body"}


def test_districts_that_the_dataset_does_not_name_stay_0(fake):
    ct, block = blocks((50, 150, 250, 350))
    segmenter = make_segmenter("moose", weights=write_weights(fake, "Dataset001_body", labels=LABELS), device="cpu")
    found = segment_ct(segmenter, "case", ct, {"arms": 9, "trunk": 5})
    np.testing.assert_array_equal(found.district_map.array, np.array([0, 0, 5, 0, 9])[block])


@pytest.mark.parametrize(
    "labels",
    [
        {"background": 0, "Legs": 1, "Body": 2, "Head": 3, "Tail": 4},
        {"background": 0, "Legs": 1, "Body": 2, "Head": 3},
        {"background": 0, "spleen": 1},
    ],
)
def test_a_model_with_other_labels_is_refused(fake, labels):
    segmenter = make_segmenter("moose", weights=write_weights(fake, "Dataset001_body", labels=labels), device="cpu")
    with pytest.raises(PluginError, match=r"Dataset001_body has the labels background, .*head, body, arms, legs"):
        segment_ct(segmenter, "case", blocks((50,))[0], DISTRICTS)


def test_a_label_beyond_those_of_the_model_is_refused(fake):
    segmenter = make_segmenter("moose", weights=write_weights(fake, "Dataset001_body", labels=LABELS), device="cpu")
    with pytest.raises(PluginError, match="moosez gave the label 8"):
        segment_ct(segmenter, "case", blocks((750,))[0], DISTRICTS)


def test_weights_of_no_or_another_release_are_not_changed(fake):
    weights = write_weights(fake, "Dataset001_body", labels=LABELS)
    segmenter = make_segmenter("moose", weights=weights, device="cpu")
    ct, _ = blocks((50, 150))
    before = sorted(weights.rglob("*"))
    assert segment_ct(segmenter, "case", ct, DISTRICTS).warnings == ()
    assert sorted(weights.rglob("*")) == before
    release = weights / "Dataset001_body" / "model_version.json"
    release.write_text(json.dumps({"url": "https://weights.invalid/older.zip"}))
    (warning,) = segment_ct(segmenter, "case", ct, DISTRICTS).warnings
    assert "older.zip" in warning
    assert "b.zip" in warning
    assert json.loads(release.read_text()) == {"url": "https://weights.invalid/older.zip"}


def test_missing_weights_are_named_with_their_place(fake):
    with pytest.raises(PluginError) as failure:
        make_segmenter("moose", weights=fake)
    assert str(failure.value).startswith(
        f"{fake}: the weights of moosez are missing, Dataset001_body; unpack them there"
    )
    with pytest.raises(PluginError, match=r"moosez/models/nnunet_trained_models: .*\(another folder: --weights\)"):
        make_segmenter("moose")


def test_a_missing_package_is_named_with_the_command_that_installs_it(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(PluginError) as failure:
        make_segmenter("moose")
    assert str(failure.value) == "the segmenter moose needs moosez: pip install 'ct2pet[moose]'"


@needs_moosez
def test_the_package_itself_labels_the_voxels_of_the_ct(tmp_path):
    """moosez with a model that labels by the CT number; the CT lies askew and has the model's voxel size."""
    write_nnunet(tmp_path / "Dataset001_body", LABELS, (-500, 0, 500, 1000), spacing=(5, 5, 5))
    before = [*files_of("moosez"), *files_of("nnunetv2"), *sorted(tmp_path.rglob("*"))]
    ct, block = blocks((-250, 250, 750, 1500))
    found = segment_ct(make_segmenter("moose", weights=tmp_path), "case", ct, DISTRICTS)
    np.testing.assert_array_equal(found.district_map.array, TRUTH[block])
    assert [*files_of("moosez"), *files_of("nnunetv2"), *sorted(tmp_path.rglob("*"))] == before
