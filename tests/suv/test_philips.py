"""Philips' private factors: known answers, and what is said where they cannot be used."""

import pytest
from dicom_files import write
from pydicom import dcmread
from pydicom.uid import ImplicitVRLittleEndian
from suv_series import factor, refusal, series

from ct2pet.suv import Supplied, suv_factors

UNCORRECTED = {"DecayCorrection": "NONE", "CorrectedImage": ["ATTN"], "ActualFrameDuration": 6600000}


def philips(headers, creator="Philips PET Private Group", **factors):
    """Put factors into headers; ``creator`` None: without the element that says whose they are."""
    for header in headers:
        for element, value in factors.items():
            if creator is None:
                header.add_new((0x7053, 0x1000 + int(element[1:], 16)), "DS", str(value))
            else:
                block = header.private_block(0x7053, creator, create=True)
                block.add_new(int(element[1:], 16), "DS", str(value))
    return headers


def test_philips_suv_factor():
    assert factor(philips(series(Units="CNTS"), x00=0.00123, x09=2.5)) == 0.00123


def test_philips_activity_factor_where_the_suv_factor_is_missing_or_0():
    # Counts times 2.5 are Bq/ml; then as BQML: 2.5 * 4e-4 = 1e-3
    assert factor(philips(series(Units="CNTS"), x09=2.5)) == pytest.approx(1e-3, rel=1e-12)
    assert factor(philips(series(Units="CNTS"), x00=0, x09=2.5)) == pytest.approx(1e-3, rel=1e-12)


def test_philips_factors_may_differ_between_slices():
    headers = series(Units="CNTS")
    for index, header in enumerate(headers):
        philips([header], x00=index + 1)
    assert suv_factors(headers).factors.tolist() == list(range(1, 10))


def test_counts_without_factors_are_refused():
    message = refusal(series(Units="CNTS"))
    assert "Philips' SUV factor (7053,1000) is missing" in message
    assert "Philips' activity factor (7053,1009) is missing" in message
    message = refusal(philips(series(Units="CNTS"), x00=0, x09=0))
    assert "(7053,1000) is not above 0" in message
    assert "(7053,1009) is not above 0" in message
    assert "(7053,1000) is not a number" in refusal(philips(series(Units="CNTS"), x00=0.5, x09=2)[:8] + broken())


def broken():
    (header,) = philips(series(Units="CNTS")[8:], x09=2)
    header.private_block(0x7053, "Philips PET Private Group").add_new(0x00, "LO", "much")
    return [header]


def test_factors_without_their_private_creator_are_used_for_philips_and_named_for_others():
    orphaned = philips(series(Units="CNTS"), creator=None, x00=0.5, x09=2.5)
    message = refusal(orphaned)
    assert "(7053,1000) exists, but without its private creator (7053,0010) and Philips as manufacturer" in message
    assert "(7053,1009) exists, but without its private creator (7053,0010)" in message
    for header in orphaned:
        header.Manufacturer = "Philips Medical Systems"
    found = suv_factors(orphaned)
    assert found.factors.tolist() == [0.5] * 9
    assert "Philips' SUV factor (7053,1000) has no private creator" in found.notes[0]


def test_factors_of_another_private_creator_are_not_used():
    headers = philips(series(Units="CNTS", Manufacturer="Philips"), creator="ACME", x00=0.5, x09=2.5)
    assert "(7053,1000) exists, but the private creator (7053,0010) is not Philips" in refusal(headers)


def test_the_creator_may_be_written_otherwise_or_reserve_another_block():
    assert factor(philips(series(Units="CNTS"), creator="PHILIPS PET PRIVATE GROUP ", x00=0.5)) == 0.5
    headers = philips(series(Units="CNTS"), creator="ACME", x00=7)
    assert factor(philips(headers, x00=0.5)) == 0.5
    assert (0x7053, 0x1100) in headers[0]


@pytest.mark.parametrize("factors", [{"x00": 0.5, "x09": 2.5}, {"x09": 2.5}])
def test_uncorrected_counts_become_activity_that_each_bed_decays_from(factors):
    # Frames of one half-life from 9:00 and from 10:50 on: 5.545177e-4 and twice that per Bq/ml (test_factors.py); one
    # count is 2.5 Bq/ml. The SUV factor, the same for both beds, would leave the second at half its SUV.
    headers = philips(series(Units="CNTS", **UNCORRECTED), **factors)[:2]
    headers[1].AcquisitionTime = "105000"
    assert suv_factors(headers).factors == pytest.approx([2.5 * 5.545177e-4, 2.5 * 11.090355e-4], rel=1e-6)


def test_counts_that_are_corrected_to_the_injection_become_activity():
    headers = philips(series(Units="CNTS", DecayCorrection="ADMIN"), x00=0.5, x09=2.5)
    assert factor(headers) == pytest.approx(2.5 * 2e-4, rel=1e-12)


@pytest.mark.parametrize(("decay", "tags"), [("NONE", UNCORRECTED), ("ADMIN", {"DecayCorrection": "ADMIN"})])
def test_an_suv_factor_alone_belongs_to_values_corrected_to_the_start(decay, tags):
    message = refusal(philips(series(Units="CNTS", **tags), x00=0.5))
    assert f"(7053,1000) needs Decay Correction (0054,1102) START, which is {decay}" in message
    assert "(7053,1009) is missing" in message


def test_counts_that_do_not_say_how_they_are_corrected_are_refused():
    assert "Decay Correction (0054,1102) is missing" in refusal(
        philips(series(Units="CNTS", DecayCorrection=None), x00=0.5)
    )
    contradiction = philips(series(Units="CNTS", CorrectedImage=["ATTN"]), x00=0.5)
    assert "(0054,1102) and Corrected Image (0028,0051) contradict" in refusal(contradiction)


def test_private_values_without_their_representation_are_read(tmp_path):
    headers = philips(series(Units="CNTS"), x00=0.5)
    for header in headers:
        header.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
        header[0x7053, 0x1000].VR = "UN"
        header[0x7053, 0x1000].value = b"0.5 "
    assert factor([dcmread(path) for path in write(headers, tmp_path)]) == 0.5


def test_a_supplied_weight_is_used_with_philips_activity_and_not_with_the_suv_factor():
    both = philips(series(Units="CNTS"), x00=0.5, x09=2.5)
    assert factor(both, Supplied(weight_kg=35.0)) == pytest.approx(0.5e-3, rel=1e-12)
    only = suv_factors(philips(series(Units="CNTS"), x00=0.5), Supplied(weight_kg=35.0))
    assert only.factors[0] == 0.5
    assert any("not used" in note for note in only.notes)
