"""SUV factors of known answer, worked out by hand (the standard case: ``suv_series``)."""

from datetime import time

import numpy as np
import pytest
from dicom_files import Study, pet_series, write
from pydicom import dcmread
from pydicom.sequence import Sequence
from pydicom.uid import ImplicitVRLittleEndian
from suv_series import AT_INJECTION, AT_START, drug, factor, refusal, series

from ct2pet.suv import Supplied, suv_factors


def philips(headers, **factors):
    for header in headers:
        block = header.private_block(0x7053, "Philips PET Private Group", create=True)
        for element, value in factors.items():
            block.add_new(int(element[1:], 16), "DS", str(value))
    return headers


def test_activity_at_the_start_of_the_scan():
    found = suv_factors(series())
    assert found.factors == pytest.approx(np.full(9, AT_START), rel=1e-12)
    assert "Series Time (0008,0031)" in found.how
    assert found.notes == ()


def test_a_scan_one_hour_after_the_injection():
    # 2^(3600 / 6586.2): 3600 / 6586.2 = 0.546597, times ln 2 = 0.378872, e^0.378872 = 1.460636; 2e-4 of it: 2.921272e-4
    assert factor(pet_series()) == pytest.approx(2.921272e-4, rel=1e-6)


def test_activity_at_the_injection_needs_no_times():
    nothing = {"RadiopharmaceuticalStartTime": None, "RadionuclideHalfLife": None}
    headers = series(nothing, DecayCorrection="ADMIN", AcquisitionTime=None, SeriesTime=None)
    assert factor(headers) == pytest.approx(AT_INJECTION, rel=1e-12)


def test_uncorrected_activity_has_a_factor_for_each_slice():
    # Frames of one half-life: kT = ln 2, and from the start of the frame to its mean the activity falls by the factor
    # kT / (1 - exp(-kT)) = ln 2 / (1/2) = 1.386294. The first starts at 9:00: 2e-4 * 2 * 1.386294 = 5.545177e-4. The
    # second at 10:50, one half-life later: twice that.
    corrected = ["ATTN", "SCAT"]
    headers = series(DecayCorrection="NONE", CorrectedImage=corrected, ActualFrameDuration=6600000)[:2]
    headers[1].AcquisitionTime = "105000"
    found = suv_factors(headers)
    assert found.factors == pytest.approx([5.545177e-4, 11.090355e-4], rel=1e-6)


def test_the_uncorrected_mean_of_a_decaying_source_becomes_its_suv():
    """1000 Bq/ml at the injection, counted from 9:00 to 9:20: the mean that a scanner sees, times the factor."""
    seconds = 6600 + (np.arange(200000) + 0.5) * 1200 / 200000
    mean = np.mean(1000 * 2 ** (-seconds / 6600))
    headers = series(DecayCorrection="NONE", CorrectedImage=["ATTN"], ActualFrameDuration=1200000)
    assert mean * factor(headers) == pytest.approx(1000 * AT_INJECTION, rel=1e-8)


def test_suv_stays_what_it_is():
    headers = series({"RadionuclideTotalDose": None}, Study(weight=None), Units="GML")
    assert factor(headers) == 1
    assert factor(series(Units="GML", SUVType="BW")) == 1


@pytest.mark.parametrize("kind", ["LBM", "BSA", "IBW", "LBMJANMA"])
def test_suv_by_anything_but_body_weight_is_refused(kind):
    assert "SUV Type (0054,1006)" in refusal(series(Units="GML", SUVType=kind))


@pytest.mark.parametrize("unit", ["PROPCNTS", "MLMINML", "NONE"])
def test_other_units_are_refused(unit):
    assert "Units (0054,1001)" in refusal(series(Units=unit))


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


@pytest.mark.parametrize("headers", [series(Units="CNTS"), philips(series(Units="CNTS"), x00=0, x09=0)])
def test_counts_without_philips_factors_are_refused(headers):
    assert "(7053,1000) and (7053,1009)" in refusal(headers)


def test_private_values_without_their_representation_are_read(tmp_path):
    headers = philips(series(Units="CNTS"), x00=0.5)
    for header in headers:
        header.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
        header[0x7053, 0x1000].VR = "UN"
        header[0x7053, 0x1000].value = b"0.5 "
    assert factor([dcmread(path) for path in write(headers, tmp_path)]) == 0.5


def test_what_the_user_says_counts_before_the_headers():
    # 35 kg: half the factor; 700 MBq: half of it again; injection at 5:20: twice.
    assert factor(series(), Supplied(weight_kg=35.0)) == pytest.approx(2e-4, rel=1e-12)
    assert factor(series(), Supplied(weight_kg=35.0, dose_bq=700e6)) == pytest.approx(1e-4, rel=1e-12)
    assert factor(series(), Supplied(injection=time(5, 20))) == pytest.approx(8e-4, rel=1e-12)


def test_what_the_user_says_fills_what_is_missing_and_is_told():
    headers = series({"RadionuclideTotalDose": None}, Study(weight=None))
    found = suv_factors(headers, Supplied(weight_kg=70.0, dose_bq=350e6))
    assert found.factors[0] == pytest.approx(AT_START, rel=1e-12)
    assert "weight_kg from --weights_csv" in found.notes


def test_a_supplied_weight_goes_into_philips_activity_and_not_beside_a_factor_that_holds_another():
    both = philips(series(Units="CNTS"), x00=0.5, x09=2.5)
    assert factor(both, Supplied(weight_kg=35.0)) == pytest.approx(0.5e-3, rel=1e-12)
    only = suv_factors(philips(series(Units="CNTS"), x00=0.5), Supplied(weight_kg=35.0))
    assert only.factors[0] == 0.5
    assert any("not used" in note for note in only.notes)


@pytest.mark.parametrize(
    ("drug_tags", "tags", "named"),
    [
        ({}, {"PatientWeight": None}, "Patient's Weight (0010,1030) is missing: give weight_kg in --weights_csv"),
        ({}, {"PatientWeight": 0.0}, "Patient's Weight (0010,1030) is missing: give weight_kg in --weights_csv"),
        ({}, {"PatientWeight": 70000.0}, "Patient's Weight (0010,1030) is 70000, which cannot be kg"),
        ({"RadionuclideTotalDose": None}, {}, "(0018,1074) is missing: give dose_bq in --weights_csv"),
        ({"RadionuclideTotalDose": 350.0}, {}, "(0018,1074) is 350, which cannot be Bq"),
        ({"RadiopharmaceuticalStartTime": None}, {}, "(0018,1072) is missing: give injection"),
        ({"RadiopharmaceuticalStartTime": "7 o'clock"}, {}, "(0018,1072) is not a valid date or time"),
        ({"RadionuclideHalfLife": None, "RadionuclideCodeSequence": None}, {}, "(0018,1075) is missing"),
        ({"RadionuclideHalfLife": 109.77}, {}, "(0018,1075) of 109.77 s contradicts the nuclide's code"),
        ({"RadionuclideHalfLife": 1.8, "RadionuclideCodeSequence": None}, {}, "(0018,1075) of 1.8 s is none"),
        ({}, {"DecayCorrection": None}, "Decay Correction (0054,1102) is missing"),
        ({}, {"DecayCorrection": "MAYBE"}, "Decay Correction (0054,1102) is none of"),
        ({}, {"DecayCorrection": "NONE"}, "contradict"),
        ({}, {"CorrectedImage": ["ATTN"]}, "contradict"),
        ({}, {"CorrectedImage": ["DECY", "SCAT"]}, "not corrected for attenuation (Corrected Image (0028,0051))"),
        ({}, {"CorrectedImage": "DECY"}, "not corrected for attenuation"),
        ({}, {"Units": None}, "Units (0054,1001) is missing"),
        ({}, {"AcquisitionTime": None}, "Acquisition Time (0008,0032)"),
        ({}, {"AcquisitionDate": "20201301"}, "(0008,0022) is not a valid date"),
        ({"RadiopharmaceuticalStartTime": "093000"}, {}, "lies 30 min after the scan: give injection"),
        ({"RadiopharmaceuticalStartTime": "000000"}, {"SeriesTime": "230000", "AcquisitionTime": "230000"}, "1380 min"),
    ],
)
def test_what_is_missing_or_cannot_be_is_named(drug_tags, tags, named):
    assert named in refusal(series(drug_tags, **tags))


def test_uncorrected_activity_needs_the_length_of_its_frame():
    headers = series(DecayCorrection="NONE", CorrectedImage=["ATTN"], ActualFrameDuration=None)
    assert "Actual Frame Duration (0018,1242) is missing" in refusal(headers)


def test_slices_that_disagree_are_named():
    headers = series()
    headers[4].PatientWeight = 71
    assert "Patient's Weight (0010,1030) differs" in refusal(headers)
    headers = series()
    headers[4].RadiopharmaceuticalInformationSequence[0].RadionuclideTotalDose = 300e6
    assert "(0018,1074) differs" in refusal(headers)
    headers = series()
    headers[4].Units = "GML"
    assert "Units (0054,1001) differs" in refusal(headers)


def test_two_injections_are_not_chosen_between():
    headers = series()
    for header in headers:
        header.RadiopharmaceuticalInformationSequence = Sequence([drug(), drug(RadionuclideTotalDose=100e6)])
    assert "(0054,0016) has 2 items" in refusal(headers)


def test_the_half_life_of_the_coded_nuclide_serves_where_it_is_missing():
    found = suv_factors(series({"RadionuclideHalfLife": None, "RadiopharmaceuticalStartTime": "080000"}))
    assert found.factors[0] == pytest.approx(2.921272e-4, rel=1e-6)
    assert any("(0018,1075)" in note for note in found.notes)


def test_an_unusual_uptake_time_is_noted():
    (note,) = suv_factors(series({"RadiopharmaceuticalStartTime": "085000"})).notes
    assert "10 min" in note


def test_an_object_that_says_nothing_of_corrections_is_noted():
    (note,) = suv_factors(series(CorrectedImage=None)).notes
    assert "(0028,0051)" in note
