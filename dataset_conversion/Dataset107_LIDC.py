"""Pulmonary nodules of LIDC-IDRI with the radiologists' ratings of malignancy to ``$ct2pet_raw/Dataset107_LIDC``.

The input is the collection as The Cancer Imaging Archive distributes it (doi 10.7937/K9/TCIA.2015.LO9QL9SX, CC BY 3.0):
LIDC-IDRI/LIDC-IDRI-0001/STUDY/SERIES/*.dcm, and in each folder of a CT the XML file with the readings of four
radiologists. A nodule is a case where at least three of them outlined it with a rating of malignancy (1 to 5): benign
where their mean is below 3, malignant where it is above 3, not used where it is 3. The ratings are opinions: few
patients have a diagnosis. The mask contains the voxels inside at least half of the outlines.

Example: python -m dataset_conversion.Dataset107_LIDC -i LIDC-IDRI
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from ct2pet.cli.arguments import add_folder, add_processes
from ct2pet.cli.command import command
from ct2pet.dicom.contours import rasterise
from ct2pet.errors import DatasetError
from ct2pet.paths import raw_folder
from ct2pet.volume import Grid
from dataset_conversion._labelled_lesions import LabelledLesion, write_lesions

NAME = "Dataset107_LIDC"
CLASSES = ("benign", "malignant")
CITATION = {
    "licence": "CC BY 3.0",
    "reference": "Armato SG III et al., Med Phys 2011;38:915, doi 10.1118/1.3528204, 10.7937/K9/TCIA.2015.LO9QL9SX",
    "source": "https://www.cancerimagingarchive.net/collection/lidc-idri",
}
_LEAST_READERS, _MIDDLE = 3, 3.0


@dataclass(frozen=True)
class Outline:
    """A nodule as one radiologist outlined it. ``contours``: (n, 3) points x, y (pixels) and z (mm)."""

    reader: int
    malignancy: int
    contours: tuple[np.ndarray, ...]

    @property
    def box(self) -> tuple[np.ndarray, np.ndarray]:
        """Lowest and highest x, y (pixels) and z (mm)."""
        points = np.concatenate(self.contours)
        return points.min(axis=0), points.max(axis=0)


def read_outlines(path: Path) -> list[Outline]:
    """The outlined nodules with a rating in an XML file. Raises DatasetError where it is not XML."""
    try:
        root = ElementTree.parse(path).getroot()
    except ElementTree.ParseError as error:
        raise DatasetError(f"{path}: not an XML file ({error})") from None
    outlines = []
    for reader, session in enumerate(_all(root, "readingSession")):
        for nodule in _all(session, "unblindedReadNodule"):
            ratings = [int(one.text or 0) for one in _all(nodule, "malignancy")]
            contours = tuple(contour for roi in _all(nodule, "roi") if len(contour := _contour(roi)) > 2)
            if ratings and ratings[0] and contours:
                outlines.append(Outline(reader, ratings[0], contours))
    return outlines


def _all(parent: ElementTree.Element, name: str) -> Iterator[ElementTree.Element]:
    """Descendants by their name, in any namespace."""
    return (one for one in parent.iter() if one.tag.rsplit("}", 1)[-1] == name)


def _text(parent: ElementTree.Element, name: str) -> float:
    return float(next(_all(parent, name)).text or "nan")


def _contour(roi: ElementTree.Element) -> np.ndarray:
    z = _text(roi, "imageZposition")
    points = [(_text(edge, "xCoord"), _text(edge, "yCoord"), z) for edge in _all(roi, "edgeMap")]
    return np.array(points).reshape(-1, 3)


def nodules_of(outlines: Sequence[Outline]) -> list[list[Outline]]:
    """Outlines of one nodule together: their boxes overlap, directly or through others."""
    groups: list[list[Outline]] = []
    for outline in outlines:
        touching = [group for group in groups if any(_overlap(outline, other) for other in group)]
        groups = [group for group in groups if group not in touching]
        groups.append([outline, *(one for group in touching for one in group)])
    return groups


def _overlap(first: Outline, second: Outline) -> bool:
    (low, high), (other_low, other_high) = first.box, second.box
    return bool((low <= other_high).all() and (other_low <= high).all())


def mask_of(outlines: Sequence[Outline], grid: Grid) -> np.ndarray:
    """(Z, Y, X), bool: the voxels inside at least half of the outlines."""
    to_index = np.linalg.inv(grid.affine)
    inside = np.zeros(grid.shape, np.uint8)
    for outline in outlines:
        contours = []
        for contour in outline.contours:
            z = to_index[2, 2] * (contour[:, 2] - grid.origin[2])  # axial CTs: z depends only on the slice
            points = np.column_stack([contour[:, :2], z, np.ones(len(contour))])
            contours.append((points @ grid.affine.T)[:, :3])
        inside += rasterise(contours, grid)
    return 2 * inside >= len(outlines)


def find_lesions(source: Path) -> tuple[list[LabelledLesion], list[str]]:
    """The nodules with a class, and the unused ones, a line each."""
    lesions, left_out = [], {"rated 3 on average": 0, f"outlined by fewer than {_LEAST_READERS} readers": 0}
    for path in sorted(source.rglob("*.xml")):
        patient = path.relative_to(source).parts[0]
        for number, outlines in enumerate(nodules_of(read_outlines(path))):
            mean = float(np.mean([one.malignancy for one in outlines]))
            if len({one.reader for one in outlines}) < _LEAST_READERS:
                left_out[f"outlined by fewer than {_LEAST_READERS} readers"] += 1
            elif mean == _MIDDLE:
                left_out["rated 3 on average"] += 1
            else:
                name = f"{path.relative_to(source)} {number}"
                mask = partial(mask_of, outlines)
                lesions.append(LabelledLesion(name, patient, CLASSES[mean > _MIDDLE], path.parent, mask))
    return lesions, [f"left out: {count} nodule(s) {reason}" for reason, count in left_out.items() if count]


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    add_folder(parser, "-i", "source", "folder with the patients' folders (LIDC-IDRI-0001, ...)")
    add_processes(parser)


def _execute(parsed: argparse.Namespace) -> None:
    lesions, left_out = find_lesions(parsed.source)
    print("\n".join(left_out))
    folder, condition = raw_folder() / NAME, ("malignancy", CLASSES)
    number = write_lesions(folder, lesions, condition, num_processes=parsed.num_processes, citation=CITATION)
    print(f"{folder}: {number} case(s)")


main = command("Dataset107_LIDC", __doc__ or "", _add_arguments, _execute)

if __name__ == "__main__":
    sys.exit(main(None))
