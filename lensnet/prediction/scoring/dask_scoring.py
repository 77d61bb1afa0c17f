"""Scoring by the workers of a Dask cluster: partitions are tasks, and a dead worker's go elsewhere.

Each task writes its own part, which takes its name when it is whole, so that a partition that two
workers score, because one was thought dead, is there once all the same.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from typing import Any

from lensnet.data.files.bad_file import first_words
from lensnet.errors import RunError
from lensnet.prediction.scoring.dask_cluster import DaskCluster
from lensnet.prediction.scoring.dask_worker import Task, score_one
from lensnet.prediction.scoring.score_request import ScoredRun, ScoreRequest

__all__ = ["score_with_dask"]

_log = logging.getLogger(__name__)

# How often a task is tried again, elsewhere if possible, that an exception has ended.
_RETRIES = 2

_SHOWN = 5


def score_with_dask(
    request: ScoreRequest, run: ScoredRun, numbers: Sequence[int], uncertainty: str
) -> Iterator[int]:
    """Scores partitions by the workers of a cluster, and yields the rows of each that is done.

    Args:
        request: what was asked.
        run: the run.
        numbers: of the partitions.
        uncertainty: what it is to be.

    Raises:
        RunError: no scheduler answers; or partitions could not be scored, which it names. All
            others are, then.
        ConfigurationError: Slurm's jobs are not described.
    """
    cluster = DaskCluster.parse(request.dask or "")
    task = Task(
        run=str(request.run.resolve()),
        folder=str(request.work.path.resolve()),
        output=str(request.output.resolve()),
        batch_size=request.batch_size,
        uncertainty=uncertainty,
        network=request.network,
        shape=run.native_shape,
        threads=cluster.threads,
    )
    with cluster.client() as client:
        failed: dict[int, str] = {}
        yield from _score(client, task, numbers, failed)
        # What was killed with its worker may only have been there with what did kill it: each is
        # tried once more, alone.
        for number in [number for number, words in failed.items() if words == _KILLED]:
            del failed[number]
            yield from _score(client, task, [number], failed)
    if failed:
        raise RunError(_words_of(failed))


_KILLED = "workers died of it, again and again"


def _score(
    client: Any, task: Task, numbers: Sequence[int], failed: dict[int, str]
) -> Iterator[int]:
    """Scores partitions; those that cannot be are added to `failed`, with the reason."""
    from distributed import KilledWorker, as_completed

    tasks = client.map(
        score_one,
        [task] * len(numbers),
        numbers,
        pure=False,
        retries=_RETRIES,
        batch_size=1000,
    )
    number_of = dict(zip((future.key for future in tasks), numbers, strict=True))
    try:
        for future in as_completed(tasks):
            number = number_of[future.key]
            if future.status == "finished":
                yield future.result()
                continue
            error = future.exception() if future.status == "error" else None
            if isinstance(error, RunError):
                raise error
            if error is None or isinstance(error, KilledWorker):
                failed[number] = _KILLED
            else:
                failed[number] = f"{type(error).__name__}: {first_words(error)}"
            _log.warning("Partition %d: %s; the others go on.", number, failed[number])
    finally:
        client.cancel(tasks)


def _words_of(failed: dict[int, str]) -> str:
    lines = [
        f"{len(failed)} partitions could not be scored; all others are, and are kept. Mend the "
        "cause, or take the bad inputs out, and go on by the same command with --resume:"
    ]
    lines += [f"  {number}: {words}" for number, words in sorted(failed.items())[:_SHOWN]]
    return "\n".join([*lines, *[f"  and {len(failed) - _SHOWN} more"] * (len(failed) > _SHOWN)])
