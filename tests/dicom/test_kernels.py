"""Kernels of five manufacturers, as Convolution Kernel names them in capitals."""

import pytest

from ct2pet.dicom.kernels import is_sharp

SHARP = {
    "Siemens": ["B50F", "B60S", "B70F", "B80F", "B90S", "BR64F 3", "BL57F", "BL40", "I70F 2", "HR68", "QR89", "U90U"],
    "GE": ["LUNG", "BONE", "BONEPLUS", "EDGE", "ULTRA", "DETAIL", "HD LUNG", "HD BONE"],
    "Canon": ["FC30", "FC35", "FC50", "FC51", "FC52", "FC55", "FC81", "FC86", "LUNG SHARP"],
    "Philips": ["L", "YA", "YB", "YC", "YD", "Y", "D", "E", "F", "LUNG ENHANCED"],
    "United Imaging": ["B_SHARP_C", "B_VSHARP_B"],
}
SOFT = {
    "Siemens": ["B10F", "B19F", "B30F", "B31F", "B40S", "B45F", "BR36F", "BR40D 3", "BR49F", "BF37", "I31F 3", "QR40"],
    "GE": ["SOFT", "STANDARD", "STND", "CHEST"],
    "Canon": ["FC01", "FC03", "FC08", "FC12", "FC13", "FC18", "FC23", "FC42", "FC64", "FC08-H"],
    "Philips": ["A", "B", "C", "SA", "UB", "UC", "BRAIN STANDARD", "STANDARD"],
    "United Imaging": ["B_SOFT_B", "B_SOFT_C"],
    "none": [""],
}


@pytest.mark.parametrize("kernel", [kernel for group in SHARP.values() for kernel in group])
def test_sharp_kernels(kernel):
    assert is_sharp(kernel)


@pytest.mark.parametrize("kernel", [kernel for group in SOFT.values() for kernel in group])
def test_soft_kernels(kernel):
    assert not is_sharp(kernel)
