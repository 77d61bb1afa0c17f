"""What a Dask worker does: it loads the network once, and scores a partition a task."""

from __future__ import annotations

import os
import socket
import threading
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

import pyarrow.parquet as pq

from lensnet.errors import RunError
from lensnet.prediction.planning import Plan
from lensnet.prediction.scoring.one_process import settled_batch_size
from lensnet.prediction.scoring.work_folder import WorkFolder
from lensnet.prediction.scoring.working_off import Scorer, score_partitions
from lensnet.registry import load_object
from lensnet.standard_error import native_standard_error_aside

__all__ = ["Task", "score_one"]

# One partition at a time: the network has threads of its own, and takes memory.
_at_work = threading.Lock()
_open: dict[Task, _Opened] = {}


@dataclass(frozen=True)
class Task:
    """What all tasks of a request have in common.

    Args:
        run: the run folder.
        folder: the work folder.
        output: the output.
        batch_size: images scored at once; None for what is found to be quick and to fit.
        uncertainty: what the uncertainty is.
        network: what opens the network, see `ScoreRequest`.
        shape: (H, W, C) of the images.
        threads: that TensorFlow may use; None for as many as Dask has given the worker.
        version: of lensnet.
    """

    run: str
    folder: str
    output: str
    batch_size: int | None
    uncertainty: str
    network: str
    shape: tuple[int, int, int]
    threads: int | None
    version: str = field(default_factory=lambda: version("lensnet"))


def score_one(task: Task, number: int) -> int:
    """Scores a partition, unless that is done, and returns how many rows it has.

    Args:
        task: of which request.
        number: of the partition.

    Raises:
        RunError: this worker has another lensnet, or does not see the files.
    """
    with _at_work:
        if task not in _open:
            _open.clear()
            _open[task] = _Opened(task)
        return _open[task].score(number)


class _Opened:
    """The plan and the network of a request, in this process."""

    def __init__(self, task: Task):
        host = socket.gethostname()
        here = version("lensnet")
        if task.version != here:
            raise RunError(
                f"The worker on {host} has lensnet {here}, and this is "
                f"{task.version}. Install the same on all."
            )
        for path in (task.folder, task.run):
            if not Path(path).is_dir():
                raise RunError(
                    f"The worker on {host} does not see {path}. Run, inputs and output must lie "
                    "where all workers see them, under the same names."
                )
        _limit_tensorflow(task.threads or _given_threads())
        self.work = WorkFolder(Path(task.folder), Path(task.output))
        self.plan = Plan.open(self.work.path)
        with native_standard_error_aside():  # TensorFlow's notices
            self.network: Scorer = load_object(task.network)(task.run, task.uncertainty)
        self.shape = task.shape
        self.batch_size = settled_batch_size(
            self.work, self.network, self.shape, self.plan.rows, task.batch_size, task.uncertainty
        )

    def score(self, number: int) -> int:
        """Scores a partition, unless that is done, and returns how many rows it has."""
        part = self.work.part(number)
        if part.exists():
            return int(pq.read_metadata(part).num_rows)
        return sum(
            score_partitions(
                self.plan, [number], self.network, self.work.part, self.shape, self.batch_size
            )
        )


def _limit_tensorflow(threads: int) -> None:
    """Sets what TensorFlow reads when it starts, unless the user has."""
    for name, value in (
        ("TF_CPP_MIN_LOG_LEVEL", "3"),
        ("TF_NUM_INTRAOP_THREADS", str(threads)),
        ("TF_NUM_INTEROP_THREADS", str(min(threads, 2))),
        # Another worker may use the same GPU.
        ("TF_FORCE_GPU_ALLOW_GROWTH", "true"),
    ):
        os.environ.setdefault(name, value)


def _given_threads() -> int:
    """Returns how many threads Dask has given this worker."""
    from distributed import get_worker

    return max(1, int(get_worker().state.nthreads))
