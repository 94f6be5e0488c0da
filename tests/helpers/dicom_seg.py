"""DICOM SEG objects made by highdicom, an implementation that is not ours."""

import highdicom as hd
import numpy as np
from dicom_files import uid
from pydicom.sr.codedict import codes

LESION = (codes.SCT.MorphologicallyAbnormalStructure, codes.SCT.Neoplasm)


def segmentation(sources, masks, *, kind="BINARY", labels=None, meanings=None, numbers=None, number=60, **options):
    """A SEG object (in a list) on the grid of classic ``sources``.

    ``masks``: (segments, Z, Y, X) in the order of the sources, bool, or fractions for ``kind="FRACTIONAL"``.
    ``meanings``: category and type of each segment, neoplasms by default; ``numbers``: of the segments of a LABELMAP.
    """
    meanings, numbers = meanings or [LESION] * len(masks), numbers or list(range(1, len(masks) + 1))
    descriptions = [
        hd.seg.SegmentDescription(
            segment_number=numbers[index],
            segment_label=labels[index] if labels else f"Lesion {index + 1}",
            segmented_property_category=meanings[index][0],
            segmented_property_type=meanings[index][1],
            algorithm_type="MANUAL",
        )
        for index in range(len(masks))
    ]
    array = np.moveaxis(np.asarray(masks), 0, -1).astype(np.float32 if kind == "FRACTIONAL" else np.uint8)
    if kind == "LABELMAP":
        array = (array * np.array(numbers, np.uint16)).max(axis=-1)
    return [
        hd.seg.Segmentation(
            source_images=sources,
            pixel_array=array,
            segmentation_type=kind,
            segment_descriptions=descriptions,
            series_instance_uid=uid(),
            series_number=number,
            sop_instance_uid=uid(),
            instance_number=1,
            manufacturer="ACME",
            manufacturer_model_name="Synthetic",
            software_versions="1",
            device_serial_number="1",
            **options,
        )
    ]
