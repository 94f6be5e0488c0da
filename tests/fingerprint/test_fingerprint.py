import json
from dataclasses import replace

import pytest
from fingerprints import district, fingerprint

from ct2pet.districts import SegmenterIdentity
from ct2pet.errors import PlansError
from ct2pet.fingerprint.fingerprint import Fingerprint


def test_a_saved_fingerprint_is_loaded(tmp_path):
    seen = fingerprint(head=district(), whole_body=district())
    seen.save(tmp_path / "f.json")
    assert Fingerprint.load(tmp_path / "f.json") == seen


def test_the_segmenters_are_kept_and_empty_in_an_older_file(tmp_path):
    seen = replace(fingerprint(head=district()), segmenters=[SegmenterIdentity("rules", "1", {"mm": 4.0})])
    seen.save(tmp_path / "f.json")
    assert Fingerprint.load(tmp_path / "f.json") == seen
    content = json.loads((tmp_path / "f.json").read_text())
    del content["segmenters"]
    (tmp_path / "f.json").write_text(json.dumps(content))
    assert Fingerprint.load(tmp_path / "f.json") == fingerprint(head=district())


@pytest.mark.parametrize(
    "spoil",
    [
        lambda c: c.pop("dataset_name"),
        lambda c: c.update(unknown=1),
        lambda c: c.update(districts="three"),
        lambda c: c.update(schema_version=1),
    ],
    ids=["missing", "unknown", "ill-typed", "of an earlier version"],
)
def test_a_spoilt_file_is_refused_by_its_name(tmp_path, spoil):
    path = tmp_path / "f.json"
    fingerprint(head=district()).save(path)
    content = json.loads(path.read_text())
    spoil(content)
    path.write_text(json.dumps(content))
    with pytest.raises(PlansError, match=r"f\.json.*ct2pet_extract_fingerprint"):
        Fingerprint.load(path)


def test_a_missing_file_is_refused_by_its_name(tmp_path):
    with pytest.raises(PlansError, match=r"f\.json"):
        Fingerprint.load(tmp_path / "f.json")
