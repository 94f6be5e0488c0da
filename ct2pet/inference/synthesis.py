"""Images from a model without input images: sampled, converted to physical units, written, and shown on overview
sheets."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageDraw

from ct2pet.dataset import Field, Fields
from ct2pet.dataset.fields import PET
from ct2pet.dataset.predictions import prediction_name
from ct2pet.errors import Ct2PetError
from ct2pet.files import atomic_path, read_json, write_json
from ct2pet.imageio import write_volume
from ct2pet.models.base import Synthesis
from ct2pet.planning.configuration import Configuration, Normalization
from ct2pet.preprocessing.normalization import denormalize
from ct2pet.volume import Grid, Volume

RECORD = "synthesis.json"
SYNTHETIC = "synthetic images of a model; not of a patient and not for diagnosis"
_AT_ONCE = 16
_SHEET_COLUMNS, _SHEET_IMAGES = 8, 64
_LEAST_SUV, _QUANTILE = 1.0, 0.995  # the grey values of a sheet of PETs end at this quantile, at least at 1 SUV
CAPTION_PIXELS = 14
_OF_MODEL = ("dataset_name", "model", "plans_name", "checkpoint", "checkpoints_sha256")  # in the record


@dataclass(frozen=True)
class SynthesisRequest:
    """``classes``: the class of every condition; ``count`` images of it, from ``seed``."""

    classes: Mapping[str, str]
    count: int
    seed: int

    @property
    def name(self) -> str:
        """The common part of the images' names, before their number."""
        return "_".join(self.classes.values()) or "synthetic"


def parse_classes(labels: list[str], fields: Fields) -> dict[str, str]:
    """The class of every condition, from CLASS or CONDITION=CLASS. Raises Ct2PetError where one is missing or
    unknown."""
    found: dict[str, str] = {}
    for text in labels:
        name, equals, value = text.rpartition("=")
        matching = [one for one in fields.conditions if (one.name == name if equals else value in one.labels)]
        if len(matching) != 1 or value not in matching[0].labels:
            known = "; ".join(f"{one.name}: {', '.join(one.labels)}" for one in fields.conditions) or "none"
            raise Ct2PetError(f"--label {text}: the model has no such class; its classes are {known}")
        found[matching[0].name] = value
    missing = [one for one in fields.conditions if one.name not in found]
    if missing:
        raise Ct2PetError(f"--label: the class of {missing[0].name} is missing; one of {', '.join(missing[0].labels)}")
    return found


def check_output(folder: Path) -> None:
    """Raise Ct2PetError where ``folder`` contains files of other programs."""
    if folder.is_dir() and any(folder.iterdir()) and not (folder / RECORD).exists():
        raise Ct2PetError(
            f"{folder}: contains files, but no {RECORD}: synthetic images may be mixed with real ones; "
            "choose another -o"
        )


@torch.inference_mode()
def sample_volumes(
    model: Synthesis, configuration: Configuration, request: SynthesisRequest
) -> Iterator[tuple[str, dict[str, Volume]]]:
    """The name of each image and its targets in physical units, on a grid of the plan's spacing (mm)."""
    fields, done = model.fields, 0
    conditions = {name: fields[name].labels[value] for name, value in request.classes.items()}
    model.eval()
    while done < request.count:
        size = min(_AT_ONCE, request.count - done)
        seed = int(np.random.SeedSequence([request.seed, done]).generate_state(1)[0])  # not that of another seed
        batch = model.sample(conditions, size, seed)
        for index in range(size):
            found = {one.name: _volume(batch[one.name][index], one, configuration) for one in fields.targets}
            yield f"{request.name}_{done + index + 1:04d}", found
        done += size


def _volume(image: torch.Tensor, field: Field, configuration: Configuration) -> Volume:
    """An image (1, Z, Y, X), or (1, Y, X) for methods in 2D, in physical units; a PET is never negative."""
    values = image.float().cpu().numpy().reshape((-1, *image.shape[-2:]))
    values = np.maximum(denormalize(values, configuration.normalization[field.name]), field.rules.outside)
    grid = Grid(values.shape, tuple(configuration.spacing))  # type: ignore[arg-type]
    return Volume(values.astype(np.float32), grid, field.rules.unit)


def write_samples(
    folder: Path, model: Synthesis, configuration: Configuration, request: SynthesisRequest, record: Mapping[str, Any]
) -> list[Path]:
    """Write the images as NIfTI, a sheet of the first ones for each target, and the record; the images' files. Images
    of this name of an earlier run are removed. Raises Ct2PetError where images of another model would remain."""
    fields = model.fields
    for earlier in _earlier_images(folder, request, fields, record):
        earlier.unlink()
    write_json(folder / RECORD, {**record, "note": SYNTHETIC, "classes": dict(request.classes), "seed": request.seed})
    paths: list[Path] = []
    shown: dict[str, list[np.ndarray]] = {one.name: [] for one in fields.targets}
    for name, volumes in sample_volumes(model, configuration, request):
        for target, volume in volumes.items():
            path = folder / f"{prediction_name(name, target, fields)}.nii.gz"
            write_volume(path, volume)
            paths.append(path)
            if len(shown[target]) < _SHEET_IMAGES:
                shown[target].append(volume.array[len(volume.array) // 2])
    for target, images in shown.items():
        window = _window(images, fields[target], configuration.normalization[target])
        caption = f"{target}, {window[0]:.3g} to {window[1]:.3g} {fields[target].rules.unit}"
        write_sheet(folder / f"sheet_{request.name}_{target}.png", images, window, caption)
    return paths


def _earlier_images(folder: Path, request: SynthesisRequest, fields: Fields, record: Mapping[str, Any]) -> list[Path]:
    """The images of this name in the folder. Raises Ct2PetError where there are others of another model."""
    targets = "|".join(re.escape(one.name) for one in fields.targets)
    own = re.compile(rf"{re.escape(request.name)}_\d{{4,}}(_({targets}))?\.nii\.gz")
    images = sorted(folder.glob("[!.]*.nii.gz"))
    found = [path for path in images if own.fullmatch(path.name)]
    others = [path for path in images if path not in found]
    if others and not _is_of_model(folder / RECORD, record):
        raise Ct2PetError(
            f"{folder}: {len(others)} image(s) in this folder, such as {others[0].name}, are not of this model and "
            "checkpoint; choose another -o, or remove them"
        )
    if found:
        print(f"{folder}: {len(found)} image(s) of an earlier run are replaced", file=sys.stderr)
    return found


def _is_of_model(path: Path, record: Mapping[str, Any]) -> bool:
    """Whether the earlier record names the same model and checkpoint."""
    try:
        earlier = read_json(path)
    except Ct2PetError:
        return False
    return isinstance(earlier, dict) and all(earlier.get(key) == record.get(key) for key in _OF_MODEL)


def _window(images: list[np.ndarray], field: Field, planned: Normalization) -> tuple[float, float]:
    """The grey values of a sheet: those of the plans, but for a PET up to a quantile of the images, because the planned
    window contains the hottest voxels of a whole body."""
    if field.kind != PET:
        return planned.lower, planned.upper
    return 0.0, max(_LEAST_SUV, float(np.quantile(np.stack(images), _QUANTILE)))


def write_sheet(path: Path, images: list[np.ndarray], window: tuple[float, float], caption: str) -> None:
    """A picture of slices (Y, X), side by side, grey from the lower to the upper end of ``window``, below a line with
    the caption."""
    height, width = images[0].shape
    columns = min(_SHEET_COLUMNS, len(images))
    rows = -(-len(images) // columns)
    sheet = np.zeros((rows * height, columns * width), np.uint8)
    low, high = window
    for number, image in enumerate(images):
        y, x = number // columns * height, number % columns * width
        grey = (image - low) / (high - low)
        sheet[y : y + height, x : x + width] = np.round(255 * grey.clip(0, 1))
    wide = max(sheet.shape[1], round(ImageDraw.Draw(Image.new("L", (1, 1))).textlength(caption)))
    picture = Image.new("L", (wide, CAPTION_PIXELS + sheet.shape[0]))
    ImageDraw.Draw(picture).text((0, 0), caption, fill=255)
    picture.paste(Image.fromarray(sheet), (0, CAPTION_PIXELS))
    with atomic_path(path) as temporary:
        picture.save(temporary, format="PNG")
