"""The Python page and the notebook run as they are written, from the first block to the last, in a new folder."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "documentation" / "how_to" / "use_from_python.md"
NOTEBOOK = ROOT / "documentation" / "tutorial.ipynb"


def blocks_of_page():
    return re.findall(r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def cells_of_notebook():
    notebook = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    assert (notebook["nbformat"], notebook["nbformat_minor"]) == (4, 5)
    assert len({cell["id"] for cell in notebook["cells"]}) == len(notebook["cells"])
    return ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"]


def run(blocks, folder):
    """As a shell and a notebook do: statements of a module without a file, one after another."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ct2pet_")}
    environment |= {"PYTHONPATH": str(ROOT), "MPLBACKEND": "agg", "ct2pet_no_progress": "1"}
    command = [sys.executable, "-c", "\n".join(blocks)]
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=590, check=False
    )


@pytest.mark.timeout(600)
def test_the_page_runs_from_the_first_block_to_the_last(tmp_path):
    blocks = blocks_of_page()
    assert len(blocks) >= 10
    found = run(blocks, tmp_path)
    assert found.returncode == 0, found.stderr
    assert "['phantom_005.nii.gz', 'phantom_006.nii.gz']" in found.stdout
    assert "did you mean pix2pix?" in found.stdout
    assert {"predictions", "pix2pix.zip"} <= {path.name for path in (tmp_path / "ct2pet_example").iterdir()}
    assert len(list((tmp_path / "ct2pet_example" / "predictions").glob("*.png"))) == 2


@pytest.mark.timeout(600)
def test_the_notebook_runs_from_the_first_cell_to_the_last(tmp_path):
    found = run(cells_of_notebook(), tmp_path)
    assert found.returncode == 0, found.stderr
    assert len(re.findall(r"mean absolute error inside the body: \d+\.\d{3} SUV", found.stdout)) == 5
    assert (tmp_path / "ct2pet_tutorial" / "projections.png").stat().st_size > 5000


def test_the_notebook_has_no_outputs_and_no_paths():
    text = NOTEBOOK.read_text(encoding="utf-8")
    assert not re.search(r"/(home|tmp|work|Users)/", text)
    assert all(cell["outputs"] == [] for cell in json.loads(text)["cells"] if cell["cell_type"] == "code")
