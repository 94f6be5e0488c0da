"""A procedural, seeded whole-body PET/CT with known truth, for the demonstration and the tests.

Anatomy is written as analytic solids (superquadrics, rods and lofted tubes) in the spirit of the hybrid phantoms of
Segars WP et al., "4D XCAT phantom for multimodality imaging research", Med Phys 2010;37:4902-4915; all shapes and the
code are made for this project. ``tissues`` names the sources of uptake and CT numbers.
"""

from ct2pet.phantom.domains import make_varied_patient, vary_scanner
from ct2pet.phantom.lowdose import write_low_dose_dataset
from ct2pet.phantom.nodule_writer import write_nodule_dataset
from ct2pet.phantom.paper_organs import PAPER_LABELS, PAPER_ORGANS, paper_organ_map
from ct2pet.phantom.patient import Lesion, Patient
from ct2pet.phantom.population import make_patient
from ct2pet.phantom.scan import CaseVolumes, scan
from ct2pet.phantom.scanner import CLINICAL, COARSE, DEMO, DEMO_LOW_COUNTS, FINE, Scanner
from ct2pet.phantom.surfaces import DISTRICTS
from ct2pet.phantom.tissues import LABELS, TISSUES
from ct2pet.phantom.writer import Cohort, write_cohort, write_dataset

__all__ = [
    "CLINICAL",
    "COARSE",
    "DEMO",
    "DEMO_LOW_COUNTS",
    "DISTRICTS",
    "FINE",
    "LABELS",
    "PAPER_LABELS",
    "PAPER_ORGANS",
    "TISSUES",
    "CaseVolumes",
    "Cohort",
    "Lesion",
    "Patient",
    "Scanner",
    "make_patient",
    "make_varied_patient",
    "paper_organ_map",
    "scan",
    "vary_scanner",
    "write_cohort",
    "write_dataset",
    "write_low_dose_dataset",
    "write_nodule_dataset",
]
