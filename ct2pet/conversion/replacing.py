"""The new files of a case: complete before they take the place of earlier ones, which an error leaves as they are."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ct2pet.conversion.records import IMAGES, Record, case_file, record_path, write_record
from ct2pet.dataset.raw import SPLITS

TEMPORARY = ".partial-new-"  # begins like the names that ``remove_partial_files`` removes after a killed run


class NewFiles:
    """Temporary paths for the files of a case, in the split of its earlier ones."""

    def __init__(self, folder: Path, case: str) -> None:
        self._folder, self._case = folder, case
        test = any(case_file(folder, kind, "Ts", case).is_file() for kind in IMAGES)
        self._split = "Ts" if test else "Tr"
        self._paths: dict[str, Path] = {}

    def path(self, kind: str) -> Path:
        """Where to write a file; ``kind``: images, targets or lesions."""
        self._paths[kind] = case_file(self._folder, kind, self._split, self._case)
        return _temporary(self._paths[kind])

    def put_in_place(self, record: Record) -> None:
        """Replace the case. Between the first and the last step it has no PET and no record, and so is no case."""
        final = record_path(self._folder, self._case)
        write_record(_temporary(final), record)
        final.unlink(missing_ok=True)
        for split in SPLITS:
            for kind in IMAGES:
                if kind == "targets" or kind not in self._paths or split != self._split:
                    case_file(self._folder, kind, split, self._case).unlink(missing_ok=True)
        for kind in sorted(self._paths, key=lambda kind: kind == "targets"):
            _temporary(self._paths[kind]).replace(self._paths[kind])
        _temporary(final).replace(final)

    def discard(self) -> None:
        for path in (*self._paths.values(), record_path(self._folder, self._case)):
            _temporary(path).unlink(missing_ok=True)


def _temporary(path: Path) -> Path:
    return path.with_name(f"{TEMPORARY}{path.name}")


@contextmanager
def new_files(folder: Path, case: str) -> Iterator[NewFiles]:
    """Inside the block the files of a case are written and put in place; what is not is removed at its end."""
    files = NewFiles(folder, case)
    try:
        yield files
    finally:
        files.discard()
