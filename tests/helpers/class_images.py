"""Small PETs and CTs with a class and a lesion, and a MedScanGAN for them."""

from dataclasses import replace

import numpy as np
from tiny import tiny_configuration, tiny_plans

from ct2pet.dataset import Field, Fields
from ct2pet.planning.configuration import Normalization, Sampling, Slices
from ct2pet.planning.networks import NetworkSize, plan_network
from ct2pet.planning.topology import unet_topology
from ct2pet.preprocessing import DistrictStore, PreparedDistrict
from ct2pet.preprocessing.preprocessor import decisions_of
from ct2pet.volume import Grid

DIAGNOSIS = Field("diagnosis", "condition", "category", labels={"benign": 0, "malignant": 1})
FIELDS = Fields(
    (Field("PET", "target", "pet", "SUVbw g/ml", "targets"), Field("CT", "target", "ct", "HU", "CT"), DIAGNOSIS)
)
WINDOWS = {
    "PET": Normalization(0.0, 10.0, False, [0.0, 1.0]),
    "CT": Normalization(-1000.0, 400.0, True, [-1.0, 1.0]),
}
SHAPE, SPACING = (6, 24, 24), (3.0, 2.0, 2.0)


def class_configuration(variant="cgan", **changes):
    recipes = {
        f"class_{part}": f"{'class' if variant == 'cgan' else variant}_{part}" for part in ("generator", "critic")
    }
    size = NetworkSize([16, 16], unet_topology([16, 16], [2.0, 2.0], 5), 4, 16)
    slices = Slices([16, 16], 4, {role: plan_network(recipe, size) for role, recipe in recipes.items()})
    sampling = Sampling(1.0, balanced_over="diagnosis", lesions_centred=True)
    made = {"normalization": WINDOWS, "slices": slices, "sampling": sampling, "spacing": list(SPACING), **changes}
    return tiny_configuration(**made)


def class_plans(**hyperparameters):
    return replace(
        tiny_plans(),
        fields=list(FIELDS),
        configurations={"trunk": class_configuration(hyperparameters.get("variant", "cgan"))},
        models={"medscangan": hyperparameters},
    )


def write_class_store(folder, classes=("benign", "malignant") * 2):
    """Cases C0, C1, ...: a lesion in the middle, hotter where it is malignant."""
    store = DistrictStore(folder)
    folder.mkdir(parents=True, exist_ok=True)
    z, y, x = np.ogrid[tuple(slice(-(n - 1) / 2, n / 2) for n in SHAPE)]
    for index, name in enumerate(classes):
        random = np.random.default_rng(index)
        lesion = (z * 1.5) ** 2 + y**2 + x**2 < 16
        pet = (0.05 + lesion * (0.5 if name == "malignant" else 0.2) + random.normal(0, 0.01, SHAPE)).clip(0)
        ct = np.where(lesion, 0.5, -0.7) + random.normal(0, 0.02, SHAPE)
        images = {"PET": pet.astype(np.float32), "CT": ct.astype(np.float32)}
        case = PreparedDistrict(images, np.ones(SHAPE, bool), Grid(SHAPE, SPACING), lesions=lesion)
        store.write(f"C{index}", case, "key", decisions_of(class_configuration()), {"diagnosis": name})
    return store
