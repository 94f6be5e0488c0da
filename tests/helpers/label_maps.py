"""Label maps of ellipsoids, the same on every machine, for the tests of label metrics and of their pictures."""

import numpy as np

LABELS = {"liver": 1, "spleen": 2, "aorta": 7}
SHAPE = (24, 30, 28)
SPACING = (3.0, 1.5, 2.0)


def ellipsoid(centre, radii, shape=SHAPE):
    """The voxels (Z, Y, X) whose centres lie inside an ellipsoid, all in voxels."""
    axes = np.ogrid[tuple(slice(n) for n in shape)]
    return sum(((axis - c) / r) ** 2 for axis, c, r in zip(axes, centre, radii)) < 1


def label_pair():
    """Predicted and reference map: a liver that is shifted, a spleen of another size with stray voxels far away, and an
    aorta that leaves the image on three sides."""
    predicted, reference = np.zeros((2, *SHAPE), np.uint8)
    reference[ellipsoid((10, 12, 9), (6.3, 8.2, 5.7))] = 1
    predicted[ellipsoid((11, 14, 10), (6.3, 7.4, 5.9))] = 1
    reference[ellipsoid((8, 19, 21), (4.1, 4.6, 3.2))] = 2
    predicted[ellipsoid((8, 19, 21), (5.2, 5.7, 4.4))] = 2
    predicted[20:22, 26, 2:5] = 2
    reference[:, 24:, 25:] = 7
    predicted[2:, 23:, 26:] = 7
    return predicted, reference


def metrics(dice, hd95=4.0, real_ml=10.0, fake_ml=9.0):
    """The metrics of one label as ``label_metrics`` gives them; ``dice`` None: the label is in neither map."""
    if dice is None:
        return {
            **{"dice": None, "iou": None, "hd95": None, "asd": None},
            **{"real_volume_ml": 0.0, "fake_volume_ml": 0.0},
        }
    both = bool(real_ml and fake_ml)
    return {
        **{"dice": dice, "iou": dice / (2 - dice)},
        **{"hd95": hd95 if both else None, "asd": hd95 / 3 if both else None},
        **{"real_volume_ml": real_ml, "fake_volume_ml": fake_ml},
    }


def label_cases():
    """Four cases: the liver in all, the spleen missed in ``c`` and absent in ``d``, a heart invented in ``a`` and found
    in ``d``."""
    return {
        "a": {"liver": metrics(0.8, 3.0), "spleen": metrics(0.6, 6.0), "heart": metrics(0.0, real_ml=0.0)},
        "b": {"liver": metrics(0.9, 5.0), "spleen": metrics(0.4, 8.0), "heart": metrics(None)},
        "c": {"liver": metrics(0.7, 7.0), "spleen": metrics(0.0, fake_ml=0.0), "heart": metrics(None)},
        "d": {"liver": metrics(1.0, 0.0), "spleen": metrics(None), "heart": metrics(0.5, 9.0)},
    }
