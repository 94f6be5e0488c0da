"""Runs moosez on one CT; in a process of its own, because importing moosez empties nnU-Net's environment variables."""

from __future__ import annotations

import importlib.util
import json
import os
from pathlib import Path
from typing import Any

from ct2pet.districts.foreign.child import answer, device_or_best, link_weights, refuse_network


def segment(folder: Path, request: dict[str, Any]) -> dict[str, Any]:
    """Write map.nii.gz of ``model`` for ct.nii (in RAS), with the weights in ``model_folder``, and return the names of
    its labels.

    ``moosez.moose`` is not called: it copies a file into nnU-Net's folder and fetches weights. Its parts do neither.
    """
    package = Path(importlib.util.find_spec("moosez").origin).parent  # type: ignore[union-attr, arg-type]
    os.environ.update(nnUNet_extTrainer=str(package / "nnUNet_custom_trainer"))  # instead of the copy
    device = device_or_best(request["device"])

    import SimpleITK as sitk
    from moosez import models, system, workflows
    from moosez.benchmarking.benchmark import PerformanceObserver

    known = models.MODEL_METADATA[request["model"]]
    link_weights({known["folder_name"]: str(Path(request["weights"]) / request["model_folder"])}, folder / "weights")
    release = _release(folder / "weights" / known["folder_name"], known["url"])
    quiet = system.OutputManager(False, False)
    model = models.Model(request["model"], quiet, base_directory=str(folder / "weights"))
    ct = sitk.ReadImage(str(folder / "ct.nii"))
    found = workflows.inference(ct, model, device, quiet, PerformanceObserver())
    sitk.WriteImage(sitk.Cast(found, sitk.sitkUInt8), str(folder / "map.nii.gz"))
    return {"labels": model.dataset["labels"], "release": release, "expected": known["url"]}


def _release(weights: Path, url: str) -> str | None:
    """The address that the weights came from, if they say so. Then write the one that moosez knows: where another
    one stands, or none, it deletes the folder (here: the links) and fetches it again."""
    path = weights / "model_version.json"
    release = json.loads(path.read_text(encoding="utf-8")).get("url") if path.is_file() else None
    path.unlink(missing_ok=True)
    path.write_text(json.dumps({"url": url}), encoding="utf-8")
    return release


if __name__ in ("__main__", "__mp_main__"):
    refuse_network()
if __name__ == "__main__":
    answer(segment)
