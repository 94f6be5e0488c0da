import json

import numpy as np
import pytest

from ct2pet.districts import Segmentation, SegmenterIdentity
from ct2pet.districts.records import (
    OWN,
    described,
    finished,
    is_own,
    maps_of_predictions,
    origin,
    origins,
    read_record,
    record_file,
    record_of,
    write_map,
)
from ct2pet.imageio import write_volume
from ct2pet.volume import Grid, Volume

DISTRICTS = {"head": 1, "trunk": 2, "arms": 3}
LABELS = Volume(np.repeat([0, 1, 2], 16).astype(np.uint8).reshape(3, 4, 4), Grid((3, 4, 4), (9.0, 6.0, 6.0)), "label")
RULES = SegmenterIdentity("rules", "0.1", {"mm": 4})


def written(path, segmenter=RULES, **found):
    record = record_of(Segmentation(LABELS, **{"confidence": {}, **found}), segmenter, DISTRICTS)
    write_map(path, LABELS, record)
    return record


@pytest.mark.parametrize("ending", [".nii.gz", ".mha", ".mhd"])
def test_a_written_record_is_read_back_and_an_edited_map_is_detected(tmp_path, ending):
    path = tmp_path / f"a{ending}"
    record = written(path, confidence={"head": 0.93214, "arms": 0.2}, warnings=("no arm is seen",))
    assert record_file(path).name == "a.segmenter.json"
    found = read_record(path)
    assert (found.segmenter, found.found, found.low) == (RULES, ["head", "trunk"], ["arms"])
    assert found.confidence == {"head": 0.932, "arms": 0.2}
    assert found.warnings == record.warnings == ["no arm is seen"]
    assert not is_own(path)
    assert origin(path) == RULES
    write_volume(path, LABELS.with_array(LABELS.array[::-1]))
    assert read_record(path) is None
    assert is_own(path)
    assert origin(path) == OWN


def test_an_unfinished_map_is_neither_finished_nor_a_map_of_the_user(tmp_path):
    path = tmp_path / "a.nii.gz"
    written(path)
    content = json.loads(record_file(path).read_text())
    record_file(path).write_text(json.dumps({**content, "map_sha256": ""}))
    assert read_record(path) is None
    assert not is_own(path)


def test_maps_of_predictions_are_the_finished_ones_with_the_districts(tmp_path):
    assert maps_of_predictions(tmp_path, DISTRICTS) == {}
    folder = tmp_path / "districts"
    for case in ("made", "edited", "unfinished"):
        written(folder / f"{case}.nii.gz")
    write_volume(folder / "edited.nii.gz", LABELS.with_array(LABELS.array[::-1]))
    write_volume(folder / "without_record.nii.gz", LABELS)
    record = record_file(folder / "unfinished.nii.gz")
    record.write_text(json.dumps({**json.loads(record.read_text()), "map_sha256": ""}))
    assert maps_of_predictions(tmp_path, DISTRICTS) == {case: folder / f"{case}.nii.gz" for case in ("edited", "made")}
    assert maps_of_predictions(tmp_path, {"body": 1}) == {}


@pytest.mark.parametrize("text", [None, "no JSON", "[]", '{"a": 1}', '{"segmenter": "rules"}'])
def test_a_map_without_a_valid_record_is_a_map_of_the_user(tmp_path, text):
    path = tmp_path / "a.nii.gz"
    assert not is_own(path)
    write_volume(path, LABELS)
    if text is not None:
        record_file(path).write_text(text)
    assert is_own(path)
    assert read_record(path) is None


def test_finished_is_what_the_same_segmenter_makes_of_the_same_districts(tmp_path):
    path = tmp_path / "a.nii.gz"
    written(path)
    assert finished(path, RULES, DISTRICTS) == read_record(path)
    assert finished(path, SegmenterIdentity("rules", "0.2", {"mm": 4}), DISTRICTS) is None
    assert finished(path, SegmenterIdentity("rules", "0.1", {"mm": 3}), DISTRICTS) is None
    assert finished(path, RULES, {**DISTRICTS, "legs": 4}) is None
    path.unlink()
    assert finished(path, RULES, DISTRICTS) is None


def test_every_origin_is_listed_once_and_the_one_of_most_maps_first(tmp_path):
    paths = [tmp_path / f"{name}.nii.gz" for name in "abcd"]
    other = SegmenterIdentity("rules", "0.1", {"mm": 5})
    for path, segmenter in zip(paths, (RULES, other, other)):
        written(path, segmenter)
    write_volume(paths[3], LABELS)
    assert origins(map(read_record, paths)) == [other, OWN, RULES]
    assert origins([]) == []


def test_a_person_reads_confidence_what_is_low_what_is_missing_and_the_warnings():
    found = Segmentation(LABELS, {"head": 0.987, "arms": 0.1}, ("left and right differ",))
    record = record_of(found, RULES, DISTRICTS)
    assert described("a", record) == ["a: head 0.99, trunk, no arms 0.10 (low)", "    left and right differ"]
    assert record.is_doubtful
    assert not record_of(Segmentation(LABELS, {"head": 0.5}), RULES, DISTRICTS).is_doubtful
