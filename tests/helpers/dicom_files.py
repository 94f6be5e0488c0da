"""Synthetic DICOM for the tests: data sets whose numbers are known, to be changed at will and written.

``ct_series``, ``pet_series``, ``enhanced_ct``, ``enhanced_pet``, ``localiser`` and ``secondary_capture`` return lists
of pydicom data sets; ``write`` saves them. Tags are given by keyword (``PatientWeight=70``); ``None`` leaves a tag out.
RTSTRUCT and identifiers in every text tag are in ``dicom_objects``.
"""

from copy import deepcopy
from dataclasses import dataclass, replace
from itertools import count

import numpy as np
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRLittleEndian, generate_uid
from pydicom.valuerep import DSfloat

from ct2pet.volume import Grid

CT_IMAGE, ENHANCED_CT = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.2.1"
PET_IMAGE, ENHANCED_PET = "1.2.840.10008.5.1.4.1.1.128", "1.2.840.10008.5.1.4.1.1.130"
SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"

CT_GRID = Grid((12, 16, 18), (3.0, 2.0, 2.0), (-17.0, -15.0, -500.0))
PET_GRID = Grid((9, 8, 9), (4.0, 4.0, 4.0), (-16.0, -14.0, -499.5))
TILTED = (0.9921147013144779, 0.12533323356430426, 0.0, -0.12533323356430426, 0.9921147013144779, 0.0, 0.0, 0.0, 1.0)
"""In-plane axes turned by 7.2 degrees about z, for ``Grid(direction=...)``."""

_numbers = count()


def uid(*sources):
    """A valid UID: always the same for the same sources, a new one where there are none."""
    return generate_uid(entropy_srcs=["ct2pet", *(map(str, sources or [next(_numbers), "new"]))])


@dataclass(frozen=True)
class Study:
    """What the objects of one study of one patient share."""

    patient: str = "PAT1"
    study: str = "1"
    frame: str = "1"
    date: str = "20200102"
    time: str = "080000"
    weight: float | None = 70.0

    def tags(self):
        return {
            "SpecificCharacterSet": "ISO_IR 192",
            "PatientName": f"Name^{self.patient}",
            "PatientID": self.patient,
            "PatientBirthDate": "19500101",
            "PatientSex": "F",
            "PatientWeight": self.weight,
            "PatientSize": 1.7,
            "StudyInstanceUID": uid("study", self.patient, self.study),
            "StudyDate": self.date,
            "StudyTime": self.time,
            "StudyID": self.study,
            "AccessionNumber": f"ACC{self.study}",
            "ReferringPhysicianName": "",
            "FrameOfReferenceUID": uid("frame", self.patient, self.frame),
            "PositionReferenceIndicator": "",
            "Manufacturer": "ACME",
            "ManufacturerModelName": "Synthetic",
        }

    def later(self, study="2", date="20200702"):
        """Another study of the same patient."""
        return replace(self, study=study, date=date, frame=f"{self.frame}-{study}")


def put(dataset, tags):
    """Set tags by keyword; None removes; a number of a decimal string is shortened to its 16 characters."""
    for keyword, value in tags.items():
        if value is None:
            if keyword in dataset:
                delattr(dataset, keyword)
        else:
            setattr(dataset, keyword, _decimal(value))
    return dataset


def _decimal(value):
    if isinstance(value, float):
        return DSfloat(value, auto_format=True)
    if isinstance(value, (list, tuple)) and value and all(isinstance(v, float) for v in value):
        return [DSfloat(v, auto_format=True) for v in value]
    return value


def item(**tags):
    return put(Dataset(), tags)


def code(value, scheme, meaning):
    return Sequence([item(CodeValue=value, CodingSchemeDesignator=scheme, CodeMeaning=meaning)])


def new_object(sop_class, study, series, modality, number=1, **tags):
    """A data set with patient, study, series and SOP common tags, and its file meta information."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = sop_class
    meta.MediaStorageSOPInstanceUID = uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    put(dataset, study.tags())
    put(
        dataset,
        {
            "SOPClassUID": sop_class,
            "SOPInstanceUID": meta.MediaStorageSOPInstanceUID,
            "Modality": modality,
            "SeriesInstanceUID": uid("series", study.patient, study.study, series),
            "SeriesNumber": number,
            "SeriesDescription": str(series),
            **tags,
        },
    )
    return dataset


def pixels(dataset, stored, signed):
    """Put 16-bit pixels (rows, columns) or (frames, rows, columns) into a data set."""
    rows, columns = stored.shape[-2:]
    if stored.ndim == 3:
        dataset.NumberOfFrames = stored.shape[0]
    put(dataset, {"Rows": rows, "Columns": columns, "SamplesPerPixel": 1, "PhotometricInterpretation": "MONOCHROME2"})
    put(dataset, {"BitsAllocated": 16, "BitsStored": 16, "HighBit": 15, "PixelRepresentation": int(signed)})
    dataset.PixelData = stored.astype("<i2" if signed else "<u2").tobytes()


def orientation(grid):
    return [*grid.affine[:3, 0] / grid.spacing[2], *grid.affine[:3, 1] / grid.spacing[1]]


def position(grid, z):
    return [float(value) for value in (grid.affine @ [0, 0, z, 1])[:3]]


def _plane(grid):
    return {
        "ImageOrientationPatient": [float(value) for value in orientation(grid)],
        "PixelSpacing": [float(grid.spacing[1]), float(grid.spacing[2])],
        "SliceThickness": float(grid.spacing[0]),
    }


def ramp(grid, low, high):
    """(Z, Y, X): numbers that differ in every voxel, from low to high."""
    return np.linspace(low, high, int(np.prod(grid.shape))).reshape(grid.shape)


def ct_series(study=None, grid=CT_GRID, array=None, series="CT", number=2, **tags):
    """Classic CT slices in ascending z of the grid: ``array`` (Z, Y, X) in HU, integers; slope 1, intercept -1024."""
    array = np.rint(ramp(grid, -1000, 1500)) if array is None else array
    fixed = {"ImageType": ["ORIGINAL", "PRIMARY", "AXIAL"], "RescaleIntercept": -1024.0, "RescaleSlope": 1.0}
    fixed |= {"KVP": 120.0, "GantryDetectorTilt": 0.0, "RescaleType": "HU", "AcquisitionTime": "080500"}
    series_tags = {"SeriesDate": (study or Study()).date, "SeriesTime": "080500"}
    datasets = []
    for z in range(grid.shape[0]):
        place = {"ImagePositionPatient": position(grid, z), "InstanceNumber": z + 1}
        merged = {**_plane(grid), **fixed, **series_tags, **place, **tags}
        datasets.append(new_object(CT_IMAGE, study or Study(), series, "CT", number, **merged))
        pixels(datasets[-1], array[z] + 1024, signed=False)
    return datasets


def radiopharmaceutical(**tags):
    """One item of (0054,0016): FDG, 350 MBq, injected at 08:00:00, half-life 6586.2 s."""
    standard = {"Radiopharmaceutical": "FDG", "RadiopharmaceuticalStartTime": "080000"}
    standard |= {"RadionuclideTotalDose": 350e6, "RadionuclideHalfLife": 6586.2, "RadionuclidePositronFraction": 0.97}
    standard["RadionuclideCodeSequence"] = code("C-111A1", "SRT", "^18^Fluorine")
    return item(**{**standard, **tags})


def pet_series(study=None, grid=PET_GRID, array=None, series="PET", number=3, drug=None, slopes=None, **tags):
    """Classic PET slices: ``array`` (Z, Y, X) in the unit that the tags name (Bq/ml, decay corrected to the start).

    ``slopes``: the rescale slope of each slice; as scanners do, one that fills 15 bits by default. ``drug``: the item
    of (0054,0016), or None for ``radiopharmaceutical()``. What the stored, rounded values mean: ``values(datasets)``.
    """
    array = ramp(grid, 0, 30000) if array is None else array
    slopes = [max(float(plane.max()), 1e-3) / 32767 for plane in array] if slopes is None else slopes
    fixed = {"ImageType": ["ORIGINAL", "PRIMARY"], "Units": "BQML", "DecayCorrection": "START", "RescaleIntercept": 0.0}
    fixed |= {"CorrectedImage": ["DECY", "ATTN", "SCAT", "DTIM", "RAN", "DCAL", "NORM"], "CountsSource": "EMISSION"}
    fixed |= {
        "SeriesType": ["WHOLE BODY", "IMAGE"],
        "NumberOfSlices": grid.shape[0],
        "AttenuationCorrectionMethod": "CT",
    }
    fixed |= {"SeriesDate": (study or Study()).date, "SeriesTime": "090000", "AcquisitionTime": "090000"}
    fixed |= {"AcquisitionDate": (study or Study()).date, "FrameReferenceTime": 0.0, "ActualFrameDuration": 120000}
    fixed |= {"RandomsCorrectionMethod": "DLYD", "DecayFactor": 1.0}
    datasets = []
    for z in range(grid.shape[0]):
        place = {"ImagePositionPatient": position(grid, z), "InstanceNumber": z + 1, "ImageIndex": z + 1}
        slope = DSfloat(float(slopes[z]), auto_format=True)
        merged = {**_plane(grid), **fixed, **place, "RescaleSlope": slope, **tags}
        datasets.append(new_object(PET_IMAGE, study or Study(), series, "PT", number, **merged))
        datasets[-1].RadiopharmaceuticalInformationSequence = Sequence([deepcopy(drug or radiopharmaceutical())])
        pixels(datasets[-1], np.rint(array[z] / float(slope)), signed=True)
    return datasets


def values(datasets):
    """(Z, Y, X): what the stored values of classic slices mean: slope times value plus intercept, each slice's own."""
    return np.stack([d.pixel_array * float(d.RescaleSlope) + float(d.RescaleIntercept) for d in datasets])


def _frames(dataset, grid, slopes, intercept, frame_tags, order=None):
    """The functional groups of a multi-frame object; ``order``: the slices of the frames, ascending by default."""
    plane = _plane(grid)
    measures = item(PixelSpacing=plane["PixelSpacing"], SliceThickness=plane["SliceThickness"])
    axes = item(ImageOrientationPatient=plane["ImageOrientationPatient"])
    shared = item(PixelMeasuresSequence=Sequence([measures]), PlaneOrientationSequence=Sequence([axes]))
    dataset.SharedFunctionalGroupsSequence = Sequence([shared])
    frames = []
    for z, slope in zip(order if order is not None else range(grid.shape[0]), slopes):
        rescale = item(RescaleIntercept=intercept, RescaleSlope=float(slope), RescaleType="US")
        content = item(**frame_tags, DimensionIndexValues=[len(frames) + 1])
        place = Sequence([item(ImagePositionPatient=position(grid, z))])
        groups = {"PlanePositionSequence": place, "FrameContentSequence": Sequence([content])}
        frames.append(item(**groups, PixelValueTransformationSequence=Sequence([rescale])))
    dataset.PerFrameFunctionalGroupsSequence = Sequence(frames)


def enhanced_ct(study=None, grid=CT_GRID, array=None, series="Enhanced CT", number=2, order=None, **tags):
    """One Enhanced CT object (in a list); ``order``: which slice each frame is."""
    array = np.rint(ramp(grid, -1000, 1500)) if array is None else array
    fixed = {"ImageType": ["ORIGINAL", "PRIMARY", "VOLUME", "NONE"], "AcquisitionDateTime": "20200102080500"}
    dataset = new_object(ENHANCED_CT, study or Study(), series, "CT", number, InstanceNumber=1, **{**fixed, **tags})
    order = list(range(grid.shape[0])) if order is None else order
    _frames(dataset, grid, [1.0] * len(order), -1024.0, {"FrameAcquisitionDateTime": "20200102080500"}, order)
    pixels(dataset, array[order] + 1024, signed=False)
    return [dataset]


BECQUEREL = ("Bq/ml", "UCUM", "Becquerels/milliliter")
SUV_BODY_WEIGHT = ("g/ml{SUVbw}", "UCUM", "Standardized Uptake Value body weight")


def enhanced_pet(
    study=None, grid=PET_GRID, array=None, series="Enhanced PET", number=3, drug=None, units=BECQUEREL, **tags
):
    """One Enhanced PET object (in a list): real world values in ``units``, decay corrected to 09:00:00."""
    array = ramp(grid, 0, 30000) if array is None else array
    slopes = [float(DSfloat(max(float(plane.max()), 1e-3) / 32767, auto_format=True)) for plane in array]
    fixed = {"ImageType": ["ORIGINAL", "PRIMARY", "WHOLE_BODY", "NONE"], "AcquisitionDateTime": "20200102090000"}
    fixed |= {"DecayCorrected": "YES", "DecayCorrectionDateTime": "20200102090000", "AttenuationCorrected": "YES"}
    dataset = new_object(ENHANCED_PET, study or Study(), series, "PT", number, InstanceNumber=1, **{**fixed, **tags})
    default = {"RadiopharmaceuticalStartDateTime": "20200102080000", "RadiopharmaceuticalStartTime": None}
    dataset.RadiopharmaceuticalInformationSequence = Sequence([drug or radiopharmaceutical(**default)])
    _frames(dataset, grid, slopes, 0.0, {"FrameAcquisitionDateTime": "20200102090000"})
    for frame, slope in zip(dataset.PerFrameFunctionalGroupsSequence, slopes):
        mapping = item(RealWorldValueIntercept=0, RealWorldValueSlope=0, LUTLabel="PET", LUTExplanation="")
        mapping.RealWorldValueFirstValueMapped, mapping.RealWorldValueLastValueMapped = 0, 32767
        mapping.RealWorldValueIntercept, mapping.RealWorldValueSlope = 0.0, slope
        mapping.MeasurementUnitsCodeSequence = code(*units)
        frame.RealWorldValueMappingSequence = Sequence([mapping])
    pixels(dataset, np.rint(array / np.reshape(slopes, (-1, 1, 1))), signed=False)
    return [dataset]


def localiser(study=None, series="Scout", number=1):
    """Two CT scouts, frontal and lateral."""
    axes = ([1.0, 0.0, 0.0, 0.0, 0.0, -1.0], [0.0, 1.0, 0.0, 0.0, 0.0, -1.0])
    kind = {"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]}
    grid = Grid((1, 16, 18), (1.0, 2.0, 2.0))
    return [ct_series(study, grid, series=series, number=number, **kind, ImageOrientationPatient=a)[0] for a in axes]


def secondary_capture(study=None, series="Screen save", number=99, modality="CT", **tags):
    """A screenshot: no position in space."""
    capture = new_object(SECONDARY_CAPTURE, study or Study(), series, modality, number, InstanceNumber=1, **tags)
    put(capture, {"FrameOfReferenceUID": None, "ConversionType": "WSD", "ImageType": ["DERIVED", "SECONDARY"]})
    pixels(capture, np.arange(64).reshape(8, 8), signed=False)
    return [capture]


def write(datasets, folder, names="{:04d}.dcm"):
    """Save the data sets into ``folder`` (made where it does not exist); returns the paths."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / names.format(index) for index in range(len(datasets))]
    for dataset, path in zip(datasets, paths):
        dataset.save_as(path, enforce_file_format=True)
    return paths
