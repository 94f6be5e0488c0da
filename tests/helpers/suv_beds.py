"""PET series whose decay reference is known, with times as the systems of several manufacturers write them.

Beds of 120 s from 9:00 on, each 4 minutes after the one before, half-life 6600 s. The mean activity of a frame of T
seconds lies ln(kT / (1 - exp(-kT))) / k after its start, k = ln 2 / 6600: 59.93700 s for 120 s.
"""

from datetime import datetime, timedelta

import pytest
from dicom_files import pet_series

from ct2pet.errors import ImageError
from ct2pet.suv.header import frames
from ct2pet.suv.reference import decay_reference

HALF_LIFE = 6600.0
NINE = datetime(2020, 1, 2, 9)
MEAN = 59.937  # s, of a frame of 120 s
LATER = "173000"  # a series that was processed in the evening


def minutes(count):
    return timedelta(minutes=count)


def slices(**tags):
    return pet_series(**tags)[:3]


def start(headers):
    found = decay_reference(frames(headers), HALF_LIFE)
    return found.moment, found.tag


def notes(headers):
    return decay_reference(frames(headers), HALF_LIFE).notes


def refusal(headers):
    with pytest.raises(ImageError) as error:
        decay_reference(frames(headers), HALF_LIFE)
    return str(error.value)


def with_private(headers, group, creator, element, value, representation="DT"):
    for header in headers:
        header.private_block(group, creator, create=True).add_new(element, representation, value)
    return headers


def with_ge(headers, value, representation="DT"):
    return with_private(headers, 0x0009, "GEMS_PETD_01", 0x0D, value, representation)


def with_siemens(headers, value):
    return with_private(headers, 0x0071, "SIEMENS MED PT", 0x22, value)


def beds(count=3, first=0.0, to_offset=MEAN, to_factor=MEAN, **tags):
    """Beds whose tags say that they were measured ``first`` seconds after the reference, and later ones in turn.

    ``to_offset`` and ``to_factor``: to which second of the frame Frame Reference Time and Decay Factor count; None
    leaves the tag as systems do that do not use it: 0 and 1."""
    headers = pet_series(ActualFrameDuration=120000, **tags)[:count]
    for number, header in enumerate(headers):
        header.AcquisitionTime = (NINE + minutes(4 * number)).strftime("%H%M%S")
        passed = first + 240 * number
        header.FrameReferenceTime = 0 if to_offset is None else round(1000 * (passed + to_offset), 1)
        header.DecayFactor = 1 if to_factor is None else f"{2 ** ((passed + to_factor) / HALF_LIFE):.9f}"
    return headers


SYSTEMS = {
    "Siemens and the standard": {},
    "GE": {"to_offset": 0.0},
    "frame starts in both": {"to_offset": 0.0, "to_factor": 0.0},
    "middles of frames": {"to_offset": 60.0, "to_factor": 60.0},
    "no reference times": {"to_offset": None},
    "no decay factors": {"to_factor": None},
    "neither": {"to_offset": None, "to_factor": None},
}


def late(**tags):
    """A late part of a list-mode scan that began at 8:10: measured from 9:00 to 9:02."""
    return beds(1, first=3000.0, **tags)
