"""On a scheduler in this process whose clients are told of a cancellation before they have started."""

import asyncio

import distributed
import pytest
from dask_processes import open_clients
from distributed.diagnostics.plugin import SchedulerPlugin

from ct2pet.errors import ClusterError
from ct2pet.parallel import cluster
from ct2pet.parallel.client import connected
from ct2pet.parallel.cluster import on_cluster


class _Cancellation(SchedulerPlugin):
    """The cancellation of another client at the moment in which a client is added, ``times`` times."""

    def __init__(self, times):
        self.times = times

    def add_client(self, scheduler, client):
        self.times -= 1
        if self.times >= 0:
            asyncio.get_running_loop().call_soon(scheduler.report, {"op": "cancelled-keys", "keys": []})


@pytest.fixture
def local():
    """A cluster without workers."""
    options = {"processes": False, "protocol": "tcp://", "dashboard_address": "127.0.0.1:0"}
    with distributed.LocalCluster(n_workers=0, **options) as local_cluster:
        yield local_cluster


def test_a_dask_client_cancelled_during_its_start_is_started_again(local):
    local.scheduler.add_plugin(_Cancellation(times=2), name="cancellation")
    with connected(local.scheduler_address, seconds=60) as client:
        assert client.scheduler_info()["workers"] == {}
        assert open_clients() == [client]
    assert local.scheduler.plugins["cancellation"].times == -1


def test_a_client_that_is_disturbed_each_time_is_one_error_line(local):
    local.scheduler.add_plugin(_Cancellation(times=1000), name="cancellation")
    match = r"no Dask scheduler answers there \(other clients disturb the connection\)"
    with pytest.raises(ClusterError, match=match), on_cluster(local.scheduler_address):
        pass


def test_without_a_worker_jobs_are_checked_before_the_first_case_and_while_cases_wait(local, monkeypatch):
    def check():
        calls.append(1)
        if len(calls) > 1:
            raise ClusterError("all jobs have ended")

    calls = []
    monkeypatch.setattr(cluster, "_SECONDS_BETWEEN_CHECKS", 0.05)
    with pytest.raises(ClusterError, match="all jobs have ended"), on_cluster(local, check_jobs=check):
        pass
    assert len(calls) == 2
    with connected(local, seconds=60) as client:
        outcomes = cluster.Cluster(client, {}, check).outcomes(abs, {"case": (-1,)})
        with pytest.raises(ClusterError, match="all jobs have ended"):
            next(outcomes)
    assert len(calls) == 3
