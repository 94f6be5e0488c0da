"""The headers of a synthetic PET as DICOM (PS3.3 A.21, PET Image IOD): patient, content, and the statement that it was
not measured."""

from __future__ import annotations

from datetime import datetime

import pydicom
from pydicom import config
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.sequence import Sequence
from pydicom.uid import UID, PositronEmissionTomographyImageStorage, generate_uid
from pydicom.valuerep import validate_value

import ct2pet
from ct2pet.dicom.source import CtSource

DESCRIPTION = "Synthetic PET from CT, not for diagnosis"
_COMMENT = "SYNTHETIC: not measured, not for diagnosis"
_FIRST_NUMBER = 9000  # of series, added to the CT's; larger than numbers of scanners

_COPIED = (  # from the CT: patient, study and frame of reference; nothing that describes its acquisition
    *("SpecificCharacterSet", "PatientName", "PatientID", "IssuerOfPatientID", "TypeOfPatientID", "PatientBirthDate"),
    *("IssuerOfPatientIDQualifiersSequence", "PatientBirthTime", "PatientSex", "OtherPatientIDs", "OtherPatientNames"),
    *("OtherPatientIDsSequence", "EthnicGroup", "PatientComments", "QualityControlSubject", "PatientIdentityRemoved"),
    *("DeidentificationMethod", "DeidentificationMethodCodeSequence", "PatientAge", "PatientSize", "PatientWeight"),
    *("StudyInstanceUID", "StudyDate", "StudyTime", "StudyID", "StudyDescription", "AccessionNumber"),
    *("IssuerOfAccessionNumberSequence", "ReferringPhysicianName", "FrameOfReferenceUID", "PositionReferenceIndicator"),
    *("LossyImageCompression", "LossyImageCompressionRatio", "LossyImageCompressionMethod"),
)
_KEYS = ("PatientName", "PatientID", "StudyInstanceUID", "FrameOfReferenceUID")  # copied unchanged
_UNCHECKED = ("SQ", "PN", "US", "UL")  # numbers of bytes, or left to pydicom
_MAY_BE_EMPTY = (  # type 2: required
    *("PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyDate", "StudyTime", "StudyID"),
    *("AccessionNumber", "ReferringPhysicianName", "PositionReferenceIndicator", "Laterality"),
)
_POSTURES = {  # by the last letters of PatientPosition; SNOMED CT codes of PS3.16 CID 20
    "S": ("40199007", "supine"),
    "P": ("1240000", "prone"),
    "DR": ("102535000", "right lateral decubitus"),
    "DL": ("102536004", "left lateral decubitus"),
}
_INTO_GANTRY = {"HF": ("102540008", "headfirst"), "FF": ("102541007", "feet-first")}  # CID 21


def new_header(source: CtSource, how: str) -> Dataset:
    """The attributes of all slices. ``how``: the model of the PET, without patient names."""
    header = _copied(source)
    now = datetime.now()
    date, time = now.strftime("%Y%m%d"), now.strftime("%H%M%S")
    header.SOPClassUID = PositronEmissionTomographyImageStorage
    for kind in ("Series", "Content", "InstanceCreation"):
        setattr(header, f"{kind}Date", date)
        setattr(header, f"{kind}Time", time)
    header.Modality = "PT"
    header.SeriesInstanceUID = generate_uid()
    header.SeriesNumber = _FIRST_NUMBER + (source.series.first.series_number or 0)
    header.SeriesDescription = DESCRIPTION
    header.Manufacturer = "ct2pet"
    header.ManufacturerModelName = "ct2pet"
    header.SoftwareVersions = ct2pet.__version__
    _say_synthetic(header, how)
    _say_nothing_measured(header)
    _put_posture(header, str(source.header.get("PatientPosition", "") or "").strip())
    return header


def _copied(source: CtSource) -> Dataset:
    header = Dataset()
    for keyword in _COPIED:
        if keyword in source.header and (keyword in _KEYS or _follows_the_rules(source.header[keyword])):
            header[keyword] = source.header[keyword]
    for keyword in _MAY_BE_EMPTY:
        if keyword not in header:
            setattr(header, keyword, None)
    if not header.get("FrameOfReferenceUID"):  # a CT without it has no common frame of reference
        header.FrameOfReferenceUID = generate_uid()
    return header


def _follows_the_rules(element: DataElement) -> bool:
    """Whether a value has the length and the characters of its representation: some archives write invalid values,
    which would make the new objects invalid."""
    values = element.value if isinstance(element.value, (MultiValue, list)) else [element.value]
    try:
        for value in values:
            if element.VR not in _UNCHECKED and value is not None:
                validate_value(element.VR, str(value), config.RAISE)
    except ValueError:
        return False
    return True


def _say_synthetic(header: Dataset, how: str) -> None:
    # not SECONDARY: of PET images the standard allows only PRIMARY as the second value (PS3.3, PET Image module)
    header.ImageType = ["DERIVED", "PRIMARY", "SYNTHETIC"]
    header.DerivationDescription = (
        f"Synthetic PET: estimated from the CT of this study by neural networks (ct2pet {ct2pet.__version__}, {how}). "
        "No tracer was injected and no activity was measured. For research only, not for diagnosis."
    )
    header.ImageComments = _COMMENT
    header.ContentQualification = "RESEARCH"
    header.BurnedInAnnotation = "NO"


def _say_nothing_measured(header: Dataset) -> None:
    """The required attributes of an acquisition, empty or neutral where the standard allows it."""
    header.Units = "GML"
    header.SUVType = "BW"
    header.CountsSource = "EMISSION"
    header.SeriesType = ["WHOLE BODY", "IMAGE"]
    header.CorrectedImage = None
    header.DecayCorrection = "NONE"
    header.CollimatorType = None
    header.RadiopharmaceuticalInformationSequence = Sequence()
    header.AcquisitionDate = header.AcquisitionTime = None
    header.FrameReferenceTime = 0
    header.ActualFrameDuration = 0


def _put_posture(header: Dataset, position: str) -> None:
    """The patient's position in the codes of PET images; empty where unknown."""
    posture, gantry = _POSTURES.get(position[2:]), _INTO_GANTRY.get(position[:2])
    header.PatientOrientationCodeSequence = Sequence()
    header.PatientGantryRelationshipCodeSequence = Sequence([_code("SCT", *gantry)] if gantry else [])
    if posture:
        lying = _code("SCT", "102538003", "recumbent")
        lying.PatientOrientationModifierCodeSequence = Sequence([_code("SCT", *posture)])
        header.PatientOrientationCodeSequence = Sequence([lying])


def _code(scheme: str, value: str, meaning: str) -> Dataset:
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = value, scheme, meaning
    return code


def reference_images(header: Dataset, source: CtSource, images: list[tuple[str, int | None]]) -> None:
    """Reference the CT's images at a slice's position, as its source and by their series (PS3.3 C.7.6.1, C.12.2)."""
    purpose = _code("DCM", "121322", "Source image for image processing operation")
    by_instance: dict[str, list[int]] = {}
    for instance, frame in images:
        by_instance.setdefault(instance, []).extend([] if frame is None else [frame])
    sop_class = UID(str(source.header.SOPClassUID))
    plain: list[Dataset] = []
    detailed: list[Dataset] = []
    for instance, frames in by_instance.items():
        for items in (plain, detailed):
            items.append(Dataset())
            items[-1].ReferencedSOPClassUID, items[-1].ReferencedSOPInstanceUID = sop_class, instance
        if frames:
            detailed[-1].ReferencedFrameNumber = frames
        detailed[-1].PurposeOfReferenceCodeSequence = Sequence([purpose])
    header.SourceImageSequence = Sequence(detailed)
    series = Dataset()
    series.SeriesInstanceUID = source.series.first.series
    series.ReferencedInstanceSequence = Sequence(plain)
    header.ReferencedSeriesSequence = Sequence([series])


def file_meta(header: Dataset) -> pydicom.dataset.FileMetaDataset:
    """The file meta information of an object; explicit little endian, uncompressed."""
    meta = pydicom.dataset.FileMetaDataset()
    meta.MediaStorageSOPClassUID = header.SOPClassUID
    meta.MediaStorageSOPInstanceUID = header.SOPInstanceUID
    meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    return meta
