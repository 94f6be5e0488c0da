"""Reading of one DICOM file by pydicom: an error is one line that does not quote the file's content."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pydicom
from pydicom.dataset import FileDataset
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from ct2pet.errors import Ct2PetError, ImageError

NOT_DICOM = "not a DICOM file"
_CLASS = "SOPClassUID"
_PREAMBLE = 128  # bytes before the mark
_FIRST_GROUPS = (b"\x02\x00", b"\x08\x00", b"\x00\x08")  # of data sets without the preamble, in both byte orders

_SYNTAXES = {  # by implicit VR and little endian
    (True, True): ImplicitVRLittleEndian,
    (False, True): ExplicitVRLittleEndian,
    (False, False): ExplicitVRBigEndian,
}


class DamagedFile(ImageError):
    """A file that could be an image, but is empty, truncated, damaged, or unreadable."""


@contextmanager
def quiet() -> Iterator[None]:
    """Suppress warnings of pydicom: they quote values of tags, which may identify patients."""
    logger = logging.getLogger("pydicom")
    propagate = logger.propagate
    with pydicom.config.disable_value_validation(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logger.propagate = False
        try:
            yield
        finally:
            logger.propagate = propagate


@contextmanager
def discreet() -> Iterator[None]:
    """Remove the text of unexpected errors, not their type and location: it may quote a header or a file name with a
    patient's name."""
    try:
        yield
    except (Ct2PetError, MemoryError):
        raise
    except Exception as error:
        shown: Exception = RuntimeError(
            f"{type(error).__name__}; its text is hidden, because it could contain a patient's name"
        )
        if isinstance(error, OSError) and error.errno is not None:
            shown = OSError(error.errno, error.strerror)
        raise shown.with_traceback(error.__traceback__) from None


def read_dataset(path: Path, *, pixels: bool = False, tags: Sequence[str] | None = None) -> FileDataset:
    """The data set of a file, with its pixels or without; only these ``tags`` (keywords), where they are given.

    Raises ImageError, without the file's name, where it is not a DICOM file, and DamagedFile.
    """
    try:
        if path.stat().st_size == 0:
            raise DamagedFile("an empty file")
        with quiet():
            dataset = _read(path, pixels, None if tags is None else [*tags, _CLASS])
    except PermissionError:
        raise DamagedFile("no permission to read") from None
    except ImageError:
        raise
    except MemoryError:
        raise
    except OSError as error:
        reason = f"cannot be read ({error.strerror})" if error.errno else "a damaged DICOM file, probably truncated"
        raise DamagedFile(reason) from None
    except Exception as error:  # damaged files raise various errors
        raise DamagedFile(f"a damaged DICOM file ({type(error).__name__})") from None  # its text may quote the file
    return dataset


def _read(path: Path, pixels: bool, tags: list[str] | None) -> FileDataset:
    with path.open("rb") as file:
        start = file.read(_PREAMBLE + 4)
        marked = start[_PREAMBLE:] == b"DICM"
        if len(start) <= _PREAMBLE and not any(start):
            raise DamagedFile("a DICOM file that is truncated before its header")
        if not marked and start[:2] not in _FIRST_GROUPS:
            raise ImageError(NOT_DICOM)
        file.seek(0)
        dataset = pydicom.dcmread(file, stop_before_pixels=not pixels, specific_tags=tags, force=not marked)  # type: ignore[arg-type]
    if not marked and _CLASS not in dataset:
        raise ImageError(NOT_DICOM)
    _complete_syntax(dataset)
    return dataset


def _complete_syntax(dataset: FileDataset) -> None:
    """Add the transfer syntax, which decoders need, to a data set without file meta information. Compressed pixels have
    none: their syntax is unknown."""
    syntax = _SYNTAXES.get(dataset.original_encoding)  # type: ignore[arg-type]
    if "TransferSyntaxUID" in dataset.file_meta or syntax is None:
        return
    if "PixelData" not in dataset or not dataset["PixelData"].is_undefined_length:
        dataset.file_meta.TransferSyntaxUID = syntax
