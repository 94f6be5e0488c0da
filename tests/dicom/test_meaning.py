"""Which regions are lesions: by code, by type, by name, and by a pattern of the user's."""

import pytest
from dicom_files import code, item
from pydicom.sr.codedict import codes

from ct2pet.dicom.meaning import fits, roi, segment


def coded(**sequences):
    """Code sequences from (value, scheme, meaning)."""
    return {keyword: code(*value) for keyword, value in sequences.items()}


def of_segment(label="Segment_1", category=None, kind=None, pattern=None, **tags):
    given = {"SegmentedPropertyCategoryCodeSequence": category, "SegmentedPropertyTypeCodeSequence": kind}
    sequences = coded(**{keyword: value for keyword, value in given.items() if value})
    return segment(item(SegmentNumber=3, SegmentLabel=label, **sequences, **tags), pattern)


def of_roi(name="x", kind="", pattern=None, **tags):
    return roi(7, name, item(RTROIInterpretedType=kind, **tags), pattern)


ABNORMAL = ("49755003", "SCT", "Morphologically Abnormal Structure")
ANATOMY = ("123037004", "SCT", "Anatomical Structure")
TISSUE = ("85756007", "SCT", "Tissue")
LIVER = ("10200004", "SCT", "Liver")
NEOPLASM = ("108369006", "SCT", "Neoplasm")


@pytest.mark.parametrize(
    ("category", "kind", "label", "taken"),
    [
        (ABNORMAL, NEOPLASM, "Lesion", True),
        (ABNORMAL, ("4147007", "SCT", "Mass"), "Segment_1", True),
        (ABNORMAL, None, "Segment_1", True),
        (ABNORMAL, ("6574001", "SCT", "Necrosis"), "Segment_1", True),
        (("M-01000", "SRT", "Morphologically Altered Structure"), ("M-8000/3", "SRT", "Neoplasm"), "x", True),
        (("M-01000", "SNM3", "Morphologically Altered Structure"), None, "x", True),
        (("C35869", "NCIt", "Radiologic Finding"), ("C168968", "NCIt", "FDG-Avid Tumor"), "x", True),
        (("130041", "DCM", "RT Target"), ("228791009", "SCT", "GTV"), "x", True),
        (ANATOMY, NEOPLASM, "x", True),
        (ANATOMY, LIVER, "Liver", False),
        (("91723000", "SCT", "Anatomical Structure"), ("12738006", "SCT", "Brain"), "Segment_1", False),
        (("T-D000A", "SRT", "Anatomical Structure"), ("T-62000", "SRT", "Liver"), "Segment_1", False),
        (ANATOMY, ("78961009", "SCT", "Spleen"), "tumor", False),
        (TISSUE, ("55603005", "SCT", "Adipose tissue"), "Fat", False),
        (("309825002", "SCT", "Spatial and Relational Concept"), ("C94970", "NCIt", "Reference Region"), "x", False),
        (("130041", "DCM", "RT Target"), ("228793007", "SCT", "PTV"), "x", False),
        (("260787004", "SCT", "Physical object"), None, "x", False),
        (ABNORMAL, ("125040", "DCM", "Background"), "Background", False),
        (None, LIVER, "Segment_1", False),
        (("1", "99ACME", "Own"), ("7197", "FMA", "Liver"), "Segment_1", False),
        (TISSUE, TISSUE, "Segment_1", True),  # what 3D Slicer writes by default
        (TISSUE, TISSUE, "Left kidney", False),
        (TISSUE, ("113343008", "SCT", "Organ"), "spleen", False),
        (("1", "99ACME", "Own"), ("2", "99ACME", "Liver"), "Segment_1", False),  # by the meaning of the code
        (None, None, "Segment_1", True),
        (None, None, "Heart", False),
    ],
)
def test_segments(category, kind, label, taken):
    assert of_segment(label, category, kind).taken is taken


def test_the_code_of_a_tool_that_calls_all_segments_one_thing_leaves_the_description():
    nothing = ("385432009", "SCT", "Not applicable")
    assert of_segment(category=nothing, kind=nothing).taken
    assert not of_segment(category=nothing, kind=nothing, SegmentDescription="urinary bladder").taken


@pytest.mark.parametrize("kind", ["GTV", "gtv ", "GTV_NODAL", "TUMOR"])
def test_types_of_rois_that_are_lesions(kind):
    assert of_roi("Liver", kind).taken


@pytest.mark.parametrize(
    "kind", ["EXTERNAL", "BODY", "ORGAN", "OAR", "AVOIDANCE", "PTV", "CTV", "SUPPORT", "MARKER", "IRRAD_VOLUME", "JANE"]
)
def test_types_of_rois_that_are_none(kind):
    found = of_roi("tumour", kind)
    assert not found.taken
    assert "JANE" not in found.why
    assert found.number == 7


@pytest.mark.parametrize("kind", ["", "NONE", "UNDEFINED", "OTHER"])
def test_an_untyped_roi_is_classified_by_its_name(kind):
    assert of_roi("ROI-1", kind).taken
    assert not of_roi("Liver", kind).taken


@pytest.mark.parametrize(
    "name",
    [
        *(
            "",
            "1",
            "a",
            "ROI-1",
            "GTV",
            "GTVp",
            "gtv_lung",
            "GTV_Mass_PET",
            "iGTV",
            "tumour 1",
            "Tumor",
            "lung lesion 3",
        ),
        *("Liver met", "LN_axilla_L", "Lymphoma", "bone metastases", "nodule right lung", "Läsion"),
    ],
)
def test_names_of_lesions(name):
    assert of_roi(name).taken


@pytest.mark.parametrize(
    "name",
    [
        *(
            "BODY",
            "External",
            "skin",
            "LungL",
            "Lung_R",
            "SpinalCord",
            "LIVER",
            "heart",
            "Bladder wall",
            "brain",
            "Ring",
        ),
        *("CTV tumour", "ptv_tumor", "ITV", "PRV cord", "PTV60", "Lungs-GTV", "liver minus GTV", "Brain_without_tumor"),
        *("Bowel", "Ring", "isodose 20", "CouchSurface", "Background", "Kidneys", "BrainStem", "Parotid_L"),
    ],
)
def test_names_of_other_structures(name):
    assert not of_roi(name).taken


def test_an_untyped_roi_may_be_coded():
    assert not of_roi(**coded(RTROIIdentificationCodeSequence=("7197", "FMA", "Liver"))).taken
    assert of_roi("Liver", **coded(RTROIIdentificationCodeSequence=("228791009", "SCT", "GTV"))).taken
    assert of_roi("Liver", **coded(SegmentedPropertyCategoryCodeSequence=ABNORMAL)).taken
    assert not of_roi(**coded(RTROIIdentificationCodeSequence=("PTV_High", "99VMS_STRUCTCODE", "PTV High"))).taken


def test_a_pattern_counts_before_all_else():
    assert of_segment("Liver", ANATOMY, LIVER, "liv*").taken
    assert not of_segment("Tumour", ABNORMAL, NEOPLASM, "liv*").taken
    assert of_roi("PTV 1", "PTV", "ptv ?").taken
    assert "JANE" not in of_roi("JANE", pattern="J*").why


def test_reasons_quote_nothing_of_the_object():
    for found in (of_roi("JANE"), of_roi("JANE", "JANE"), of_segment("JANE"), of_segment("JANE", ("J", "99J", "JANE"))):
        assert "JANE" not in found.why


def test_every_anatomical_code_of_segmentations_is_none():
    for group in (codes.cid7152, codes.cid7153, codes.cid7155, codes.cid7160):
        for name in group.dir():
            found = getattr(group, name)
            assert not of_segment(kind=(found.value, found.scheme_designator, "")).taken


def test_patterns():
    assert fits("GTV mass", "gtv*")
    assert fits("x", None)
    assert not fits("a GTV", "gtv*")
