"""The stored part of each file's header: enough for grouping, geometry and selection, small enough for 20,000 files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from pydicom.dataset import Dataset, FileDataset
from pydicom.uid import UID

from ct2pet.dicom.reading import DamagedFile, quiet, read_dataset
from ct2pet.dicom.references import TAGS as REFERENCE_TAGS
from ct2pet.dicom.references import References, references_of
from ct2pet.errors import ImageError
from ct2pet.suv.clocks import read_date, read_date_time, read_time

CT, PET, STRUCTURE = "CT", "PET", "structure"
_CLASSIC = {"1.2.840.10008.5.1.4.1.1.2": CT, "1.2.840.10008.5.1.4.1.1.128": PET}
_ENHANCED = {
    "1.2.840.10008.5.1.4.1.1.2.1": CT,
    "1.2.840.10008.5.1.4.1.1.2.2": CT,  # legacy converted
    "1.2.840.10008.5.1.4.1.1.130": PET,
    "1.2.840.10008.5.1.4.1.1.128.1": PET,  # legacy converted
}
RT_STRUCTURE_SET = "1.2.840.10008.5.1.4.1.1.481.3"
_STRUCTURES = {
    RT_STRUCTURE_SET: STRUCTURE,
    "1.2.840.10008.5.1.4.1.1.66.4": STRUCTURE,  # Segmentation
    "1.2.840.10008.5.1.4.1.1.66.7": STRUCTURE,  # Label Map Segmentation
}
_KINDS = {**_CLASSIC, **_ENHANCED, **_STRUCTURES}
_MODALITIES = {CT: ("CT",), PET: ("PT",), STRUCTURE: ("RTSTRUCT", "SEG")}
_NO_REFERENCES = References()
_DIRECTORY = "1.2.840.10008.1.3.10"
_KEYWORDS = (
    *("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID"),
    *("PatientID", "PatientName", "PatientBirthDate", "Modality", "ImageType", "SeriesNumber", "NumberOfFrames"),
    "InstanceNumber",
    *("Rows", "Columns", "SamplesPerPixel", "PixelSpacing", "ImagePositionPatient", "ImageOrientationPatient"),
    *("GantryDetectorTilt", "RescaleSlope", "RescaleIntercept", "ConvolutionKernel", "LossyImageCompression"),
    *("CorrectedImage", "AttenuationCorrected", "AttenuationCorrectionMethod", "SeriesType", "Units"),
    *("NumberOfSlices", "AcquisitionDateTime", "AcquisitionDate", "AcquisitionTime", "SeriesDate", "SeriesTime"),
    *("StudyDate", "StudyTime"),
)


@dataclass(frozen=True, slots=True)
class Header:
    """The header of one object. Missing texts are empty, missing numbers None.

    ``position`` (x, y, z in mm), ``orientation`` (six cosines) and ``pixel_spacing`` (mm between rows, columns) are
    those of a classic image; the frames of an enhanced one have their own (ct2pet.dicom.frames).
    """

    path: Path = field(compare=False)
    kind: str
    enhanced: bool
    sop_instance: str
    study: str
    series: str
    patient: str
    frame_of_reference: str
    series_number: int | None
    instance_number: int | None
    image_type: tuple[str, ...]
    shape: tuple[int, int] | None
    position: tuple[float, ...] | None
    orientation: tuple[float, ...] | None
    pixel_spacing: tuple[float, ...] | None
    slope: float | None
    intercept: float | None
    time: datetime | None
    attenuation_corrected: bool | None
    series_type: tuple[str, ...]
    units: str
    kernel: str
    num_slices: int | None
    tilt: float
    lossy: bool
    grey: bool
    references: References

    @property
    def name(self) -> str:
        """The name of the image in messages: its number, because file names may contain patient names."""
        return "an image" if self.instance_number is None else f"image {self.instance_number}"


def read_header(path: Path) -> Header:
    """The header of a CT or PET image, an RTSTRUCT or a SEG.

    Raises ImageError, whose message is the reason without the file's name, for anything else.
    """
    dataset = read_dataset(path, tags=_KEYWORDS)
    with quiet():  # pydicom converts values, with warnings, at their first use
        sop_class = _sop_class(dataset)
        if sop_class == _DIRECTORY:
            raise ImageError("a DICOMDIR")
        if sop_class not in _KINDS:
            raise ImageError(_name(sop_class))
        kind = _KINDS[sop_class]
        modality = str(dataset.get("Modality", "") or "")
        if modality and modality not in _MODALITIES[kind]:
            expected = " or ".join(_MODALITIES[kind])
            raise ImageError(f"an object of the class {UID(sop_class).name} whose Modality is not {expected}")
        header = _header(path, kind, sop_class in _ENHANCED, dataset)
        if kind != STRUCTURE:
            return header
        return replace(header, references=references_of(read_dataset(path, tags=REFERENCE_TAGS)))


def kind_of(dataset: FileDataset) -> str | None:
    """CT, PET, STRUCTURE, or "" for other objects; None for a directory (DICOMDIR) and without a SOP class."""
    with quiet():
        sop_class = _sop_class(dataset)
    return None if sop_class in ("", _DIRECTORY) else _KINDS.get(sop_class, "")


def _sop_class(dataset: FileDataset) -> str:
    return str(dataset.get("SOPClassUID", "") or dataset.file_meta.get("MediaStorageSOPClassUID", ""))


def _name(sop_class: str) -> str:
    """The standard's name of a SOP class; an unknown one is not quoted."""
    if not sop_class:
        raise DamagedFile("a DICOM file without a SOPClassUID: damaged or truncated")
    uid = UID(sop_class)
    if not uid.is_valid:
        raise DamagedFile("a DICOM file with an invalid SOPClassUID: damaged")
    return f"not a CT or PET image ({uid.name})" if uid.name != sop_class else "an unknown kind of DICOM object"


def _header(path: Path, kind: str, enhanced: bool, dataset: Dataset) -> Header:
    def get(read: Callable[[Dataset, str], Any], keyword: str) -> Any:
        try:
            return _same(read(dataset, keyword))
        except Exception:  # a value that cannot be converted; not quoted
            raise DamagedFile(f"a damaged DICOM file (its {keyword} cannot be read)") from None

    for keyword in ("SOPInstanceUID", "Modality", "StudyInstanceUID", "SeriesInstanceUID"):
        if not get(_text, keyword):
            raise DamagedFile(f"a DICOM file without a {keyword}: damaged or truncated")
    rows, columns = get(_whole, "Rows"), get(_whole, "Columns")
    return Header(
        path=path,
        kind=kind,
        enhanced=enhanced,
        sop_instance=get(_text, "SOPInstanceUID"),
        study=get(_text, "StudyInstanceUID"),
        series=get(_text, "SeriesInstanceUID"),
        patient=_same(patient_of(dataset)),
        frame_of_reference=get(_text, "FrameOfReferenceUID"),
        series_number=get(_whole, "SeriesNumber"),
        instance_number=get(_whole, "InstanceNumber"),
        image_type=get(_words, "ImageType"),
        shape=(rows, columns) if rows and columns else None,
        position=get(_numbers, "ImagePositionPatient"),
        orientation=get(_numbers, "ImageOrientationPatient"),
        pixel_spacing=get(_numbers, "PixelSpacing"),
        slope=get(_number, "RescaleSlope"),
        intercept=get(_number, "RescaleIntercept"),
        time=acquisition_time(dataset),
        attenuation_corrected=_attenuation_corrected(dataset),
        series_type=get(_words, "SeriesType"),
        units=get(_text, "Units").upper(),
        kernel=" ".join(get(_words, "ConvolutionKernel")),
        num_slices=get(_whole, "NumberOfSlices"),
        tilt=get(_number, "GantryDetectorTilt") or 0.0,
        lossy=get(_text, "LossyImageCompression") == "01",
        grey=(get(_whole, "SamplesPerPixel") or 1) == 1,
        references=_NO_REFERENCES,
    )


@lru_cache(maxsize=4096)
def _same(value: Any) -> Any:
    """One object for equal values, because the images of a series share most of them."""
    return value


def _values(dataset: Dataset, keyword: str) -> list[Any]:
    value = dataset.get(keyword)
    if value is None or value == "":
        return []
    return [value] if isinstance(value, str) or not hasattr(value, "__len__") else list(value)


def _text(dataset: Dataset, keyword: str) -> str:
    return " ".join(str(value).strip("\0 ") for value in _values(dataset, keyword))


def _words(dataset: Dataset, keyword: str) -> tuple[str, ...]:
    return tuple(str(value).strip("\0 ").upper() for value in _values(dataset, keyword))


def _numbers(dataset: Dataset, keyword: str) -> tuple[float, ...] | None:
    return tuple(float(value) for value in _values(dataset, keyword)) or None


def _number(dataset: Dataset, keyword: str) -> float | None:
    values = _numbers(dataset, keyword)
    return values[0] if values else None


def _whole(dataset: Dataset, keyword: str) -> int | None:
    values = _values(dataset, keyword)
    return int(values[0]) if values else None


def patient_of(dataset: Dataset) -> str:
    """The identity of a patient: the ID; where it is empty name and birth date; else each study is another patient."""
    name = _text(dataset, "PatientName")
    unnamed = f"{name}|{_text(dataset, 'PatientBirthDate')}" if name else _text(dataset, "StudyInstanceUID")
    return _text(dataset, "PatientID") or unnamed


def _attenuation_corrected(dataset: Dataset) -> bool | None:
    """None where unknown. Classic: CorrectedImage names ATTN, or the method is not empty; enhanced:
    AttenuationCorrected."""
    corrections, stated = _words(dataset, "CorrectedImage"), _text(dataset, "AttenuationCorrected").upper()
    if stated in ("YES", "NO"):
        return stated == "YES"
    if corrections:
        return "ATTN" in corrections
    method = _text(dataset, "AttenuationCorrectionMethod").upper()
    return method != "NONE" if method else None


def acquisition_time(dataset: Dataset) -> datetime | None:
    """The acquisition time of the image; where it has no minutes, the start of its series or study."""
    try:
        return read_date_time(_text(dataset, "AcquisitionDateTime")).replace(tzinfo=None)
    except ValueError:  # missing, imprecise or wrong
        pass
    for kind in ("Acquisition", "Series", "Study"):
        day = _text(dataset, f"{kind}Date") or _text(dataset, "SeriesDate") or _text(dataset, "StudyDate")
        try:
            return datetime.combine(read_date(day), read_time(_text(dataset, f"{kind}Time")))
        except ValueError:  # not worth a case: the time only helps to choose between several CTs
            continue
    return None
