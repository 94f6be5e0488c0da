"""Convolution kernels of CT: sharp ones (lung, bone) and soft ones.

The names depend on the manufacturer, and the standard has no tag for the sharpness of a kernel.

* Siemens: letters, a number, letters: B31f, Br40d, I70f, Qr54. The sharpness increases with the number; those from 50
on are "for higher sharpness" in the manual (SOMATOM Sensation Cardiac, operating instructions, body kernels). Bl: for
lungs. * GE: words: SOFT, STANDARD; sharp are DETAIL, LUNG, BONE, BONEPLUS, EDGE, ULTRA, also with HD. * Canon, Toshiba:
FC and a number: FC30 to FC39 and FC70 to FC79 for bone, FC50 to FC59 and FC80 to FC89 for lungs. * Philips: letters: A,
B and C are smooth to standard; D, E and F are sharp, L is for lungs, Y, YA to YE for bone.
"""

from __future__ import annotations

import re

_WORDS = re.compile(r"LUNG|BONE|EDGE|SHARP|ULTRA|DETAIL|INNER EAR|HIRES|HI-RES")
_SIEMENS = re.compile(r"(?<![A-Z0-9])[A-Z]{1,2}(\d\d)[A-Z]?(?![0-9])")
_SIEMENS_LUNG = re.compile(r"(?<![A-Z0-9])BL\d\d")
_SIEMENS_SHARP = 50
_CANON = re.compile(r"(?<![A-Z0-9])FC(\d\d)")
_CANON_SHARP = {3, 5, 7, 8}  # tens
_PHILIPS = re.compile(r"[DEFL]|Y[A-E]?")


def is_sharp(kernel: str) -> bool:
    """Whether a Convolution Kernel (0018,1210), in capitals, its values separated by spaces, is for lung or bone."""
    if _WORDS.search(kernel) or _SIEMENS_LUNG.search(kernel):
        return True
    canon = [int(number) // 10 for number in _CANON.findall(kernel)]
    if canon:
        return bool(_CANON_SHARP & {*canon})
    if any(int(number) >= _SIEMENS_SHARP for number in _SIEMENS.findall(kernel)):
        return True
    return any(_PHILIPS.fullmatch(word) for word in kernel.split())
