"""The images of a reader study: drawn at random, brought to the same form, and encoded anew without any metadata."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from ct2pet.errors import ImageError
from ct2pet.imageio import image_suffixes, read_volume

_PICTURES = (".png", ".jpg", ".jpeg")
_SHOWN_PERCENTILES = (0.5, 99.8)
Window = tuple[float, float]


def draw_images(
    folders: Sequence[Path], number: int, random: np.random.Generator, window: Window | None
) -> list[list[np.ndarray]]:
    """For each of ``folders``, ``number`` of its images: uint8 (Y, X), all of one size.

    Pictures (PNG, JPEG) are taken as grey values; of volumes the middle axial slice is shown in the ``window`` (SUV or
    HU; default: the percentiles 0.5 and 99.8 of all drawn slices together). Raises ImageError where a folder has too
    few images, or where kind or size would tell the folders apart.
    """
    drawn = [_drawn(folder, number, random) for folder in folders]
    kinds = [{path.suffix.lower() in _PICTURES for path in paths} for paths in drawn]
    if kinds[0] != kinds[1] or len(kinds[0]) > 1:
        raise ImageError(
            f"{folders[0]} and {folders[1]}: pictures and volumes are mixed, and readers could tell them by their "
            "look; give both in the same format"
        )
    images = [[_read(path) for path in paths] for paths in drawn]
    _check_sizes(drawn, images)
    if kinds[0] == {True}:
        return [[image.astype(np.uint8) for image in own] for own in images]
    low, high = window or np.percentile([image for own in images for image in own], _SHOWN_PERCENTILES)
    return [[_in_window(image, float(low), float(high)) for image in own] for own in images]


def _drawn(folder: Path, number: int, random: np.random.Generator) -> list[Path]:
    if not folder.is_dir():
        raise ImageError(f"{folder}: no such folder")
    known = (*_PICTURES, *image_suffixes())
    paths = sorted(path for path in folder.iterdir() if path.is_file() and path.name.lower().endswith(known))
    if len(paths) < number:
        raise ImageError(f"{folder}: {len(paths)} images, {number} are needed; add images, or ask for fewer with -n")
    return [paths[index] for index in random.permutation(len(paths))[:number]]


def _read(path: Path) -> np.ndarray:
    """Grey values (Y, X): 0 to 255 of a picture, SUV or HU of a volume."""
    if path.suffix.lower() not in _PICTURES:
        volume = read_volume(path).to_canonical()
        return volume.array[volume.grid.shape[0] // 2].astype(np.float32)
    try:
        with Image.open(path) as picture:
            if picture.mode.startswith("I"):  # 16 bits
                return np.asarray(picture, dtype=np.float32) / 257
            return np.asarray(picture.convert("L"), dtype=np.float32)
    except OSError as error:
        raise ImageError(f"{path}: cannot be read, the file seems damaged ({error})") from None


def _check_sizes(paths: Sequence[Sequence[Path]], images: Sequence[Sequence[np.ndarray]]) -> None:
    first = images[0][0].shape
    for own_paths, own in zip(paths, images):
        for path, image in zip(own_paths, own):
            if image.shape != first:
                raise ImageError(
                    f"{path}: {image.shape[1]} x {image.shape[0]} pixels, {paths[0][0].name} has "
                    f"{first[1]} x {first[0]}; readers could tell images by their size, so bring all to one"
                )


def _in_window(image: np.ndarray, low: float, high: float) -> np.ndarray:
    return np.rint(np.clip((image - low) / max(high - low, 1e-9), 0, 1) * 255).astype(np.uint8)


def encoded(image: np.ndarray) -> bytes:
    """A PNG without metadata. It is not compressed: a compressed file is longer where an image has more noise, which
    would tell real images from synthetic ones."""
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "PNG", compress_level=0)
    return stream.getvalue()
