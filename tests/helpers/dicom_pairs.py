"""Series of images, written and paired."""

from dicom_files import write

from ct2pet.dicom.pairing import pair_images
from ct2pet.dicom.tree import scan_tree


def pair_all(folder, **series):
    for name, datasets in series.items():
        write(datasets, folder / name)
    return pair_images(scan_tree(folder))


def chosen(exams):
    return [(exam.pet.series.folder.name, exam.ct.series.folder.name) for exam in exams]


def reason(left_out, folder):
    (text,) = [item.reason for item in left_out if item.path.name == folder]
    return text
