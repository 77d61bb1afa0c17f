"""Several workers begin and end together: where one has died, none waits for it."""

from __future__ import annotations

import contextlib
import logging
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from lensnet.errors import LensnetError, RunError
from lensnet.training.cluster import Cluster

__all__ = [
    "check_same",
    "create_multi_worker_strategy",
    "ending_together",
    "has_several_workers",
    "sum_over_replicas",
]

_log = logging.getLogger(__name__)


def create_multi_worker_strategy(cluster: Cluster) -> Any:
    """Makes TensorFlow's strategy for several workers, once all of them are there.

    Args:
        cluster: all of them.
    """
    import tensorflow as tf

    if cluster.size > 1:
        _log.info("Waiting for %d workers ...", cluster.size)
    jobs = {job: list(hosts) for job, hosts in cluster.addresses.items()}
    return tf.distribute.MultiWorkerMirroredStrategy(
        cluster_resolver=tf.distribute.cluster_resolver.SimpleClusterResolver(
            tf.train.ClusterSpec(jobs),
            task_type=cluster.job,
            task_id=cluster.index,
            rpc_layer="grpc",
            # By itself this resolver finds none.
            num_accelerators={"GPU": len(tf.config.list_physical_devices("GPU"))},
        )
    )


@contextlib.contextmanager
def ending_together(strategy: Any) -> Iterator[None]:
    """Says it in a sentence where another worker no longer answers.

    TensorFlow's workers tell the first of them every few seconds that they live, and where one has
    not for ten, the sums that the others wait for end in an error.

    Args:
        strategy: of `tf.distribute`.

    Raises:
        LensnetError: another worker has ended before the training has.
    """
    import tensorflow as tf

    if not has_several_workers(strategy):
        yield
        return
    try:
        yield
    except tf.errors.OpError as error:
        if "ollective" not in str(error) and not isinstance(error, tf.errors.UnavailableError):
            raise
        found = re.search(r"/job:(\w+)(?:/replica:0)?/task:(\d+)", error.message or "")
        who = f"The {found[1]} {found[2]}" if found else "Another worker"
        raise LensnetError(
            f"{who} has ended, or cannot be reached, so this one ends, too. Nothing up to the last "
            "checkpoint is lost: start the same command with --resume on all workers."
        ) from error


def has_several_workers(strategy: Any) -> bool:
    """Returns whether a strategy of `tf.distribute` is that of several workers."""
    import tensorflow as tf

    return isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy)


def sum_over_replicas(strategy: Any) -> Callable[[Sequence[float]], np.ndarray]:
    """Returns a function from what each worker knows, (N,), to its sum over all replicas, (N,).

    All workers must call it alike, and are given the same. Integers are summed exactly.

    Args:
        strategy: of `tf.distribute`.
    """
    import tensorflow as tf

    @tf.function
    def total(numbers: tf.Tensor) -> tf.Tensor:
        return strategy.reduce("SUM", strategy.run(tf.identity, args=(numbers,)), axis=None)

    def summed(numbers: Sequence[float]) -> np.ndarray:
        return np.asarray(total(tf.constant(numbers, tf.float64)))

    return summed


def check_same(strategy: Any, numbers: Sequence[int], what: str) -> None:
    """Checks that all workers begin with the same numbers.

    Args:
        strategy: of `tf.distribute`.
        numbers: of this worker.
        what: they are, for the message.

    Raises:
        RunError: they do not.
    """
    if not has_several_workers(strategy):
        return
    summed = sum_over_replicas(strategy)
    differs = summed(numbers) != strategy.num_replicas_in_sync * np.asarray(numbers)
    # One whose numbers are the mean of the others' must end with them.
    if summed(differs.astype(float).tolist()).any():
        raise RunError(
            f"The workers do not begin with the same {what}: do all of them see the same run "
            "folder? Network file systems take a minute to show a file to all; then run the "
            "command again."
        )
