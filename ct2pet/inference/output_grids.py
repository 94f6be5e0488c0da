"""The grid of a prediction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ct2pet.errors import DatasetError
from ct2pet.imageio import image_files, read_grid
from ct2pet.inference.stitching import output_grid
from ct2pet.inference.trained_models import LoadedModel
from ct2pet.planning.plans import WHOLE_BODY
from ct2pet.volume import Grid


@dataclass(frozen=True)
class OutputGrids:
    """``kind``: "pet" (the plans' spacing over the field of view of the first input) or "ct" (that input's own grid);
    ``like``: an image with the grid to use instead, or a folder with one per case."""

    loaded: LoadedModel
    kind: str
    like: Path | None

    def of(self, case: str, leading: Grid) -> Grid:
        """The grid of a case with the first input on ``leading``. Raises DatasetError where ``like`` has no image of
        the case."""
        if self.like is not None:
            return read_grid(self._like(self.like, case))
        return leading if self.kind == "ct" else output_grid(leading, self._spacing())

    def _spacing(self) -> Sequence[float]:
        chosen = {district.name: district.configuration for district in self.loaded.districts}
        everything = {**self.loaded.plans.configurations, **chosen}
        plan = everything.get(WHOLE_BODY)
        return plan.spacing if plan else min((c.spacing for c in chosen.values()), key=sum)

    @staticmethod
    def _like(like: Path, case: str) -> Path:
        if not like.is_dir():
            return like
        files = image_files(like)
        if case not in files:
            raise DatasetError(f"{like}: no image {case} with the grid to use")
        return files[case]
