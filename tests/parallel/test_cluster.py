"""On a scheduler and workers that are processes of their own, as on several machines."""

import os
import threading
import time
from contextlib import ExitStack

import case_functions
import dask
import distributed
import numpy as np
import pytest
from dask_processes import ROOT, open_clients, scheduler, wait_until_joined, worker

import ct2pet
from ct2pet.errors import ClusterError
from ct2pet.parallel import cluster, map_cases
from ct2pet.parallel.cluster import current_cluster, on_cluster

HIDE = """
import os
exists = os.path.exists
os.path.exists = lambda path: "hidden" not in str(path) and exists(path)
"""


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    """A scheduler with two workers."""
    with (
        scheduler(tmp_path_factory.mktemp("scheduler")) as (_, found),
        worker(found, wait=False) as one,
        worker(found, wait=False) as other,
    ):
        wait_until_joined(found, one, other)
        yield found


@pytest.fixture
def lonely(tmp_path):
    """A scheduler of a test alone, without a worker."""
    with scheduler(tmp_path) as found:
        yield found


def numbered(count):
    return {f"case{number}": (number,) for number in range(count)}


def wait_for(condition):
    deadline = time.monotonic() + 60
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert condition()


def test_values_are_bit_equal_to_those_of_one_machine_and_come_from_both_workers(address, capsys):
    here = map_cases(case_functions.sum_of_array, numbered(6))
    with on_cluster(address):
        there = map_cases(case_functions.sum_of_array, numbered(6))
        processes = set(map_cases(case_functions.slow_process_number, numbered(8)).values.values())
    assert {*there.values} == {*here.values}
    assert all(np.array_equal(there.values[case], value) for case, value in here.values.items())
    assert len(processes) == 2
    assert os.getpid() not in processes
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("Dask: 2 worker(s); dashboard http://127.0.0.1:")


def test_failures_are_those_of_one_machine(address):
    here = map_cases(case_functions.refuse_odd, numbered(5))
    with on_cluster(address):
        there = map_cases(case_functions.refuse_odd, numbered(5))
    assert (there.values, there.failures) == (here.values, here.failures)
    assert "refuse_odd" in there.tracebacks["case3"]


def test_a_value_that_cannot_be_sent_is_that_cases_failure(address):
    with on_cluster(address):
        results = map_cases(case_functions.cannot_be_sent, numbered(3))
    assert results.values == {"case0": 0, "case2": 2}
    assert "pickle" in results.failures["case1"]


def test_outside_of_the_block_this_machine_computes(address):
    with on_cluster(address):
        assert current_cluster() is not None
    assert current_cluster() is None
    assert set(map_cases(case_functions.process_number, numbered(2)).values.values()) == {os.getpid()}


def test_an_error_in_the_caller_takes_back_the_cases_that_have_not_begun(address, tmp_path):
    cases = {str(number): (tmp_path / str(number),) for number in range(8)}
    (tmp_path / "0").touch()
    with on_cluster(address):
        outcomes = current_cluster().outcomes(case_functions.wait_for_file, cases)
        next(outcomes)
        with pytest.raises(KeyboardInterrupt):
            outcomes.throw(KeyboardInterrupt)
    for number in range(8):  # those that have begun end
        (tmp_path / str(number)).touch()
    with on_cluster(address):
        map_cases(case_functions.double, numbered(2))
    assert len(list(tmp_path.glob("*-begun"))) < 8


def test_the_cases_of_a_killed_worker_are_done_by_another(lonely, tmp_path):
    _, address = lonely
    with worker(address) as one, worker(address) as other, on_cluster(address):
        cases = {str(number): (tmp_path / "go",) for number in range(6)}

        def kill():
            wait_for((tmp_path / "go-begun").exists)
            one.kill()
            (tmp_path / "go").touch()

        threading.Thread(target=kill).start()
        results = map_cases(case_functions.wait_for_file, cases)
    assert {*results.values} == {*cases}
    assert other.pid in results.values.values()


def test_a_worker_that_joins_later_takes_part(lonely, tmp_path, capsys):
    _, address = lonely
    with ExitStack() as workers:
        joined = []

        def join():
            for _ in range(2):
                joined.append(workers.enter_context(worker(address)).pid)
                (tmp_path / str(len(joined))).touch()

        with on_cluster(address):
            threading.Thread(target=join).start()
            first = map_cases(case_functions.wait_for_file, {name: (tmp_path / name,) for name in ("1", "2")}).values
            values = map_cases(case_functions.slow_process_number, numbered(8)).values
    assert first["1"] == joined[0]  # while the second worker starts
    assert {*values.values()} == {*joined}
    assert "no worker yet; cases wait until one joins" in capsys.readouterr().err


def test_a_scheduler_that_does_not_answer_is_one_line(monkeypatch):
    monkeypatch.setattr(cluster, "_SECONDS_TO_ANSWER", 1)
    match = r"tcp://127\.0\.0\.1:1: no Dask scheduler answers there"
    with pytest.raises(ClusterError, match=match) as raised, on_cluster("tcp://127.0.0.1:1"):
        pass
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("address", ["nonsense", "tcp://", "udp://127.0.0.1:1", "127.0.0.1:99999999"])
def test_an_invalid_address_is_one_error_line_and_leaves_no_client_open(address, monkeypatch):
    """An open client that is collected while another one starts holds up that one for ten seconds."""
    monkeypatch.setattr(cluster, "_SECONDS_TO_ANSWER", 1)
    before = open_clients()
    with pytest.raises(ClusterError, match="no Dask scheduler answers there"), on_cluster(address):
        pass
    assert open_clients() == before


def test_dask_that_is_not_installed_is_one_line(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "distributed", None)
    match = r"distributed is not installed: pip install 'ct2pet\[dask\]'"
    with pytest.raises(ClusterError, match=match), on_cluster("tcp://127.0.0.1:1"):
        pass


def test_a_lost_scheduler_ends_the_command_with_one_line(lonely, tmp_path):
    process, address = lonely

    def kill():
        wait_for((tmp_path / "second-begun").exists)
        process.kill()

    threading.Thread(target=kill).start()
    (tmp_path / "first").touch()
    with (
        dask.config.set({"distributed.comm.timeouts.connect": "1s"}),
        pytest.raises(ClusterError, match="scheduler is lost; what is finished stays"),
        worker(address),
        on_cluster(address),
    ):
        map_cases(case_functions.wait_for_file, {name: (tmp_path / name,) for name in ("first", "second")})
    assert (tmp_path / "first-begun").exists()


def other_version(folder):
    """What a machine imports on which the version 0.0.1 is installed, without today's files."""
    for name, content in {
        "ct2pet/__init__.py": '__version__ = "0.0.1"\n',
        "ct2pet-0.0.1.dist-info/METADATA": "Metadata-Version: 2.1\nName: ct2pet\nVersion: 0.0.1\n",
    }.items():
        (folder / name).parent.mkdir()
        (folder / name).write_text(content)
    return (folder, ROOT / "tests" / "helpers")


def test_a_worker_with_another_version_is_named_and_left_out(lonely, tmp_path, capsys):
    """Whether it is there at the beginning or joins while cases are under way."""
    _, address = lonely
    path = other_version(tmp_path)
    with worker(address) as good, worker(address, python_path=path), on_cluster(address):
        first = map_cases(case_functions.slow_process_number, numbered(4)).values
        with worker(address, python_path=path):
            second = map_cases(case_functions.slow_process_number, numbered(6)).values
    assert {*first.values(), *second.values()} == {good.pid}
    assert (len(first), len(second)) == (4, 6)
    warnings = [line for line in capsys.readouterr().err.splitlines() if line.startswith("warning")]
    assert len(warnings) == 2
    assert all(f"has ct2pet 0.0.1, this command is {ct2pet.__version__}" in line for line in warnings)


def test_no_worker_that_can_be_used_is_one_line(lonely, tmp_path):
    _, address = lonely
    match = r"no Dask worker can be used \(it has ct2pet 0\.0\.1"
    with (
        worker(address, python_path=other_version(tmp_path)),
        pytest.raises(ClusterError, match=match),
        on_cluster(address),
    ):
        pass


def test_a_worker_without_the_shared_folder_is_named_and_left_out(lonely, tmp_path, capsys):
    _, address = lonely
    folder = tmp_path / "hidden"
    folder.mkdir()
    (tmp_path / "sitecustomize.py").write_text(HIDE)
    path = (tmp_path, ROOT, ROOT / "tests" / "helpers")
    with worker(address) as good, worker(address, python_path=path), on_cluster(address, outputs=[folder]):
        values = map_cases(case_functions.slow_process_number, numbered(4)).values
        with worker(address, python_path=path):
            later = map_cases(case_functions.slow_process_number, numbered(6)).values
    assert {*values.values(), *later.values()} == {good.pid}
    warnings = [line for line in capsys.readouterr().err.splitlines() if line.startswith("warning")]
    assert len(warnings) == 2
    assert all(f"it does not see {folder}" in line for line in warnings)
    assert not list(folder.iterdir())


def test_a_case_that_kills_its_workers_fails_and_the_others_are_done():
    """On a cluster of Dask that starts killed workers again."""
    options = {"distributed.scheduler.allowed-failures": 0}
    with (
        dask.config.set(options),
        distributed.LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=None) as local,
        on_cluster(local),
    ):
        results = map_cases(case_functions.killed_at_two, numbered(5))
    assert results.values == {f"case{number}": number for number in (0, 1, 3, 4)}
    assert "out of memory" in results.failures["case2"]
