"""CTs (and PETs) of lung cancers with their histology, of Lung-PET-CT-Dx, to ``$ct2pet_raw/Dataset106_LungPETCTDx``.

The input is the collection as The Cancer Imaging Archive distributes it (doi 10.7937/TCIA.2020.NNC2-0461, CC BY 4.0):
Lung-PET-CT-Dx/Lung_Dx-A0001/STUDY/SERIES/*.dcm, and its annotations, Annotation/A0001/SOP_INSTANCE_UID.xml, boxes
around the tumour in single slices. The letter of a subject is the histology: A adenocarcinoma, B small cell, E large
cell, G squamous cell carcinoma. There are no benign lesions. A study compares two classes: --histology chooses them.

The CT series with most annotated slices of each subject is used; the mask contains the boxes, not the tumour's outline.
With --pet only subjects with a PET in the study of that CT are used, and the PET (SUV) becomes a second image.
Example: python -m dataset_conversion.Dataset106_LungPETCTDx -i Lung-PET-CT-Dx --annotations Annotation --pet
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
from ct2pet.conversion.series_facts import stack_headers, suv_of_slices
from ct2pet.dicom.headers import CT, Header
from ct2pet.dicom.pairing import pair_images
from ct2pet.dicom.pixels import read_pet
from ct2pet.dicom.series import Stack
from ct2pet.dicom.tree import Tree, scan_tree
from ct2pet.errors import DatasetError, ImageError
from ct2pet.paths import raw_folder
from ct2pet.volume import Grid, Volume
from dataset_conversion._labelled_lesions import LabelledLesion, write_lesions

NAME = "Dataset106_LungPETCTDx"
HISTOLOGY = {"A": "adenocarcinoma", "B": "small_cell", "E": "large_cell", "G": "squamous_cell"}
CITATION = {
    "licence": "CC BY 4.0",
    "reference": "Li P, Wang S, Li T, Lu J, HuangFu Y, Wang D (2020), doi 10.7937/TCIA.2020.NNC2-0461",
    "source": "https://www.cancerimagingarchive.net/collection/lung-pet-ct-dx",
}
_SUBJECT = re.compile(r"Lung_Dx-(([A-Z])\d+)")
_REMEDY = re.compile(r": give .* in --weights_csv")  # an option of ct2pet_convert_dicom
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


def find_lesions(
    source: Path, annotations: Path, letters: Sequence[str], with_pet: bool = False
) -> tuple[list[LabelledLesion], list[str]]:
    """The subjects with these letters that have annotations of a CT, and ``with_pet`` a PET too; and the unused ones, a
    line each."""
    lesions, left_out = [], []
    for folder in sorted(path for path in source.iterdir() if path.is_dir()):
        match = _SUBJECT.fullmatch(folder.name)
        if not match or match[2] not in letters:
            continue
        annotated = {path.stem: path for path in sorted((annotations / match[1]).glob("*.xml"))}
        found = {uid: path for uid, path in annotated.items() if read_boxes(path)}
        tree = scan_tree(folder) if found else None
        series = _annotated_series(tree, found) if tree else []
        pet = _pet_of(tree, series[0].study) if tree and series and with_pet else None
        problem = _problem(bool(found), bool(series), with_pet and pet is None)
        if problem:
            left_out.append(f"left out: {folder.name}: {problem}")
            continue
        boxes = {header.position: read_boxes(found[header.sop_instance]) for header in series if header.position}
        place = series[0].path.parent
        read = None if pet is None else partial(read_suv, pet)
        label, mask = HISTOLOGY[match[2]], partial(mask_of, boxes)
        lesions.append(LabelledLesion(folder.name, folder.name, label, place, mask, read))
    return lesions, left_out


def _problem(annotated: bool, in_ct: bool, lacks_pet: bool) -> str:
    """Why a subject is left out; empty where it is not."""
    if not annotated:
        return "no annotation"
    if not in_ct:
        return "no annotated CT"
    return "no PET that can be used in the study of the annotated CT" if lacks_pet else ""


def _pet_of(tree: Tree, study: str) -> Stack | None:
    """The attenuation-corrected PET of a study that shows most of the body."""
    return next((exam.pet.stack for exam in pair_images(tree)[0] if exam.study == study), None)


def read_suv(stack: Stack) -> Volume:
    """The PET in SUV. Raises ImageError where the headers do not suffice for SUV."""
    try:
        factors = suv_of_slices(stack, stack_headers(stack)).factors
    except ImageError as error:
        raise ImageError(f"no SUV: {_REMEDY.sub('', str(error))}") from None
    return read_pet(stack, factors)


def _annotated_series(tree: Tree, annotated: Mapping[str, Path]) -> list[Header]:
    """The annotated slices of the CT series with most of them."""
    series = [one for one in tree.series if one.kind == CT]
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
    parser.add_argument("--pet", action="store_true", help="PET and CT, of the subjects that have both in one study")
    add_processes(parser)


def _execute(parsed: argparse.Namespace) -> None:
    for folder in (parsed.source, parsed.annotations):
        if not folder.is_dir():
            raise DatasetError(f"{folder}: no such folder")
    lesions, left_out = find_lesions(parsed.source, parsed.annotations, parsed.histology, parsed.pet)
    for line in left_out:
        print(line)
    folder, condition = raw_folder() / NAME, ("histology", [HISTOLOGY[letter] for letter in parsed.histology])
    number = write_lesions(folder, lesions, condition, num_processes=parsed.num_processes, citation=CITATION)
    print(f"{folder}: {number} case(s)")


main = command("Dataset106_LungPETCTDx", __doc__ or "", _add_arguments, _execute)

if __name__ == "__main__":
    sys.exit(main(None))
