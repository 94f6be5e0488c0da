"""What a first stage makes of every case, kept beside the training that the second stage learns in."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

from ct2pet.checkpoint import load_checkpoint
from ct2pet.errors import Ct2PetError
from ct2pet.files import atomic_path, read_json, remove_partial_files, write_json
from ct2pet.inference.stages import translate_volume
from ct2pet.models.base import Model
from ct2pet.preprocessing import DistrictStore, StoredCase
from ct2pet.preprocessing.normalization import pet_as_input
from ct2pet.volume import Box


class DraftedCase(StoredCase):
    """A stored case that shows, in place of its CT, what the first stage made of it (normalization.pet_as_input)."""

    draft: np.ndarray

    def read(self, box: Box) -> dict[str, Any]:
        return {**super().read(box), "ct": pet_as_input(self.draft[box.slices])}


class DraftStore(DistrictStore):
    """The cases of a district's store with their drafts in ``drafts``: ``CASE.npy`` (normalised PET, float16, the
    stored box) and ``CASE.json``, written last, which says what it was made of."""

    def __init__(self, store: DistrictStore, drafts: Path) -> None:
        super().__init__(store.folder)
        self.drafts = Path(drafts)

    def open(self, case: str) -> DraftedCase:
        opened = DraftedCase(self.folder / f"{case}.b2nd", self.record(case))
        opened.draft = np.load(self.drafts / f"{case}.npy", mmap_mode="r", allow_pickle=False)
        return opened

    def make(self, cases: Sequence[str], model: Model, checkpoint: Path, until: str, bar: bool) -> None:
        """Translate ``cases`` with the model of ``checkpoint`` up to its stage ``until``, but those which that very
        checkpoint has translated as they are stored today."""
        remove_partial_files(self.drafts)
        digest = hashlib.sha256(checkpoint.read_bytes()).hexdigest()
        keys = {case: {"checkpoint_sha256": digest, "case_key": self.record(case)["key"]} for case in cases}
        missing = [case for case in cases if not self._is_made(case, keys[case])]
        if not missing:
            return
        model.load_state_dict(load_checkpoint(checkpoint)["model"])
        model.eval()
        for case in tqdm(missing, desc=f"predicting with {until}", unit="case", disable=not bar):
            (self.drafts / f"{case}.json").unlink(missing_ok=True)
            with atomic_path(self.drafts / f"{case}.npy") as path, path.open("wb") as file:
                np.save(file, self._translated(case, model, until))
            write_json(self.drafts / f"{case}.json", keys[case])

    def _is_made(self, case: str, key: dict[str, str]) -> bool:
        try:
            return (self.drafts / f"{case}.npy").exists() and read_json(self.drafts / f"{case}.json") == key
        except Ct2PetError:
            return False

    @torch.inference_mode()
    def _translated(self, case: str, model: Model, until: str) -> np.ndarray:
        stored = super().open(case)
        content = stored.read(Box((0, 0, 0), stored.shape))
        return translate_volume(model, content["ct"].astype(np.float32), content["mask"], until=until).astype("<f2")
