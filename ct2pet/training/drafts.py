"""The predictions of a stage for every case, stored for the training of the next stage."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ct2pet.checkpoint import load_checkpoint
from ct2pet.console import progress
from ct2pet.errors import Ct2PetError
from ct2pet.files import read_json, remove_partial_files, write_json
from ct2pet.inference.volumes import predict_volume
from ct2pet.models.base import Method, PredictionModel
from ct2pet.models.base.staged import draft_name
from ct2pet.preprocessing import DistrictStore, StoredCase
from ct2pet.preprocessing.case_record import CaseRecord
from ct2pet.preprocessing.normalization import as_input
from ct2pet.preprocessing.storage import IMAGES, read_images, write_images
from ct2pet.volume import Box


class DraftedCase(StoredCase):
    """A stored case with the images that a stage predicted for it, with the names and the range of inputs."""

    def __init__(self, folder: Path, case: str, record: CaseRecord, drafts: DraftStore) -> None:
        super().__init__(folder, case, record)
        self.drafts = drafts

    def read(self, box: Box) -> dict[str, Any]:
        return {**super().read(box), **self.drafts.read(self.case, box)}


class DraftStore(DistrictStore):
    """The cases of a district's store with the predictions of a ``stage`` of a method, in ``folder_of_drafts``:
    ``CASE.b2nd`` (its image targets, normalised, float16, the stored box) and ``CASE.json``, written last, with its
    sources. ``inputs``: the cases with the inputs of this stage."""

    def __init__(self, inputs: DistrictStore, folder_of_drafts: Path, stage: PredictionModel) -> None:
        super().__init__(inputs.folder)
        self.inputs, self.drafts = inputs, Path(folder_of_drafts)
        self.images = [one for one in stage.fields.targets if not one.rules.is_labels]
        self.windows = stage.planned.normalization

    def open(self, case: str) -> DraftedCase:
        return DraftedCase(self.folder, case, self.present_record(case), self)

    def read(self, case: str, box: Box) -> dict[str, np.ndarray]:
        """The predictions in a box of a case, by the names of the next stage's inputs."""
        images = read_images(self.drafts / f"{case}{IMAGES}", box)
        return {draft_name(one): as_input(image, self.windows[one.name]) for one, image in zip(self.images, images)}

    def make(self, cases: Sequence[str], method: Method, name: str, checkpoint: Path, shown: bool) -> None:
        """Predict ``cases`` with the stage ``name`` of ``method`` and the weights of ``checkpoint``, except cases that
        this checkpoint has predicted from the same stored data."""
        remove_partial_files(self.drafts)
        digest = hashlib.sha256(checkpoint.read_bytes()).hexdigest()
        keys = {case: {"checkpoint_sha256": digest, "case_key": self.record(case).key} for case in cases}
        missing = [case for case in cases if not self._is_made(case, keys[case])]
        if not missing:
            return
        method.load_state_dict(load_checkpoint(checkpoint)["model"])
        stage = method.stages[name]
        assert isinstance(stage, PredictionModel)
        stage.eval()
        with progress(f"Predicting with {name}", len(missing), shown=shown) as bar:
            for case in missing:
                (self.drafts / f"{case}.json").unlink(missing_ok=True)
                write_images(self.drafts / f"{case}{IMAGES}", self._predicted(case, stage))
                write_json(self.drafts / f"{case}.json", keys[case])
                bar.advance()

    def _is_made(self, case: str, key: dict[str, str]) -> bool:
        try:
            return (self.drafts / f"{case}{IMAGES}").exists() and read_json(self.drafts / f"{case}.json") == key
        except Ct2PetError:
            return False

    @torch.inference_mode()
    def _predicted(self, case: str, stage: PredictionModel) -> list[np.ndarray]:
        content = self.inputs.open(case).read_all()
        inputs = {one.name: content[one.name].astype(np.float32) for one in stage.fields.inputs}
        found = predict_volume([stage], inputs, content["mask"])
        return [found[one.name] for one in self.images]
