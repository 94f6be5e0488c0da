"""SUV factors of known answer, worked out by hand (the standard case: ``suv_series``)."""

from datetime import datetime, time

import numpy as np
import pytest
from dicom_files import Study, pet_series
from pydicom.sequence import Sequence
from suv_series import AT_INJECTION, AT_START, drug, factor, refusal, series

from ct2pet.suv import Supplied, suv_factors


def test_activity_at_the_start_of_the_scan():
    found = suv_factors(series())
    assert found.factors == pytest.approx(np.full(9, AT_START), rel=1e-12)
    assert "Series Time (0008,0031)" in found.how
    assert found.notes == ()


def test_a_scan_one_hour_after_the_injection():
    # 2^(3600 / 6586.2): 3600 / 6586.2 = 0.546597, times ln 2 = 0.378872, e^0.378872 = 1.460636; 2e-4 of it: 2.921272e-4
    assert factor(pet_series()) == pytest.approx(2.921272e-4, rel=1e-6)


def test_an_injection_date_without_time_is_not_midnight():
    # The helper's drug is injected at 8:00: one hour, 2.921272e-4, not the nine hours from midnight.
    headers = pet_series(drug=drug(RadionuclideHalfLife=6586.2, RadiopharmaceuticalStartTime="080000",
                                   RadiopharmaceuticalStartDateTime="20200102"))  # fmt: skip
    assert factor(headers) == pytest.approx(2.921272e-4, rel=1e-6)
    message = refusal(series({"RadiopharmaceuticalStartTime": None, "RadiopharmaceuticalStartDateTime": "20200102"}))
    assert "Radiopharmaceutical Start DateTime (0018,1078) has no minutes: give injection in --weights_csv" in message


def test_midnight_hours_before_the_scan_is_not_an_injection_time():
    """What de-identification writes for a time. Shortly before a scan at night it is one."""
    for tags in ({"RadiopharmaceuticalStartTime": "000000"}, {"RadiopharmaceuticalStartDateTime": "20200102000000"}):
        drug_tags = {"RadiopharmaceuticalStartTime": None, **tags}
        message = refusal(series(drug_tags, SeriesTime="070000", AcquisitionTime="070000"))
        assert "is at midnight, hours before the scan: give injection in --weights_csv" in message
        assert factor(series(drug_tags, SeriesTime="015000", AcquisitionTime="015000")) == pytest.approx(AT_START)
    given = Supplied(injection=time(0))
    assert factor(series(SeriesTime="070000", AcquisitionTime="070000"), given) > AT_START


def test_a_supplied_injection_of_a_long_lived_tracer_needs_its_date():
    # Zirconium-89, 78.41 h: injected four days less 4 h before the scan, 2^(92 / 78.41) = e^0.813283 = 2.255301.
    tags = {"RadionuclideHalfLife": 78.41 * 3600, "RadionuclideCodeSequence": None}
    headers = series({"RadiopharmaceuticalStartTime": "140000", **tags}, SeriesTime="100000", AcquisitionTime="100000")
    assert "(0018,1072)" in refusal(headers)
    assert "give injection with its date in --weights_csv" in refusal(headers, Supplied(injection=time(14)))
    given = Supplied(injection=datetime(2019, 12, 29, 14))
    assert factor(headers, given) == pytest.approx(2.255301 * AT_INJECTION, rel=1e-6)


def test_a_rewritten_series_time_does_not_move_the_decay_reference():
    # Measured from 9:00 to 9:02 of a list-mode scan that began at 8:10; Series Time is that of a later reconstruction.
    # The mean activity lies 59.937 s after the start of the frame: 3059.937 s after the reference, and the decay factor
    # is 2^(3059.937 / 6600) = 1.379038. From the injection at 7:10 to 8:10 pass 3600 s: 2e-4 * 2^(3600 / 6600)
    # = 2e-4 * e^0.378080 = 2e-4 * 1.459481 = 2.918961e-4. From the acquisition instead it would be 4e-4, 37% more.
    tags = {"SeriesTime": "173000", "FrameReferenceTime": 3059937.0, "DecayFactor": 1.379038}
    found = suv_factors(series(**tags, Manufacturer="SIEMENS"))
    assert found.factors[0] == pytest.approx(2.918961e-4, rel=1e-6)
    assert "Frame Reference Time (0054,1300) and Decay Factor (0054,1321)" in found.how
    assert "the decay reference is computed from" in found.notes[0]
    # A reference time that counts to the start of the frame, as GE's does: 3000 s.
    tags["FrameReferenceTime"] = 3000000.0
    assert factor(series(**tags)) == pytest.approx(2.918961e-4, rel=1e-6)


def test_beds_across_midnight_whose_date_does_not_change():
    # Injected at 21:50, 6600 s before the first bed at 23:40: one half-life. The date is that of the start in all.
    headers = series({"RadiopharmaceuticalStartTime": "215000"}, SeriesTime="234000")
    for number, header in enumerate(headers):
        clock = 23 * 60 + 40 + 4 * number
        header.AcquisitionTime = f"{clock // 60 % 24:02d}{clock % 60:02d}00"
    assert headers[-1].AcquisitionTime == "001200"
    assert factor(headers) == pytest.approx(AT_START, rel=1e-12)
    for header in headers:
        header.SeriesTime = "080000"  # made the next day
    assert factor(headers) == pytest.approx(AT_START, rel=1e-12)


def test_uncorrected_beds_across_midnight():
    # As above, half-lives of 6600 s: the bed at 1:30, 110 min after the first, has twice its factor.
    headers = series(
        {"RadiopharmaceuticalStartTime": "215000"},
        **{"DecayCorrection": "NONE", "CorrectedImage": ["ATTN"], "ActualFrameDuration": 6600000},
    )[:2]
    headers[0].AcquisitionTime, headers[1].AcquisitionTime = "234000", "013000"
    assert suv_factors(headers).factors == pytest.approx([5.545177e-4, 11.090355e-4], rel=1e-6)


def test_a_scan_that_starts_before_the_injection():
    # Dynamic: values of 9:00 belong to 7:09, one minute before the injection: 2e-4 * 2^(-60 / 6600) = 1.987436e-4
    tags = {"SeriesTime": "070900", "FrameReferenceTime": 6660000.0, "DecayFactor": 2 ** (6660 / 6600)}
    assert factor(series(**tags)) == pytest.approx(1.987436e-4, rel=1e-6)
    tags = {"SeriesTime": "065900", "FrameReferenceTime": 7260000.0, "DecayFactor": 2 ** (7260 / 6600)}
    assert "is 11 min after the decay reference" in refusal(series(**tags))


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


def test_uncorrected_activity_whose_decay_factors_differ_from_1_is_refused():
    tags = {"DecayCorrection": "NONE", "CorrectedImage": ["ATTN"], "ActualFrameDuration": 120000}
    assert "NONE and Decay Factor (0054,1321) contradict each other" in refusal(series(**tags, DecayFactor=1.37))
    assert suv_factors(series(**tags, DecayFactor=1.002)).notes == ()  # 19 s of decay


def test_values_that_are_corrected_to_the_injection_but_whose_decay_factor_is_another_are_noted():
    found = suv_factors(series(DecayCorrection="ADMIN", DecayFactor=1.0063))
    assert found.factors[0] == pytest.approx(AT_INJECTION, rel=1e-12)
    assert "Decay Factor (0054,1321) is not that from the injection" in found.notes[0]


def test_a_supplied_decay_reference_counts_before_the_headers():
    # Values of 10:50, one half-life after 9:00: 2e-4 * 4; or on the day before, at 7:10, when the tracer was injected.
    for given, expected in ((time(10, 50), 8e-4), (datetime(2020, 1, 2, 7, 10), 2e-4)):
        for decay in ("START", "ADMIN"):
            found = suv_factors(series(DecayCorrection=decay, SeriesTime="083000"), Supplied(decay_reference=given))
            assert found.factors[0] == pytest.approx(expected, rel=1e-12)
            assert "decay_reference from --weights_csv" in found.notes


def test_suv_with_a_header_of_no_decay_correction_are_noted():
    (note,) = suv_factors(series(Units="GML", DecayCorrection="NONE", CorrectedImage=["ATTN"])).notes
    assert "check that the SUV account for decay" in note
    synthetic = {"ImageType": ["DERIVED", "PRIMARY", "SYNTHETIC"], "CorrectedImage": ["ATTN"]}
    assert suv_factors(series(Units="GML", DecayCorrection="NONE", **synthetic)).notes == ()


def test_values_in_suv_have_factor_1():
    headers = series({"RadionuclideTotalDose": None}, Study(weight=None), Units="GML")
    assert factor(headers) == 1
    assert factor(series(Units="GML", SUVType="BW")) == 1


@pytest.mark.parametrize("kind", ["LBM", "BSA", "IBW", "LBMJANMA"])
def test_suv_by_anything_but_body_weight_is_refused(kind):
    assert "SUV Type (0054,1006)" in refusal(series(Units="GML", SUVType=kind))


@pytest.mark.parametrize("unit", ["PROPCNTS", "MLMINML", "NONE"])
def test_other_units_are_refused(unit):
    assert "Units (0054,1001)" in refusal(series(Units=unit))


def test_values_of_the_user_have_priority_over_the_headers():
    # 35 kg: half the factor; 700 MBq: half of it again; injection at 5:20: twice.
    assert factor(series(), Supplied(weight_kg=35.0)) == pytest.approx(2e-4, rel=1e-12)
    assert factor(series(), Supplied(weight_kg=35.0, dose_bq=700e6)) == pytest.approx(1e-4, rel=1e-12)
    assert factor(series(), Supplied(injection=time(5, 20))) == pytest.approx(8e-4, rel=1e-12)


def test_values_of_the_user_fill_missing_ones_and_are_noted():
    headers = series({"RadionuclideTotalDose": None}, Study(weight=None))
    found = suv_factors(headers, Supplied(weight_kg=70.0, dose_bq=350e6))
    assert found.factors[0] == pytest.approx(AT_START, rel=1e-12)
    assert "weight_kg from --weights_csv" in found.notes


@pytest.mark.parametrize(
    ("drug_tags", "tags", "named"),
    [
        ({}, {"PatientWeight": None}, "Patient's Weight (0010,1030) is missing: give weight_kg in --weights_csv"),
        ({}, {"PatientWeight": 0.0}, "Patient's Weight (0010,1030) is missing: give weight_kg in --weights_csv"),
        ({}, {"PatientWeight": 70000.0}, "Patient's Weight (0010,1030) is 70000, which is not a valid value in kg"),
        ({"RadionuclideTotalDose": None}, {}, "(0018,1074) is missing: give dose_bq in --weights_csv"),
        ({"RadionuclideTotalDose": 350.0}, {}, "(0018,1074) is 350, which is not a valid value in Bq"),
        ({"RadiopharmaceuticalStartTime": None}, {}, "(0018,1072) is missing: give injection"),
        ({"RadiopharmaceuticalStartTime": "7 o'clock"}, {}, "(0018,1072) is not a valid date or time"),
        ({"RadionuclideHalfLife": None, "RadionuclideCodeSequence": None}, {}, "(0018,1075) is missing"),
        ({"RadionuclideHalfLife": 109.77}, {}, "(0018,1075) of 109.77 s contradicts the nuclide's code"),
        ({"RadionuclideHalfLife": 1.8, "RadionuclideCodeSequence": None}, {}, "(0018,1075) of 1.8 s is not that"),
        ({}, {"DecayCorrection": None}, "Decay Correction (0054,1102) is missing"),
        ({}, {"DecayCorrection": "MAYBE"}, "Decay Correction (0054,1102) is not"),
        ({}, {"DecayCorrection": "NONE"}, "contradict"),
        ({}, {"CorrectedImage": ["ATTN"]}, "contradict"),
        ({}, {"CorrectedImage": ["DECY", "SCAT"]}, "not corrected for attenuation (Corrected Image (0028,0051))"),
        ({}, {"CorrectedImage": "DECY"}, "not corrected for attenuation"),
        ({}, {"Units": None}, "Units (0054,1001) is missing"),
        ({}, {"AcquisitionTime": None}, "Acquisition Time (0008,0032)"),
        ({}, {"AcquisitionTime": "09"}, "Acquisition Time (0008,0032) is missing or has no minutes"),
        ({}, {"AcquisitionDate": "20201301"}, "(0008,0022) is not a valid date"),
        ({"RadiopharmaceuticalStartTime": "093000"}, {}, "is 30 min after the scan: give injection"),
        ({"RadiopharmaceuticalStartTime": "000500"}, {"SeriesTime": "230000", "AcquisitionTime": "230000"}, "1375 min"),
    ],
)
def test_a_missing_or_impossible_value_is_named(drug_tags, tags, named):
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


def test_an_object_without_information_on_corrections_is_noted():
    (note,) = suv_factors(series(CorrectedImage=None)).notes
    assert "(0028,0051)" in note
