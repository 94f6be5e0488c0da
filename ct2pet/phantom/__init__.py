"""A procedural, seeded whole-body PET/CT with known truth, for the demonstration and the tests.

Anatomy is written as analytic solids (superquadrics, rods and lofted tubes) in the spirit of the hybrid phantoms of
Segars WP et al., "4D XCAT phantom for multimodality imaging research", Med Phys 2010;37:4902-4915; all shapes and the
code are this project's own. Where uptake and CT numbers come from stands in ``tissues``.
"""

from ct2pet.phantom.nodule_writer import write_nodule_dataset
from ct2pet.phantom.patient import Lesion, Patient
from ct2pet.phantom.population import make_patient
from ct2pet.phantom.scan import CaseVolumes, scan
from ct2pet.phantom.scanner import CLINICAL, COARSE, DEMO, Scanner
from ct2pet.phantom.surfaces import DISTRICTS
from ct2pet.phantom.tissues import LABELS, TISSUES
from ct2pet.phantom.writer import write_dataset

__all__ = [
    "CLINICAL",
    "COARSE",
    "DEMO",
    "DISTRICTS",
    "LABELS",
    "TISSUES",
    "CaseVolumes",
    "Lesion",
    "Patient",
    "Scanner",
    "make_patient",
    "scan",
    "write_dataset",
    "write_nodule_dataset",
]
