"""RT structure sets, and identifiers in every text tag, for the tests (the images are in ``dicom_files``)."""

from dicom_files import Study, item, new_object
from pydicom.sequence import Sequence

RTSTRUCT = "1.2.840.10008.5.1.4.1.1.481.3"

IDENTIFYING = {
    "PN": "PatientName PatientBirthName PatientMotherBirthName ReferringPhysicianName PerformingPhysicianName "
    "OperatorsName PhysiciansOfRecord RequestingPhysician NameOfPhysiciansReadingStudy ResponsiblePerson "
    "OtherPatientNames",
    "LO": "PatientID OtherPatientIDs IssuerOfPatientID InstitutionName StudyDescription SeriesDescription ProtocolName "
    "PatientAddress MilitaryRank BranchOfService DeviceSerialNumber InstitutionalDepartmentName CountryOfResidence "
    "RegionOfResidence CurrentPatientLocation PatientInstitutionResidence RequestedProcedureDescription "
    "PerformedProcedureStepDescription AdmissionID PatientReligiousPreference MedicalAlerts Allergies "
    "ContrastBolusAgent",
    "SH": "AccessionNumber StudyID StationName PatientTelephoneNumbers EthnicGroup Occupation PerformedProcedureStepID "
    "RequestedProcedureID",
    "ST": "InstitutionAddress",
    "LT": "PatientComments ImageComments AdditionalPatientHistory AcquisitionComments StudyComments VisitComments",
}
"""Text tags that may say who the patient is, by value representation."""


def plant_identifiers(datasets, secret="ZZSECRET", birth="19321231"):
    """Put identifiers into every text tag that may carry one, private ones too; returns the planted strings.

    Every value contains ``secret`` or is ``birth``: a test looks for these two in all that comes out.
    """
    for dataset in datasets:
        for representation, keywords in IDENTIFYING.items():
            for number, keyword in enumerate(keywords.split()):
                value = f"{secret}{representation}{number}"
                setattr(dataset, keyword, f"{value}^Ann" if representation == "PN" else value)
        dataset.PatientBirthDate = birth
        block = dataset.private_block(0x0011, f"{secret} PRIVATE", create=True)
        block.add_new(0x01, "LO", f"{secret} private")
        for drug in dataset.get("RadiopharmaceuticalInformationSequence", []):
            drug.Radiopharmaceutical = f"{secret} FDG"
    return [secret, birth]


def rtstruct(rois, study=None, referenced=(), series="Structures", number=50, **tags):
    """A structure set: ``rois`` is {name: [contour, ...]}, a contour (n, 3) points in LPS mm, or (kind, points).

    ``referenced``: the data sets of the image series that the contours were drawn on.
    """
    dataset = new_object(RTSTRUCT, study or Study(), series, "RTSTRUCT", number, InstanceNumber=1)
    dataset.StructureSetLabel = "RT"
    if referenced:
        dataset.ReferencedFrameOfReferenceSequence = Sequence([_reference(referenced)])
    frame = (referenced[0] if referenced else dataset).FrameOfReferenceUID
    dataset.StructureSetROISequence = Sequence(
        item(ROINumber=n, ReferencedFrameOfReferenceUID=frame, ROIName=name, ROIGenerationAlgorithm="MANUAL")
        for n, name in enumerate(rois, 1)
    )
    dataset.ROIContourSequence = Sequence(
        item(ReferencedROINumber=n, ContourSequence=Sequence(_contour(c) for c in contours))
        for n, contours in enumerate(rois.values(), 1)
    )
    dataset.RTROIObservationsSequence = Sequence(
        item(ObservationNumber=n, ReferencedROINumber=n, RTROIInterpretedType="", ROIInterpreter="")
        for n, _ in enumerate(rois, 1)
    )
    for keyword, value in tags.items():
        setattr(dataset, keyword, value)
    return [dataset]


def _reference(referenced):
    images = [item(ReferencedSOPClassUID=d.SOPClassUID, ReferencedSOPInstanceUID=d.SOPInstanceUID) for d in referenced]
    series = item(SeriesInstanceUID=referenced[0].SeriesInstanceUID, ContourImageSequence=Sequence(images))
    study = item(ReferencedSOPClassUID="1.2.840.10008.3.1.2.3.1", RTReferencedSeriesSequence=Sequence([series]))
    study.ReferencedSOPInstanceUID = referenced[0].StudyInstanceUID
    frame = item(FrameOfReferenceUID=referenced[0].FrameOfReferenceUID)
    frame.RTReferencedStudySequence = Sequence([study])
    return frame


def _contour(contour):
    kind, points = contour if isinstance(contour, tuple) else ("CLOSED_PLANAR", contour)
    numbers = [float(value) for point in points for value in point]
    return item(ContourGeometricType=kind, NumberOfContourPoints=len(points), ContourData=numbers)
