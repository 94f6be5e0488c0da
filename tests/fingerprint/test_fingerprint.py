import json

import pytest
from fingerprints import district, fingerprint

from ct2pet.errors import PlansError
from ct2pet.fingerprint.fingerprint import Fingerprint


def test_what_was_saved_is_loaded(tmp_path):
    seen = fingerprint(head=district(), whole_body=district())
    seen.save(tmp_path / "f.json")
    assert Fingerprint.load(tmp_path / "f.json") == seen


@pytest.mark.parametrize(
    "spoil",
    [lambda c: c.pop("num_cases"), lambda c: c.update(unknown=1), lambda c: c.update(num_cases="three")],
    ids=["missing", "unknown", "ill-typed"],
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
