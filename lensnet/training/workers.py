"""Several workers begin and end together: where one has died, none waits for it."""

from __future__ import annotations

import contextlib
import logging
import re
from collections.abc import Iterator, Sequence
from typing import Any

from lensnet.errors import LensnetError, RunError
from lensnet.training.cluster import Cluster

__all__ = ["check_same", "create_multi_worker_strategy", "ending_together"]

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

    if not isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):
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


def check_same(strategy: Any, numbers: Sequence[float], what: str) -> None:
    """Checks that all workers begin with the same numbers.

    Args:
        strategy: of `tf.distribute`.
        numbers: of this worker.
        what: they are, for the message.

    Raises:
        RunError: they do not.
    """
    import tensorflow as tf

    if not isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):
        return
    own = tf.constant(numbers, tf.float32)

    @tf.function
    def mean_of(values: Any) -> Any:
        return strategy.reduce("MEAN", strategy.run(tf.identity, args=(values,)), axis=None)

    mean, square = mean_of(tf.stack([own, own**2])).numpy()
    if any(abs(square - mean**2) > 1e-6 * square):
        raise RunError(
            f"The workers do not begin with the same {what}: do all of them see the same run "
            "folder? Network file systems take a minute to show a file to all; then run the "
            "command again."
        )
