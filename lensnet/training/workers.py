"""Several workers end together: where one has died, the others say so and do not wait for it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from lensnet.errors import LensnetError
from lensnet.training.cluster import Cluster

__all__ = ["create_multi_worker_strategy", "ending_together"]

HEARTBEAT_SECONDS = 20
"""How long a worker may be silent before the others take it for dead."""


def create_multi_worker_strategy(cluster: Cluster) -> Any:
    """Makes TensorFlow's strategy for several workers, which watch each other.

    Args:
        cluster: all of them.
    """
    import tensorflow as tf

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
    """Words what TensorFlow raises where another worker no longer answers.

    Args:
        strategy: of `tf.distribute`.

    Raises:
        LensnetError: another worker has died.
    """
    import tensorflow as tf

    if not isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):
        yield
        return
    try:
        yield
    except (tf.errors.UnavailableError, tf.errors.AbortedError) as error:
        raise LensnetError("Another worker has ended.") from error
