"""Small sets of slices: squares with a hot disc whose uptake and size tell the class in part."""

import numpy as np

from ct2pet.study.slices import Slices

CLASSES = ("benign", "malignant")


def disc_slices(patients, *, seed=0, per_patient=2, pixels=32, gap=1.2, first=0, channels=("pet",)):
    """Slices of ``patients`` people, every second one malignant; ``gap``: how far apart the classes' log SUV are."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[:pixels, :pixels] - pixels / 2 + 0.5
    images, labels, names = [], [], []
    for number in range(first, first + patients):
        label = number % 2
        suv = 2.0 * np.exp(gap * label + random.normal(0, 0.4))
        radius = pixels * (0.12 + 0.03 * label + random.uniform(0, 0.05))
        for _ in range(per_patient):
            centre = random.uniform(-1, 1, 2)
            disc = 1 / (1 + np.exp(np.hypot(y - centre[0], x - centre[1]) - radius))
            pet = 0.4 + suv * disc + random.normal(0, 0.03, disc.shape)
            ct = -800 + 840 * disc + random.normal(0, 15, disc.shape)
            images.append(np.stack([{"pet": np.clip(pet, 0, None), "ct": ct}[kind] for kind in channels]))
            labels.append(label)
            names.append(f"patient_{number:03d}")
    return Slices(np.array(images, np.float32), np.array(labels, np.int64), np.array(names), tuple(channels), CLASSES)
