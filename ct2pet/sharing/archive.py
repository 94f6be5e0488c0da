"""The zip archive of a trained model: written atomically, and unpacked only where every member is expected and
undamaged.

Layout: ``model.json`` (the manifest, with the size and SHA-256 of every other member), ``MODEL_CARD.md``, and
``Dataset001_NAME/MODEL__PLANS__CONFIGURATION`` with ``plans.json``, ``dataset.json`` and ``fold_X/checkpoint_*.pth``,
as in the results folder.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import shutil
import stat
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any
from zlib import error as zlib_error

from ct2pet.errors import Ct2PetError
from ct2pet.files import atomic_path, reading, writing
from ct2pet.json_text import JsonError, parse_json
from ct2pet.layout import DATASET, MODEL_CARD, PLANS, TRAINING_PROVENANCE
from ct2pet.schema import parse_as

MANIFEST = "model.json"
FORMAT, FORMAT_VERSION = "ct2pet model", 1
_NAME = r"[A-Za-z0-9][A-Za-z0-9_.-]*"
_MODEL_FOLDER = rf"Dataset\d{{3,}}_{_NAME}/{_NAME}__{_NAME}__{_NAME}"
_IN_FOLDER = (
    rf"({re.escape(PLANS)}|{re.escape(DATASET)}|fold_(\d+|all)/({_NAME}\.pth|{re.escape(TRAINING_PROVENANCE)}))"
)
_MEMBER = re.compile(rf"{re.escape(MODEL_CARD)}|{_MODEL_FOLDER}/{_IN_FOLDER}")
_EARLIEST = (1980, 1, 1, 0, 0, 0)  # fixed date of members, so that the same model gives the same bytes
_BLOCK = 2**20
_MOST_MANIFEST_BYTES = 2**24


@dataclass(frozen=True)
class FileFacts:
    """``bytes``: the size of a member, unpacked."""

    bytes: int
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """The content of ``model.json``. ``configurations``: the folds of each configuration."""

    dataset_name: str
    model: str
    plans_name: str
    checkpoint: str
    configurations: dict[str, list[str]]
    ct2pet_version: str
    files: dict[str, FileFacts] = field(default_factory=dict)
    format: str = FORMAT
    format_version: int = FORMAT_VERSION


def is_package(path: Path) -> bool:
    """Whether a path is a zip archive with a manifest of ct2pet."""
    try:
        with zipfile.ZipFile(path) as archive:
            return MANIFEST in archive.namelist()
    except (OSError, zipfile.BadZipFile):
        return False


def write_package(path: Path, folder: Path, manifest: Manifest) -> None:
    """Write all files of ``folder`` and the manifest to the zip archive ``path``, atomically. Weights are stored, text
    is compressed. Raises WriteError where it cannot be written, ValueError for a file that is not allowed in a
    package."""
    names = sorted(file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file())
    unknown = [name for name in names if not _MEMBER.fullmatch(name)]
    if unknown:
        raise ValueError(f"{unknown[0]} is not allowed in a package")
    facts = {name: facts_of(folder / name) for name in names}
    text = json.dumps({**asdict(manifest), "files": {name: asdict(one) for name, one in facts.items()}}, indent=2)
    with atomic_path(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        archive.writestr(_info(MANIFEST), text + "\n")
        for name in names:
            info = _info(name)
            info.file_size = facts[name].bytes  # for archives beyond 4 GiB
            with (folder / name).open("rb") as source, archive.open(info, "w") as target:
                shutil.copyfileobj(source, target, _BLOCK)


def unpack(path: Path, folder: Path) -> Manifest:
    """Unpack a package into ``folder``, which must be empty.

    Raises Ct2PetError, naming the file, where it is not a package, of another format version, damaged, or contains a
    member that would be written outside ``folder``, is not in the manifest, or is a link. ``folder`` may then contain a
    part of the files.
    """
    with reading(path), _opened(path) as archive:
        manifest = _checked_manifest(path, archive)
        for name, facts in manifest.files.items():
            target = folder / name
            with writing(target):
                target.parent.mkdir(parents=True, exist_ok=True)
            _extract(path, archive, name, facts, target)
    return manifest


@contextlib.contextmanager
def unpacked(path: Path) -> Iterator[Path]:
    """Inside the block a temporary folder has the content of a package. Raises Ct2PetError as ``unpack``."""
    with tempfile.TemporaryDirectory(prefix="ct2pet-model-") as folder:
        unpack(path, Path(folder))
        yield Path(folder)


def facts_of(path: Path) -> FileFacts:
    """Size and SHA-256 of a file."""
    with path.open("rb") as file:
        return FileFacts(path.stat().st_size, _digest(file))


def _digest(file: IO[bytes], copy: IO[bytes] | None = None) -> str:
    digest = hashlib.sha256()
    while block := file.read(_BLOCK):
        digest.update(block)
        if copy is not None:
            copy.write(block)
    return digest.hexdigest()


def _info(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, _EARLIEST)
    info.compress_type = zipfile.ZIP_STORED if name.endswith(".pth") else zipfile.ZIP_DEFLATED
    info.external_attr = (stat.S_IFREG | 0o644) << 16
    info.create_system = 3  # Unix attributes, on any system
    return info


def _opened(path: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except zipfile.BadZipFile:
        raise Ct2PetError(f"{path}: not a zip archive, or incomplete; export or copy the model again") from None


def _checked_manifest(path: Path, archive: zipfile.ZipFile) -> Manifest:
    members = archive.infolist()
    for info in members:
        _check_member(path, info)
    names = [info.filename for info in members]
    if MANIFEST not in names:
        raise Ct2PetError(f"{path}: not a model of ct2pet_export_model (no {MANIFEST} in it)")
    if len({name.casefold() for name in names}) < len(names):
        raise Ct2PetError(f"{path}: two members have the same name; the archive is refused")
    manifest = _manifest(path, archive)
    listed = {MANIFEST, *manifest.files}
    for name in sorted({*names} ^ listed):
        problem = "is not listed in its manifest" if name in names else "is missing"
        raise Ct2PetError(f"{path}: {name} {problem}; the archive was changed: download or copy it again")
    sizes = {info.filename: info.file_size for info in members}
    for name, facts in manifest.files.items():
        if not _MEMBER.fullmatch(name):
            raise Ct2PetError(f"{path}: {name} is not part of a model; the archive is refused")
        if sizes[name] != facts.bytes:
            raise _damaged(path, name)
    return manifest


def _check_member(path: Path, info: zipfile.ZipInfo) -> None:
    name = info.filename
    parts = name.replace("\\", "/").split("/")
    if name.startswith(("/", "\\")) or ".." in parts or ":" in name or "\\" in name:
        raise Ct2PetError(f"{path}: {name!r} would be written outside the model's folder; the archive is refused")
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind not in (0, stat.S_IFREG) or info.is_dir():
        raise Ct2PetError(f"{path}: {name!r} is not a regular file; the archive is refused")
    if info.flag_bits & 1:
        raise Ct2PetError(f"{path}: {name!r} is encrypted; export the model again")


def _manifest(path: Path, archive: zipfile.ZipFile) -> Manifest:
    if archive.getinfo(MANIFEST).file_size > _MOST_MANIFEST_BYTES:
        raise Ct2PetError(f"{path}: its {MANIFEST} is too large; the archive is refused")
    try:
        content: Any = parse_json(archive.read(MANIFEST))
        found = content.get("format_version") if isinstance(content, dict) else None
        if found != FORMAT_VERSION:
            raise Ct2PetError(
                f"{path}: format_version {found!r} is not supported; this version of ct2pet reads {FORMAT_VERSION}"
            )
    except (JsonError, zipfile.BadZipFile, EOFError, OSError, ValueError, zlib_error) as error:
        raise Ct2PetError(
            f"{path}: its {MANIFEST} cannot be read ({error}); download or copy the archive again"
        ) from None
    return parse_as(content, Manifest, f"{path}: its {MANIFEST} cannot be read")


def _extract(path: Path, archive: zipfile.ZipFile, name: str, facts: FileFacts, target: Path) -> None:
    try:
        with archive.open(name) as source, writing(target), target.open("wb") as file:
            found = _digest(source, file)
    except (zipfile.BadZipFile, EOFError, NotImplementedError, zlib_error) as error:
        raise _damaged(path, name) from error
    if found != facts.sha256:
        raise _damaged(path, name)


def _damaged(path: Path, name: str) -> Ct2PetError:
    return Ct2PetError(
        f"{path}: {name} has another checksum than in the manifest; the archive is damaged: download or copy it again"
    )
