"""PET headers whose SUV factor is known.

70 kg, 350 MBq, half-life 6600 s, injection at 7:10, scan at 9:00, so that exactly one half-life passes: 175 MBq are
left, and the factor is 70000 g / 175e6 Bq = 4e-4. Without decay it is 70000 g / 350e6 Bq = 2e-4.
"""

import numpy as np
import pytest
from dicom_files import enhanced_pet, pet_series, radiopharmaceutical

from ct2pet.errors import ImageError
from ct2pet.suv import suv_factors

AT_START, AT_INJECTION = 4e-4, 2e-4


def drug(**tags):
    return radiopharmaceutical(**{"RadiopharmaceuticalStartTime": "071000", "RadionuclideHalfLife": 6600.0, **tags})


def series(drug_tags=None, study=None, **tags):
    return pet_series(study, drug=drug(**(drug_tags or {})), **tags)


def factor(headers, supplied=None):
    """The one factor of all slices."""
    found = suv_factors(headers, supplied)
    assert len(found.factors) == 9
    assert np.ptp(found.factors) == 0
    return found.factors[0]


def refusal(headers, supplied=None):
    with pytest.raises(ImageError) as error:
        suv_factors(headers, supplied)
    assert "\n" not in str(error.value)
    return str(error.value)


ENHANCED_DRUG = {"RadiopharmaceuticalStartDateTime": "20200102071000", "RadiopharmaceuticalStartTime": None}


def enhanced(**tags):
    return enhanced_pet(drug=drug(**ENHANCED_DRUG), **tags)
