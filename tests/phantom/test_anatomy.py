"""The drawn body: organs as large as those of ICRP's reference man, where anatomy has them."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import label

from ct2pet.phantom.anatomy import Anatomy
from ct2pet.phantom.frame import DIAPHRAGM, DIAPHRAGM_REACH
from ct2pet.phantom.patient import Lesion
from ct2pet.phantom.tissues import GAS, LABELS, TISSUES, labels_of


def litres(organs, *names):
    return np.isin(organs.array, labels_of(*names)).sum() * organs.grid.voxel_ml / 1000


def centre(organs, name):
    """x, y, z (mm) of the middle of an organ."""
    index = np.argwhere(organs.array == LABELS[name]).mean(axis=0)
    return (np.array(organs.grid.origin) + index[::-1] * np.array(organs.grid.spacing[::-1])).tolist()


def test_every_tissue_of_a_man_is_there(organs):
    found = set(np.unique(organs.array)) - {0}
    assert found == set(LABELS.values()) - {LABELS["breast"]}
    assert len(found) >= 18


@pytest.mark.parametrize(
    ("names", "reference"),
    [
        (("liver",), 1.7),
        (("grey_matter", "white_matter", "cerebellum"), 1.4),
        (("kidney_cortex", "renal_pelvis"), 0.30),
        (("spleen",), 0.15),
        (("muscle", "back_muscle"), 28.0),
        (("back_muscle",), 1.2),
        (("lung",), 3.8),
    ],
)
def test_organs_are_about_as_large_as_the_reference_mans(organs, names, reference):
    """Masses of ICRP Publication 89/110 over densities; the lungs at rest; the back muscles are about half a litre a
    side."""
    assert 0.6 * reference < litres(organs, *names) < 1.4 * reference


def test_the_body_has_the_volume_of_its_weight(organs, standard_patient):
    assert (organs.array > 0).sum() * organs.grid.voxel_ml / 1000 == pytest.approx(standard_patient.weight_kg, rel=0.1)


def test_the_body_is_one_piece_and_has_no_holes(organs):
    body = organs.array > 0
    _, pieces = label(body)
    assert pieces == 1
    _, outside = label(~body)
    assert outside == 1


def test_a_breath_moves_the_organs_at_the_diaphragm_only(standard_patient, organs):
    higher = Anatomy(standard_patient).organs(organs.grid, breath_mm=20.0)
    changed = np.argwhere((higher.array != organs.array).any(axis=(1, 2)))[:, 0] * 4 + organs.grid.origin[2]
    assert changed.min() >= DIAPHRAGM - DIAPHRAGM_REACH - 4
    assert changed.max() <= DIAPHRAGM + DIAPHRAGM_REACH + 4
    assert centre(higher, "liver")[2] - centre(organs, "liver")[2] == pytest.approx(16, abs=5)
    assert litres(higher, "lung") < litres(organs, "lung") - 0.2
    assert ((higher.array > 0) == (organs.array > 0)).all()
    for bone in ("ribs", "spine", "sternum"):
        assert litres(higher, bone) == pytest.approx(litres(organs, bone), rel=0.02)


def test_a_lesion_has_its_volume_and_leaves_gas_and_skin_alone(standard_patient, organs):
    inside = Lesion((-70.0, -20.0, 1130.0), (18.0, 15.0, 20.0), 6.0, None, "liver")
    at_the_skin = Lesion((0.0, 115.0, 1200.0), (30.0, 30.0, 30.0), 6.0, 40.0, "fat")
    anatomy = Anatomy(replace(standard_patient, lesions=(inside, at_the_skin)))
    lesions = anatomy.lesions(organs)
    volume = (lesions.array == 1).sum() * organs.grid.voxel_ml
    assert volume == pytest.approx(4 / 3 * np.pi * 18 * 15 * 20 / 1000, rel=0.05)
    assert (lesions.array == 2).any()
    assert not np.isin(organs.array[lesions.array > 0], [0, *labels_of("skin", *GAS)]).any()


def test_a_liver_lesion_breathes_with_the_liver(standard_patient, organs):
    lesion = Lesion((-70.0, -20.0, 1150.0), (12.0, 12.0, 12.0), 6.0, None, "liver")
    anatomy = Anatomy(replace(standard_patient, lesions=(lesion,)))
    before, after = (np.argwhere(anatomy.lesions(organs, mm).array)[:, 0].mean() * 4 for mm in (0.0, 16.0))
    assert after - before == pytest.approx(16, abs=2)


def test_the_table_has_a_label_for_every_byte_in_the_map(organs):
    assert organs.array.dtype == np.uint8
    assert organs.array.max() <= len(TISSUES)
