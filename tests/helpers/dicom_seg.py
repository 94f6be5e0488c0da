"""DICOM SEG objects made by highdicom, an implementation that is not ours."""

import highdicom as hd
import numpy as np
from dicom_files import uid
from pydicom.sr.codedict import codes


def segmentation(sources, masks, *, kind="BINARY", labels=None, number=60, **options):
    """A SEG object (in a list) on the grid of classic ``sources``.

    ``masks``: (segments, Z, Y, X) in the order of the sources, bool, or fractions for ``kind="FRACTIONAL"``.
    """
    descriptions = [
        hd.seg.SegmentDescription(
            segment_number=index + 1,
            segment_label=labels[index] if labels else f"Lesion {index + 1}",
            segmented_property_category=codes.SCT.MorphologicallyAbnormalStructure,
            segmented_property_type=codes.SCT.Neoplasm,
            algorithm_type="MANUAL",
        )
        for index in range(len(masks))
    ]
    array = np.moveaxis(np.asarray(masks), 0, -1)
    return [
        hd.seg.Segmentation(
            source_images=sources,
            pixel_array=array.astype(np.uint8 if kind == "BINARY" else np.float32),
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
