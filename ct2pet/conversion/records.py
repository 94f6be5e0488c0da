"""The conversion record of each case, ``conversion/CASE.json`` in the dataset. It is written last and marks a complete
case.

A record contains no patient name, date, file name or UID. Its ``source`` is a digest of the UIDs of all used images,
its ``series`` one of those of the study and the PET series: they identify an examination that is known, but no
examination can be derived from them.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ct2pet.dataset import read_dataset_json
from ct2pet.dataset.raw import SPLITS
from ct2pet.dicom.pairing import Exam
from ct2pet.errors import DatasetError
from ct2pet.files import read_json, remove_partial_files, write_json
from ct2pet.layout import DATASET
from ct2pet.locks import folder_lock
from ct2pet.schema import read_as

RECORDS = "conversion"
FILE_ENDING = ".nii.gz"
_COST = {"n": 2**14, "r": 8, "p": 1}  # of scrypt: two UIDs have fewer possible values than those of all images
_EARLIER_DESCRIPTION = ".dataset.json"  # in RECORDS, of a dataset that is being extended
IMAGES = {"images": "_0000", "targets": "", "lesions": ""}


@dataclass(frozen=True)
class Record:
    """One case. ``patient``: its number in the dataset. ``suv``: the source of the SUV. ``notes``: for the user to
    check. ``series``: empty in records of earlier versions and of other sources."""

    patient: str
    source: str
    sex: str
    age: str
    ct: Mapping[str, Any]
    pet: Mapping[str, Any]
    suv: str
    lesions: bool
    notes: tuple[str, ...]
    series: str = ""

    def __post_init__(self) -> None:
        shapes = [facts["shape"] for facts in (self.ct, self.pet) if "shape" in facts]
        if not all(isinstance(shape, Sequence) and len(shape) == 3 for shape in shapes):
            raise ValueError("the shape of ct and pet must be three numbers")

    @property
    def choice(self) -> str:
        """The used series and the source of the SUV, in one line of numbers."""
        return f"{_in_words('PET', self.pet)} with {_in_words('CT', self.ct)}; {self.suv}"


def _in_words(kind: str, facts: Mapping[str, Any]) -> str:
    number, shape = facts.get("series_number"), facts.get("shape")
    series = kind if number is None else f"{kind} series {number}"
    return series if shape is None else f"{series} ({shape[0]} slices)"


def source_digest(exam: Exam) -> str:
    """Equal for the same images, independent of their path; different for any other choice of images."""
    instances = (header.sop_instance for placed in (exam.pet, exam.ct) for header in placed.series.headers)
    return hashlib.blake2b("\n".join(sorted(instances)).encode(), digest_size=16).hexdigest()


def series_digest(study: str, series: str) -> str:
    """Equal for the same PET series, also where images are missing or the CT is another one. Slow on purpose, so that
    UIDs cannot be tried out."""
    return hashlib.scrypt(
        f"{study}\n{series}".encode(errors="surrogateescape"), salt=b"ct2pet", dklen=16, **_COST
    ).hex()


def case_file(folder: Path, kind: str, split: str, case: str) -> Path:
    """``kind``: images, targets or lesions; ``split``: Tr or Ts."""
    return folder / f"{kind}{split}" / f"{case}{IMAGES[kind]}{FILE_ENDING}"


def image_path(folder: Path, kind: str, case: str) -> Path:
    """The path of a case's file, which need not exist (a split may have moved it to the test cases); ``kind``: images,
    targets or lesions."""
    test = case_file(folder, kind, "Ts", case)
    return test if test.is_file() else case_file(folder, kind, "Tr", case)


def has_images(folder: Path, case: str) -> bool:
    return all(image_path(folder, kind, case).is_file() for kind in ("images", "targets"))


def read_records(folder: Path) -> dict[str, Record]:
    """The records of the cases of a dataset with existing images. Raises DatasetError where one is damaged."""
    return {case: record for case, record in all_records(folder).items() if has_images(folder, case)}


def all_records(folder: Path) -> dict[str, Record]:
    """As ``read_records``, also of cases without their images."""
    remedy = "remove it to convert the case again"
    return {path.stem: read_as(path, Record, DatasetError, remedy) for path in sorted(_record_files(folder))}


def _record_files(folder: Path) -> Iterator[Path]:
    return (folder / RECORDS).glob("[!.]*.json")


def record_path(folder: Path, case: str) -> Path:
    return folder / RECORDS / f"{case}.json"


def write_record(path: Path, record: Record) -> None:
    write_json(path, asdict(record))


def remove_case(folder: Path, case: str) -> None:
    """Remove the files of a case, its record first, so that an interruption leaves no case that appears complete."""
    record_path(folder, case).unlink(missing_ok=True)
    for kind in IMAGES:
        image_path(folder, kind, case).unlink(missing_ok=True)


@contextlib.contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Inside the block no other conversion writes into the dataset: it would give the same names to other cases. The
    folder of a dataset that has no case after the block is removed, so that its number stays free. Raises Ct2PetError
    where another process converts into it."""
    entered = False
    try:
        with folder_lock(folder / RECORDS, "a conversion"):
            entered = True
            yield
    finally:
        if entered and not any(_record_files(folder)):
            with contextlib.suppress(OSError):  # a folder with other files stays
                for path in folder.iterdir():
                    path.rmdir()
                folder.rmdir()


def begin_conversion(folder: Path, prefix: str, kept: Collection[str]) -> None:
    """Prepare the folder of a dataset for a conversion: without dataset.json, which is written last (see
    ``restore_description``), and without the remains of a killed conversion (see ``_remove_unfinished``), which are in
    no case of ``kept``. Raises DatasetError where an existing dataset.json is invalid."""
    (folder / RECORDS).mkdir(parents=True, exist_ok=True)
    if (folder / DATASET).exists():
        read_dataset_json(folder)
        (folder / DATASET).replace(folder / RECORDS / _EARLIER_DESCRIPTION)
    _remove_unfinished(folder, prefix, kept)


def restore_description(folder: Path, num_training: int) -> bool:
    """Write the dataset.json from before ``begin_conversion``, which a user may have changed, with another number of
    training cases; False where there was none."""
    earlier = folder / RECORDS / _EARLIER_DESCRIPTION
    if not earlier.exists():
        return False
    write_json(folder / DATASET, {**read_json(earlier, DatasetError), "numTraining": num_training})
    earlier.unlink()
    return True


def _remove_unfinished(folder: Path, prefix: str, kept: Collection[str]) -> None:
    """Remove the remains of a killed conversion: images of other cases (``prefix``_NNNN) than ``kept``, temporary
    files."""
    for place in (folder, folder / RECORDS, *(folder / f"{kind}{split}" for kind in IMAGES for split in SPLITS)):
        if place.is_dir():
            remove_partial_files(place)
    for kind, channel in IMAGES.items():
        for path in folder.glob(f"{kind}T[rs]/{prefix}_*{channel}{FILE_ENDING}"):
            case = path.name.removesuffix(f"{channel}{FILE_ENDING}")
            if case not in kept:
                path.unlink()
