"""The half-lives of the nuclides coded in PET headers, for a check of Radionuclide Half Life.

Codes: DICOM PS3.16 CID 4020 "PET Radionuclide", in the schemes SCT and, in older objects, SRT and SNM3. Half-lives: the
Evaluated Nuclear Structure Data File of the National Nuclear Data Center.
"""

from __future__ import annotations

from ct2pet.errors import ImageError
from ct2pet.suv.header import Frame, name

AGREEMENT = 0.01
"""Part of the half-life by which tables and systems differ: 110 minutes for fluorine-18 are 0.2%."""
AGREEMENT_OF_SHORT = 0.02
"""The same below ``SHORT`` s: rubidium-82 has 75.5 or 76.4 s, and oxygen-15 is rounded to 2 min."""
SHORT = 300.0
FLUORINE_18 = 6586.2
_MINUTE, _HOUR, _DAY = 60.0, 3600.0, 86400.0
_POSSIBLE = (60.0, 1e6)  # s: from shorter than rubidium-82 to longer than iodine-124
_NUCLIDES = (  # SCT, SRT, name, s
    ("40565003", "C-105A1", "carbon-11", 20.364 * _MINUTE),
    ("21576001", "C-107A1", "nitrogen-13", 9.965 * _MINUTE),
    ("129504001", "C-B1038", "oxygen-15", 122.24),
    ("77004003", "C-111A1", "fluorine-18", FLUORINE_18),
    ("423764008", "C-135A4", "potassium-38", 7.636 * _MINUTE),
    ("37225000", "C-149A1", "manganese-52", 5.591 * _DAY),
    ("69089000", "C-130A1", "iron-52", 8.275 * _HOUR),
    ("425364008", "C-127A4", "copper-60", 23.7 * _MINUTE),
    ("71425003", "C-127A1", "copper-61", 3.339 * _HOUR),
    ("422934004", "C-127A5", "copper-62", 9.67 * _MINUTE),
    ("3932008", "C-127A2", "copper-64", 12.701 * _HOUR),
    ("79477007", "C-131A1", "gallium-66", 9.49 * _HOUR),
    ("35337001", "C-131A3", "gallium-68", 67.71 * _MINUTE),
    ("79523006", "C-113A2", "bromine-76", 16.2 * _HOUR),
    ("79197006", "C-159A2", "rubidium-82", 76.0),
    ("10738001", "C-162A3", "yttrium-86", 14.74 * _HOUR),
    ("14691008", "C-162A7", "yttrium-90", 64.05 * _HOUR),
    ("63360001", "C-168A4", "zirconium-89", 78.41 * _HOUR),
    ("424079002", "C-163AA", "technetium-94m", 52.0 * _MINUTE),
    ("40937006", "C-114A5", "iodine-124", 4.176 * _DAY),
)
_BY_CODE = {code: (nuclide, seconds) for *codes, nuclide, seconds in _NUCLIDES for code in codes}


def half_life(drug: Frame, notes: list[str]) -> float:
    """Seconds, of an item of (0054,0016); that of the nuclide's code where the tag is missing.

    Raises ImageError where it is unknown, not that of a PET tracer, or contradicts the code.
    """
    tag, seconds = name("RadionuclideHalfLife"), drug.number("RadionuclideHalfLife")
    coded = drug.item("RadionuclideCodeSequence")
    nuclide, known = _BY_CODE.get(str(coded.get("CodeValue")), ("", 0.0)) if coded is not None else ("", 0.0)
    if seconds is None and not nuclide:
        raise ImageError(f"{tag} is missing, and the nuclide has no code")
    if seconds is None:
        notes.append(f"{tag} is missing; that of {nuclide} is used, as the nuclide's code says")
        return known
    if not _POSSIBLE[0] <= seconds <= _POSSIBLE[1]:
        raise ImageError(f"{tag} of {seconds:g} s is not that of a PET tracer")
    if nuclide and abs(seconds / known - 1) > (AGREEMENT if known > SHORT else AGREEMENT_OF_SHORT):
        raise ImageError(f"{tag} of {seconds:g} s contradicts the nuclide's code, {nuclide} ({known:g} s)")
    return seconds
