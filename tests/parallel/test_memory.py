import os

import case_functions
import pytest

from ct2pet.parallel import map_cases, memory


@pytest.mark.parametrize(("gib", "processes"), [(2.0, 2), (20.0, 1), (0.0, 8)])
def test_processes_are_limited_by_the_free_memory(gib, processes, monkeypatch):
    monkeypatch.setattr(memory, "available_memory_gib", lambda: 5.0)
    assert memory.processes_that_fit(8, gib) == processes


def test_cases_are_computed_in_the_caller_where_only_one_process_fits(monkeypatch):
    monkeypatch.setattr(memory, "available_memory_gib", lambda: 5.0)
    cases = {f"case{number}": (number,) for number in range(3)}
    results = map_cases(case_functions.process_number, cases, num_processes=3, memory_per_process_gib=4.0)
    assert set(results.values.values()) == {os.getpid()}


def control_group(folder, limit, used, cache, names=("memory.max", "memory.current", "inactive_file")):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / names[0]).write_text(f"{limit}\n")
    (folder / names[1]).write_text(f"{used}\n")
    (folder / "memory.stat").write_text(f"anon 5\n{names[2]} {cache}\n")


def test_every_control_group_above_the_process_limits_its_memory(tmp_path):
    control_group(tmp_path / "job" / "step", limit="max", used=10, cache=0)
    control_group(tmp_path / "job", limit=1000, used=700, cache=600)
    assert list(memory._left_by_control_groups("0::/job/step\n", tmp_path)) == [900]


def test_control_groups_of_version_1_are_read(tmp_path):
    names = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
    control_group(tmp_path / "memory" / "job", 1000, 400, 100, names)
    assert list(memory._left_by_control_groups("3:cpu:/x\n4:memory:/job\n0::/\n", tmp_path)) == [700]


def test_some_memory_is_available():
    assert memory.available_memory_gib() > 0
