"""Worker processes on the loopback interface score what one process scores; some die of it."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path

import brightness_network
import numpy as np
import pyarrow.parquet as pq
import pytest

from lensnet.errors import ConfigurationError, RunError
from lensnet.prediction.scoring.dask_cluster import DaskCluster, check_dask
from lensnet.prediction.scoring.score_request import ScoredRun, ScoreRequest
from lensnet.prediction.scoring.scoring_files import score

distributed = pytest.importorskip("distributed")


@pytest.mark.parametrize(
    ("text", "kind", "workers"),
    [("local:3", "local", 3), ("slurm:8", "slurm", 8), ("slurm", "slurm", 4)],
)
def test_where_workers_are(text, kind, workers):
    cluster = DaskCluster.parse(text)
    assert (cluster.kind, cluster.workers) == (kind, workers)


@pytest.mark.parametrize("text", ["tcp://10.0.0.5:8786", "node7:8786", "tls://[::1]:8786"])
def test_addresses(text):
    assert DaskCluster.parse(text) == DaskCluster("address", text)


@pytest.mark.parametrize("text", ["", "local:0", "everywhere", "tcp://host", "local:-1"])
def test_what_names_no_workers(text):
    with pytest.raises(ConfigurationError, match="names no Dask workers. Say local:4"):
        DaskCluster.parse(text)


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ConfigurationError, match=r"pip install 'lensnet\[dask\]'"):
        check_dask("local:2")


def test_no_scheduler_answers(monkeypatch):
    monkeypatch.setattr("lensnet.prediction.scoring.dask_cluster._SECONDS_TO_CONNECT", 0.2)
    with pytest.raises(RunError, match="No Dask scheduler answers at tcp://127.0.0.1:1"):
        with DaskCluster.parse("tcp://127.0.0.1:1").client():
            pass


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.setattr(ScoredRun, "open", brightness_network.scored_run)
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    return brightness_network.make_run(tmp_path / "run")


@pytest.fixture
def images(tmp_path):
    folder = tmp_path / "images"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for number in range(40):
        np.save(folder / f"{number:02d}.npy", rng.random((8, 8), np.float32))
    return folder


def request(run, images, output, **options):
    return ScoreRequest(
        run,
        (str(images),),
        output,
        batch_size=2,
        partition_rows=2,
        network="brightness_network:open_slowly",
        **options,
    )


@pytest.mark.processes
def test_a_killed_worker_and_one_that_joins(run, images, tmp_path, monkeypatch):
    """The table is that of one process, value for value."""
    score(request(run, images, tmp_path / "one.parquet"))
    monkeypatch.setenv("SECONDS_A_BATCH", "0.3")
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, host="127.0.0.1", dashboard_address=None
    ) as cluster:
        with distributed.Client(cluster) as client:
            victim = next(iter(client.run(os.getpid).values()))

            def kill_and_join():
                time.sleep(2)
                os.kill(victim, signal.SIGKILL)
                cluster.scale(3)

            thread = threading.Thread(target=kill_and_join)
            thread.start()
            address = cluster.scheduler_address
            score(request(run, images, tmp_path / "many.parquet", dask=address))
            thread.join()
    one, many = (pq.read_table(tmp_path / f"{name}.parquet") for name in ("one", "many"))
    assert many.equals(one) and many.num_rows == 40


@pytest.mark.slow
def test_a_poisonous_partition_leaves_the_others(run, images, tmp_path, monkeypatch):
    import dask

    np.save(images / "07.npy", -np.random.default_rng(1).random((8, 8), np.float32))
    monkeypatch.setenv("POISONOUS", "1")
    asked = request(run, images, tmp_path / "scores.csv", dask="local:2")
    with dask.config.set({"distributed.scheduler.allowed-failures": 0}):
        with pytest.raises(RunError, match=r"1 partitions could not be scored.*--resume") as caught:
            score(asked)
    assert "3: workers died of it" in str(caught.value)
    assert asked.work.done() == set(range(20)) - {3}
