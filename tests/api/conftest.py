"""Three prepared cases, which several tests train on."""

import pytest
from raw_cases import case_volumes, write_raw

from ct2pet.api.planning import plan_and_preprocess


@pytest.fixture(scope="session")
def prepared(tmp_path_factory):
    """Three cases, ready for training. The district low is in the first two only."""
    root = tmp_path_factory.mktemp("prepared")
    cases = {f"case{number}": case_volumes(number) for number in range(3)}
    array = cases["case2"]["district_map"].array
    array[array == 1] = 0
    with pytest.MonkeyPatch.context() as patch:
        for kind in ("raw", "preprocessed"):
            patch.setenv(f"ct2pet_{kind}", str(root / kind))
        write_raw(root / "raw", cases)
        plan_and_preprocess("901", num_processes=1, device="cpu", gpu_memory_target=0.5)
    return root / "preprocessed"


@pytest.fixture
def results(prepared, tmp_path, monkeypatch):
    monkeypatch.setenv("ct2pet_preprocessed", str(prepared))
    monkeypatch.setenv("ct2pet_results", str(tmp_path / "results"))
    return tmp_path / "results" / "Dataset901_Hand"
