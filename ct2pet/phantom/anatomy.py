"""The whole body of a patient as label maps on any grid."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ct2pet.phantom.frame import Frame
from ct2pet.phantom.head import draw_head
from ct2pet.phantom.imaging import smooth_texture
from ct2pet.phantom.patient import Patient
from ct2pet.phantom.posture import amputate, bend
from ct2pet.phantom.shapes import Stroke, ellipsoid, paint
from ct2pet.phantom.skeleton import draw_skeleton
from ct2pet.phantom.sketch import Sketch
from ct2pet.phantom.surfaces import district_strokes, divide, draw_surfaces
from ct2pet.phantom.tissues import GAS, LABELS, labels_of, labels_with_parts
from ct2pet.phantom.trunk import draw_trunk
from ct2pet.volume import Grid, Volume, label_mask

_SEPTA_MM = 26.0  # about the size of the muscle between sheets of fat
MOVING = labels_of("lung", "mediastinum", "liver", "spleen", "stomach_wall", "kidney_cortex", "pancreas", "myocardium")


@dataclass(frozen=True)
class Anatomy:
    """Paints one patient. Grids are axis-parallel, in patient mm: x left, y back, z up from the soles."""

    patient: Patient

    @cached_property
    def frame(self) -> Frame:
        return Frame(self.patient)

    @cached_property
    def _strokes(self) -> list[Stroke]:
        sketch = Sketch(self.patient)
        draw_surfaces(sketch)
        draw_trunk(sketch)
        draw_head(sketch)
        draw_skeleton(sketch)
        return sketch.strokes

    def organs(self, grid: Grid, breath_mm: float = 0.0) -> Volume:
        """uint8 (Z, Y, X): the tissue of each voxel (``tissues.LABELS``), 0 outside the body.

        ``breath_mm``: the elevation of the diaphragm relative to the reference body.
        """
        x, y, z = self.frame.axes(grid)
        labels = np.zeros(grid.shape, dtype=np.uint8)
        paint(self._strokes, labels, x, y, z, self.frame.moved(z, breath_mm))
        self._paint_septa(labels, grid)
        amputate(labels, self.patient, x, z)
        bend(labels, grid, self.patient, z)
        return Volume(labels, grid, "label")

    def _paint_septa(self, labels: np.ndarray, grid: Grid) -> None:
        """Fat between muscles, in place: thin sheets where a smooth random field is near zero."""
        if self.patient.septa:
            random = np.random.default_rng([self.patient.seed, *b"septa"])
            sheets = np.abs(smooth_texture(grid, random, _SEPTA_MM)) < self.patient.septa
            labels[sheets & label_mask(labels, labels_with_parts("muscle"))] = LABELS["fat"]

    def districts(self, organs: Volume) -> Volume:
        """uint8 (Z, Y, X): the district (``surfaces.DISTRICTS``) of each voxel of the body in ``organs``."""
        x, y, z = self.frame.axes(organs.grid)
        districts = np.zeros(organs.grid.shape, dtype=np.uint8)
        paint(district_strokes(self.patient), districts, x, y, z)
        divide(districts, x, y, z)
        bend(districts, organs.grid, self.patient, z)
        districts[organs.array == 0] = 0
        return organs.with_array(districts)

    def lesions(self, organs: Volume, breath_mm: float = 0.0) -> Volume:
        """uint8 (Z, Y, X): the number (from 1) of the lesion in each voxel, 0 elsewhere; never in gas or skin."""
        grid = organs.grid
        x, y, z = (grid.origin[i] + np.arange(grid.shape[2 - i]) * grid.spacing[2 - i] for i in range(3))
        reference = self.frame.z_to_reference(z)
        moved = self.frame.z_from_reference(self.frame.moved(reference, breath_mm))
        strokes = [
            Stroke(number, ellipsoid(lesion.centre, lesion.radii), moves=LABELS[lesion.host] in MOVING)
            for number, lesion in enumerate(self.patient.lesions, start=1)
        ]
        found = np.zeros(grid.shape, dtype=np.uint8)
        paint(strokes, found, x, y, z, moved)
        bend(found, grid, self.patient, reference)
        forbidden = np.zeros(256, dtype=bool)
        forbidden[[0, *labels_with_parts("skin", *GAS)]] = True
        found[forbidden[organs.array]] = 0
        return organs.with_array(found)
