"""Checks that the data of a MetaImage or NRRD file are complete and undamaged. ITK does not verify the checksums."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from isal import igzip, isal_zlib

from ct2pet.errors import ImageError

_CHUNK = 1 << 22
_META_BYTES = {"CHAR": 1, "UCHAR": 1, "SHORT": 2, "USHORT": 2, "INT": 4, "UINT": 4, "FLOAT": 4, "DOUBLE": 8}
_META_BYTES |= {"LONG": 4, "ULONG": 4, "LONG_LONG": 8, "ULONG_LONG": 8}
_NRRD_BYTES = {"int8": 1, "uint8": 1, "int16": 2, "uint16": 2, "int32": 4, "uint32": 4, "int64": 8, "uint64": 8}
_NRRD_BYTES |= {"signed char": 1, "unsigned char": 1, "uchar": 1, "short": 2, "unsigned short": 2, "ushort": 2}
_NRRD_BYTES |= {"int": 4, "unsigned int": 4, "uint": 4, "long long": 8, "longlong": 8, "unsigned long long": 8}
_NRRD_BYTES |= {"float": 4, "double": 8, "int8_t": 1, "uint8_t": 1, "int16_t": 2, "uint16_t": 2, "int32_t": 4}
_NRRD_BYTES |= {"uint32_t": 4, "int64_t": 8, "uint64_t": 8, "short int": 2, "unsigned short int": 2}


@dataclass(frozen=True)
class _Data:
    path: Path
    offset: int
    encoding: str
    num_bytes: int


def data_file(path: Path) -> Path | None:
    """The file with the data of a MetaImage or NRRD, often ``path`` itself; None for rare layouts."""
    data = _data_of(path)
    return None if data is None else data.path


def _data_of(path: Path) -> _Data | None:
    with path.open("rb") as file:
        return _nrrd(path, file) if path.suffix.lower() == ".nrrd" else _metaimage(path, file)


def check_complete(path: Path) -> None:
    """Raise ImageError where data are missing or fail their checksum. Rare layouts (data in many files, text) are not
    checked here: ITK reports truncated ones."""
    data = _data_of(path)
    if data is None:
        return
    if not data.path.is_file():
        raise ImageError(f"its data file {data.path.name} is missing")
    with data.path.open("rb") as file:
        file.seek(data.offset)
        found = _count(file, data)
    if found < data.num_bytes:
        raise ImageError(f"the file is truncated: {found} of {data.num_bytes} bytes of its data exist")


def _count(file: BinaryIO, data: _Data) -> int:
    if data.encoding == "raw":
        return data.path.stat().st_size - data.offset
    if data.encoding == "gzip":
        with igzip.IGzipFile(fileobj=file, mode="rb") as packed:
            return sum(len(chunk) for chunk in iter(lambda: packed.read(_CHUNK), b""))
    stream, count = isal_zlib.decompressobj(), 0
    while not stream.eof:
        chunk = file.read(_CHUNK)
        if not chunk:
            return min(count, data.num_bytes - 1)  # the checksum at the end is missing
        count += len(stream.decompress(chunk))
    return count


def _metaimage(path: Path, file: BinaryIO) -> _Data | None:
    fields: dict[str, str] = {}
    while "ElementDataFile" not in fields:
        line = file.readline(10_000)
        if not line:
            raise ImageError("the file is truncated within its header")
        key, _, value = os.fsdecode(line).partition("=")
        fields[key.strip()] = value.strip()
    size = _META_BYTES.get(fields.get("ElementType", "").removeprefix("MET_"))
    where = fields["ElementDataFile"]
    if size is None or where.startswith("LIST") or "%" in where or int(fields.get("HeaderSize", 0)):
        return None
    num_bytes = math.prod(int(n) for n in fields["DimSize"].split()) * size
    encoding = "zlib" if fields.get("CompressedData", "").lower() == "true" else "raw"
    if where.upper() == "LOCAL":
        return _Data(path, file.tell(), encoding, num_bytes)
    return _Data(path.parent / where, 0, encoding, num_bytes)


def _nrrd(path: Path, file: BinaryIO) -> _Data | None:
    fields: dict[str, str] = {}
    for line in iter(lambda: os.fsdecode(file.readline(10_000)), ""):
        if not line.strip():
            break
        key, _, value = line.partition(":")
        fields[key.strip().lower()] = value.strip()
    size = _NRRD_BYTES.get(fields.get("type", ""))
    encoding = {"gz": "gzip"}.get(fields.get("encoding", ""), fields.get("encoding", ""))
    unusual = {"line skip", "lineskip", "byte skip", "byteskip"} & set(fields)
    where = fields.get("data file", fields.get("datafile", ""))
    if size is None or encoding not in ("raw", "gzip") or unusual or where.startswith("LIST") or "%" in where:
        return None
    num_bytes = math.prod(int(n) for n in fields["sizes"].split()) * size
    return (
        _Data(path.parent / where, 0, encoding, num_bytes) if where else _Data(path, file.tell(), encoding, num_bytes)
    )
