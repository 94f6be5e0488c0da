"""TotalSegmentator: with a stand-in for what it may answer, and with the package itself and tiny models."""

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest
from fake_packages import install, write_weights
from known_ct import DISTRICTS, blocks
from tiny_nnunet import files_of, write_nnunet

from ct2pet.districts import make_segmenter, segment_ct
from ct2pet.districts.foreign.landmarks import LANDMARKS
from ct2pet.districts.segmenters.totalsegmentator import TotalSegmentator
from ct2pet.errors import PluginError

BODY = {1: "body_trunc", 2: "body_extremities"}
BONES = dict(enumerate(("skull", "vertebrae_C7", "scapula_left", "humerus_left", "femur_left"), start=1))
BONES |= dict(enumerate((name for name in LANDMARKS if name not in BONES.values()), start=len(BONES) + 1))

needs_totalsegmentator = pytest.mark.skipif(
    importlib.util.find_spec("totalsegmentator") is None,
    reason="needs TotalSegmentator: pip install 'ct2pet[totalsegmentator]'",
)


@pytest.fixture
def fake(tmp_path, monkeypatch):
    install(tmp_path / "packages", "TotalSegmentator", monkeypatch)
    monkeypatch.setenv("FAKE_LABELS", json.dumps({"body": BODY, "total": BONES}))
    return write_weights(tmp_path / "weights", *TotalSegmentator.models)


def test_bones_and_trunk_become_districts_on_the_grid_of_the_ct(fake):
    """The fake calls 0 to 400 HU trunk and more extremities, and hundreds of HU the bones in their order."""
    ct, block = blocks((450, 250), (30, 24, 28))
    segmenter = make_segmenter("totalsegmentator", weights=fake, device="cpu")
    found = segment_ct(segmenter, "case", ct, DISTRICTS)
    np.testing.assert_array_equal(found.district_map.array, np.array([0, DISTRICTS["legs"], DISTRICTS["trunk"]])[block])
    assert found.district_map.grid == ct.grid
    assert found.warnings == ()
    assert segmenter.version == "9.8.7"
    assert segmenter.settings() == {"tasks": ["body", "total (fast)"]}


def test_the_weights_of_the_user_are_not_changed(fake):
    write_weights(fake, "Dataset302_vertebrae_body_1559subj")  # TotalSegmentator deletes such old ones where it works
    before = sorted(fake.rglob("*"))
    segmenter = make_segmenter("totalsegmentator", weights=fake, device="cpu")
    segment_ct(segmenter, "case", blocks((450, 250))[0], DISTRICTS)
    assert sorted(fake.rglob("*")) == before


def test_other_names_of_labels_are_refused(fake, monkeypatch):
    segmenter = make_segmenter("totalsegmentator", weights=fake, device="cpu")
    renamed = {number: name.replace("femur", "thigh") for number, name in BONES.items()}
    for labels, name in (
        ({"body": {1: "body"}, "total": BONES}, "body_trunc"),
        ({"body": BODY, "total": renamed}, "femur"),
    ):
        monkeypatch.setenv("FAKE_LABELS", json.dumps(labels))
        with pytest.raises(PluginError, match=f"TotalSegmentator 9.8.7 knows no {name}"):
            segment_ct(segmenter, "case", blocks((450, 250))[0], DISTRICTS)


def test_weights_are_looked_for_where_the_package_keeps_them(fake, monkeypatch, tmp_path):
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    monkeypatch.delenv("TOTALSEG_HOME_DIR", raising=False)
    monkeypatch.delenv("TOTALSEG_WEIGHTS_PATH", raising=False)
    own = tmp_path / ".totalsegmentator" / "nnunet" / "results"
    with pytest.raises(PluginError) as failure:
        make_segmenter("totalsegmentator")
    assert str(failure.value).startswith(
        f"{own}: the weights of TotalSegmentator are missing, Dataset299_body_1559subj and "
        "Dataset297_TotalSegmentator_total_3mm_1559subj; unpack them there (another folder: --weights), see"
    )
    for variable, value in (("TOTALSEG_HOME_DIR", "home"), ("TOTALSEG_WEIGHTS_PATH", "weights")):
        monkeypatch.setenv(variable, str(tmp_path / value))
        folder = {"home": tmp_path / "home" / "nnunet" / "results", "weights": fake}[value]
        assert TotalSegmentator.own_weights() == folder
    assert make_segmenter("totalsegmentator").weights == fake


def test_one_missing_model_is_named(fake):
    (fake / TotalSegmentator.models[1]).rename(fake / "elsewhere")
    with pytest.raises(PluginError, match=r"are missing, Dataset297_TotalSegmentator_total_3mm_1559subj; unpack"):
        make_segmenter("totalsegmentator", weights=fake)


@needs_totalsegmentator
def test_the_package_itself_labels_the_voxels_of_the_ct(tmp_path, monkeypatch):
    """TotalSegmentator with models that label by the CT number; the CT lies askew and has their voxel sizes."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    weights = tmp_path / "weights"
    body, total = (weights / name for name in TotalSegmentator.models)
    write_nnunet(body, {"background": 0, "body_trunc": 1, "body_extremities": 2}, (-500, 600), spacing=(1.5, 1.5, 1.5))
    humerus, trunk = 69, range(68)
    labels = {"background": 0, **{f"{number + 1}": number + 1 for number in trunk}, "humerus_left": humerus}
    write_nnunet(
        total,
        labels,
        (*np.linspace(-900, -800, len(trunk)), 800),
        spacing=(3, 3, 3),
        known_as="nnUNetTrainer_4000epochs_NoMirroring",
    )
    before = [*files_of("totalsegmentator"), *files_of("nnunetv2"), *sorted(weights.rglob("*"))]
    ct, block = blocks((1000, 250), (20, 24, 28), (3.0, 3.0, 3.0))
    found = segment_ct(make_segmenter("totalsegmentator", weights=weights), "case", ct, DISTRICTS)
    expected = np.array([0, DISTRICTS["arms"], DISTRICTS["trunk"]])[block]
    for district in (DISTRICTS["arms"], DISTRICTS["trunk"]):
        here, there = found.district_map.array == district, expected == district
        assert 2 * np.sum(here & there) / (here.sum() + there.sum()) > 0.9
    assert [*files_of("totalsegmentator"), *files_of("nnunetv2"), *sorted(weights.rglob("*"))] == before
    assert not (tmp_path / "home" / ".totalsegmentator").exists()
