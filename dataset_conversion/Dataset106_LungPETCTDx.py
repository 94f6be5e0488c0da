"""CTs of lung cancers with their histology, of Lung-PET-CT-Dx, to ``$ct2pet_raw/Dataset106_LungPETCTDx``.

The input is the collection as The Cancer Imaging Archive distributes it (doi 10.7937/TCIA.2020.NNC2-0461, CC BY 4.0):
Lung-PET-CT-Dx/Lung_Dx-A0001/STUDY/SERIES/*.dcm, and its annotations, Annotation/A0001/SOP_INSTANCE_UID.xml, boxes
around the tumour in single slices. The letter of a subject is the histology: A adenocarcinoma, B small cell, E large
cell, G squamous cell carcinoma. There are no benign lesions. A study compares two classes: --histology chooses them.

The CT series with most annotated slices of each subject is used; the mask contains the boxes, not the tumour's outline.
PETs are not used. Example: python -m dataset_conversion.Dataset106_LungPETCTDx -i Lung-PET-CT-Dx --annotations
Annotation
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from ct2pet.cli.arguments import add_folder, add_processes
from ct2pet.cli.command import command
from ct2pet.dicom.headers import CT, Header
from ct2pet.dicom.tree import scan_tree
from ct2pet.errors import DatasetError
from ct2pet.paths import raw_folder
from ct2pet.volume import Grid
from dataset_conversion._labelled_lesions import LabelledLesion, write_lesions

NAME = "Dataset106_LungPETCTDx"
HISTOLOGY = {"A": "adenocarcinoma", "B": "small_cell", "E": "large_cell", "G": "squamous_cell"}
CITATION = {
    "licence": "CC BY 4.0",
    "reference": "Li P, Wang S, Li T, Lu J, HuangFu Y, Wang D (2020), doi 10.7937/TCIA.2020.NNC2-0461",
    "source": "https://www.cancerimagingarchive.net/collection/lung-pet-ct-dx",
}
_SUBJECT = re.compile(r"Lung_Dx-(([A-Z])\d+)")
Boxes = Sequence[tuple[int, int, int, int]]  # first and last column, first and last row


def read_boxes(path: Path) -> Boxes:
    """The boxes of an annotation (Pascal VOC). Raises DatasetError for another file."""
    try:
        return [_box(one) for one in ElementTree.parse(path).getroot().iter("bndbox")]
    except (ElementTree.ParseError, ValueError) as error:
        raise DatasetError(f"{path}: not an annotation with boxes ({error})") from None


def _box(element: ElementTree.Element) -> tuple[int, int, int, int]:
    left, right, top, bottom = (round(float(element.findtext(side) or "")) for side in ("xmin", "xmax", "ymin", "ymax"))
    return left, right, top, bottom


def mask_of(boxes: Mapping[tuple[float, ...], Boxes], grid: Grid) -> np.ndarray:
    """(Z, Y, X), bool: the boxes of the slices at these positions (x, y, z in mm)."""
    mask = np.zeros(grid.shape, bool)
    to_index = np.linalg.inv(grid.affine)
    for position, own in boxes.items():
        z = round(float((to_index @ [*position, 1.0])[2]))
        for left, right, top, bottom in own:
            if 0 <= z < grid.shape[0]:
                mask[z, top : bottom + 1, left : right + 1] = True
    return mask


def find_lesions(source: Path, annotations: Path, letters: Sequence[str]) -> tuple[list[LabelledLesion], list[str]]:
    """The subjects with these letters that have annotations of a CT, and the unused ones, a line each."""
    lesions, left_out = [], []
    for folder in sorted(path for path in source.iterdir() if path.is_dir()):
        match = _SUBJECT.fullmatch(folder.name)
        if not match or match[2] not in letters:
            continue
        annotated = {path.stem: path for path in sorted((annotations / match[1]).glob("*.xml"))}
        found = {uid: path for uid, path in annotated.items() if read_boxes(path)}
        series = _annotated_series(folder, found)
        if not series:
            left_out.append(f"left out: {folder.name}: {'no annotation' if not found else 'no annotated CT'}")
            continue
        boxes = {header.position: read_boxes(found[header.sop_instance]) for header in series if header.position}
        place = series[0].path.parent
        lesions.append(LabelledLesion(folder.name, folder.name, HISTOLOGY[match[2]], place, partial(mask_of, boxes)))
    return lesions, left_out


def _annotated_series(folder: Path, annotated: Mapping[str, Path]) -> list[Header]:
    """The annotated slices of the CT series with most of them."""
    if not annotated:
        return []
    series = [one for one in scan_tree(folder).series if one.kind == CT]
    return max(([h for h in one.headers if h.sop_instance in annotated] for one in series), key=len, default=[])


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    add_folder(parser, "-i", "source", "folder with the subjects' folders (Lung_Dx-A0001, ...)")
    add_folder(parser, "--annotations", "annotations", "folder with the annotations (A0001, ...)")
    parser.add_argument(
        "--histology",
        nargs="+",
        choices=tuple(HISTOLOGY),
        default=["A", "G"],
        metavar="LETTER",
        help="adenocarcinoma (A), small cell (B), large cell (E), squamous cell (G) (default: A G)",
    )
    add_processes(parser)


def _execute(parsed: argparse.Namespace) -> None:
    for folder in (parsed.source, parsed.annotations):
        if not folder.is_dir():
            raise DatasetError(f"{folder}: no such folder")
    lesions, left_out = find_lesions(parsed.source, parsed.annotations, parsed.histology)
    for line in left_out:
        print(line)
    folder, condition = raw_folder() / NAME, ("histology", [HISTOLOGY[letter] for letter in parsed.histology])
    number = write_lesions(folder, lesions, condition, num_processes=parsed.num_processes, citation=CITATION)
    print(f"{folder}: {number} case(s)")


main = command("Dataset106_LungPETCTDx", __doc__ or "", _add_arguments, _execute)

if __name__ == "__main__":
    sys.exit(main(None))
