"""The half-life of the nuclide, by its tag and its code."""

from __future__ import annotations

import pytest
from dicom_files import code, item
from pydicom.sr.codedict import codes

from ct2pet.errors import ImageError
from ct2pet.suv import nuclides
from ct2pet.suv.header import Frame


def drug(seconds: float | None, value: str | None, scheme: str = "SRT") -> Frame:
    tags = {} if value is None else {"RadionuclideCodeSequence": code(value, scheme, "nuclide")}
    return Frame(item(RadionuclideHalfLife=seconds, **tags))


def half_life(*values: object) -> float:
    notes: list[str] = []
    found = nuclides.half_life(drug(*values), notes)  # type: ignore[arg-type]
    assert not notes
    return found


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("C-111A1", 6586.2), ("C-131A3", 4062.6), ("35337001", 4062.6), ("C-168A4", 282276.0), ("C-105A1", 1221.84)],
)
def test_the_half_life_of_the_coded_nuclide_serves_where_the_tag_is_missing(value, seconds):
    notes: list[str] = []
    assert nuclides.half_life(drug(None, value), notes) == pytest.approx(seconds, abs=1e-6)
    assert "as the nuclide's code says" in notes[0]


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("C-111A1", 6600), ("C-159A2", 75.45), ("C-159A2", 76.38), ("C-B1038", 120), ("C-131A3", 4080)],
)
def test_the_tag_counts_where_it_agrees_with_the_code(value, seconds):
    assert half_life(seconds, value) == seconds


def test_the_tag_counts_where_the_code_is_missing_or_unknown():
    assert half_life(6586.2, None) == 6586.2
    assert half_life(6586.2, "X-1", "99LOCAL") == 6586.2


@pytest.mark.parametrize("value", ["C-131A3", "35337001", "C-127A2"])
def test_the_half_life_of_another_nuclide_is_refused(value):
    with pytest.raises(ImageError, match=r"of 6586.2 s contradicts the nuclide's code, (gallium|copper)-6"):
        half_life(6586.2, value)


def test_minutes_and_nothing_at_all_are_refused():
    with pytest.raises(ImageError, match=r"of 109.77 s contradicts the nuclide's code, fluorine-18 \(6586.2 s\)"):
        half_life(109.77, "C-111A1")
    with pytest.raises(ImageError, match=r"of 6500 s contradicts the nuclide's code"):
        half_life(6500, "C-111A1")
    with pytest.raises(ImageError, match=r"of 1.8 s is not that of a PET tracer"):
        half_life(1.8, None)
    with pytest.raises(ImageError, match=r"\(0018,1075\) is missing, and the nuclide has no code"):
        half_life(None, None)


def test_the_codes_are_those_of_the_standard():
    standard = {getattr(codes.cid4020, keyword) for keyword in codes.cid4020.dir()}
    assert {value for value, *_ in nuclides._NUCLIDES} <= {one.value for one in standard}
