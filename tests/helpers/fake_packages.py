"""Stand-ins for moosez and TotalSegmentator: they offer what ct2pet uses, label by the CT number, and do what a test
asks for in the environment variable FAKE, bad things as the real ones do them included."""

import importlib
import json
import os
import textwrap
from pathlib import Path

ACTIONS = """
import os, pathlib, signal, socket, subprocess, sys, time
import numpy as np

def act():
    action, _, argument = os.environ.get("FAKE", "").partition(":")
    if action == "crash":
        raise RuntimeError("it went wrong\\nin detail")
    if action == "exit":
        print("first line\\r 50%|#####\\rlast words")
        os._exit(7)
    if action == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if action == "memory":
        raise MemoryError
    if action == "network":
        socket.create_connection(("weights.invalid", 443), timeout=5)
    if action == "hang":
        worker = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)"])
        pathlib.Path(argument).write_text(f"{os.getpid()} {worker.pid}")
        time.sleep(300)

def by_number(hu):
    "Label 1 from 0 HU on, label 2 from 100 HU on, and so forth; less is air."
    return np.clip(hu // 100 + 1, 0, None).astype(np.uint8)
"""

MOOSE = {
    "__init__.py": """
        import os
        os.environ.update(nnUNet_raw="", nnUNet_results="")
        """,
    "actions.py": ACTIONS,
    "models.py": """
        import json, os, shutil, socket
        FOLDERS = {"clin_ct_body": "Dataset001_body", "clin_ct_organs": "Dataset123_Organs"}
        MODEL_METADATA = {name: {"url": "https://weights.invalid/b.zip", "folder_name": folder}
                          for name, folder in FOLDERS.items()}
        class Model:
            def __init__(self, name, output, base_directory="site-packages"):
                folder = os.path.join(base_directory, MODEL_METADATA[name]["folder_name"])
                with open(os.path.join(folder, "model_version.json")) as file:
                    if json.load(file)["url"] != MODEL_METADATA[name]["url"]:
                        shutil.rmtree(folder)
                        socket.create_connection(("weights.invalid", 443))
                with open(os.path.join(folder, "nnUNetTrainer__nnUNetPlans__3d_fullres", "dataset.json")) as file:
                    self.dataset = json.load(file)
        """,
    "system.py": """
        class OutputManager:
            def __init__(self, console, log):
                assert not console and not log
        """,
    "workflows.py": """
        import SimpleITK as sitk
        from moosez.actions import act, by_number
        def inference(image, model, accelerator, output, observer):
            act()
            assert sitk.DICOMOrientImageFilter.GetOrientationFromDirectionCosines(image.GetDirection()) == "RAS"
            assert accelerator == "cpu"
            found = sitk.GetImageFromArray(by_number(sitk.GetArrayFromImage(image)))
            found.CopyInformation(image)
            return found
        """,
    "benchmarking/__init__.py": "",
    "benchmarking/benchmark.py": "class PerformanceObserver: pass",
}

TOTALSEGMENTATOR = {
    "__init__.py": "",
    "actions.py": ACTIONS,
    "map_to_binary.py": """
        import json, os
        class_map = {task: {int(number): name for number, name in labels.items()}
                     for task, labels in json.loads(os.environ["FAKE_LABELS"]).items()}
        """,
    "python_api.py": """
        import json, os, shutil, socket
        from pathlib import Path
        import nibabel
        import numpy as np
        from totalsegmentator.actions import act, by_number
        FOLDER = {"body": "Dataset299_body_1559subj", "total": "Dataset297_TotalSegmentator_total_3mm_1559subj"}
        def totalsegmentator(input, output, ml, task, fast, device, nr_thr_saving):
            act()
            home, weights = (Path(os.environ[f"TOTALSEG_{name}"]) for name in ("HOME_DIR", "WEIGHTS_PATH"))
            settings = json.loads((home / "config.json").read_text())
            if settings["send_usage_stats"] or not (weights / FOLDER[task]).exists():
                socket.create_connection(("statistics.invalid", 443))
            for old in ("Dataset302_vertebrae_body_1559subj",):
                assert not (weights / old).exists()
            assert ml and fast == (task == "total") and device == "cpu"
            image = nibabel.load(input)
            assert nibabel.aff2axcodes(image.affine) == ("R", "A", "S")
            found = by_number(np.asarray(image.dataobj))
            if task == "body":
                found = np.where(found == 0, 0, np.where(found > 4, 2, 1)).astype(np.uint8)
            nibabel.save(nibabel.Nifti1Image(found, image.affine), output)
        """,
}


def install(folder, name, monkeypatch, *, version="9.8.7"):
    """Put the stand-in of the package ``name`` where this process and those that it starts find it."""
    files = {"moosez": MOOSE, "TotalSegmentator": TOTALSEGMENTATOR}[name]
    for file, text in files.items():
        path = Path(folder) / name.lower() / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text), encoding="utf-8")
    metadata = Path(folder) / f"{name}-{version}.dist-info" / "METADATA"
    metadata.parent.mkdir()
    metadata.write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.setenv(
        "PYTHONPATH", os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)
    )
    importlib.invalidate_caches()


def write_weights(folder, *models, labels=None):
    """Folders of weights of nothing."""
    for model in models:
        configuration = Path(folder) / model / "nnUNetTrainer__nnUNetPlans__3d_fullres"
        configuration.mkdir(parents=True)
        (configuration / "dataset.json").write_text(json.dumps({"labels": labels or {}}))
    return folder
