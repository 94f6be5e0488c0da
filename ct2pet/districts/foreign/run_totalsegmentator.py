"""Runs TotalSegmentator on one CT; in a process of its own, because it sets nnU-Net's environment variables."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from ct2pet.districts.foreign.child import answer, device_or_best, link_weights, refuse_network


def segment(folder: Path, request: dict[str, Any]) -> dict[str, Any]:
    """Write TASK.nii.gz for ct.nii (in RAS) and each of ``tasks`` (the value: its fast variant?), with the weights in
    the folders ``models``, and return the names of their labels."""
    tasks: dict[str, bool] = request["tasks"]
    weights, home = folder / "weights", folder / "home"
    link_weights({name: str(Path(request["weights"]) / name) for name in request["models"]}, weights)
    home.mkdir()
    settings = {"totalseg_id": "ct2pet", "send_usage_stats": False, "prediction_counter": 0}
    (home / "config.json").write_text(json.dumps({**settings, "statistics_disclaimer_shown": True}), encoding="utf-8")
    os.environ.update(TOTALSEG_HOME_DIR=str(home), TOTALSEG_WEIGHTS_PATH=str(weights))
    device = device_or_best(request["device"]).replace("cuda", "gpu")

    from totalsegmentator.map_to_binary import class_map
    from totalsegmentator.python_api import totalsegmentator

    for task, fast in tasks.items():
        target = folder / f"{task}.nii.gz"
        totalsegmentator(folder / "ct.nii", target, ml=True, task=task, fast=fast, device=device, nr_thr_saving=1)
    return {"labels": {task: {name: label for label, name in class_map[task].items()} for task in tasks}}


if __name__ in ("__main__", "__mp_main__"):
    refuse_network()
if __name__ == "__main__":
    answer(segment)
