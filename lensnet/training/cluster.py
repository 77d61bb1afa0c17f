"""Which process of a cluster this is: told by `TF_CONFIG`, before TensorFlow is imported."""

from __future__ import annotations

import json
import os
from typing import Any

from lensnet.errors import ConfigurationError

__all__ = ["check_cluster", "is_chief"]


def check_cluster() -> dict[str, Any]:
    """Checks that `TF_CONFIG` describes a cluster, and returns what it says.

    Raises:
        ConfigurationError: it does not.
    """
    try:
        described = json.loads(os.environ.get("TF_CONFIG", ""))
        # Each of them is looked up for its error alone.
        described["cluster"]["worker"], described["task"]["type"], int(described["task"]["index"])
        return dict(described)
    except (ValueError, KeyError, TypeError):
        raise ConfigurationError(
            "training.strategy is multi_worker, which needs the environment variable TF_CONFIG "
            'on each worker, such as {"cluster": {"worker": ["host1:2222", "host2:2222"]}, '
            '"task": {"type": "worker", "index": 0}}. On one machine use auto, one_device or '
            "mirrored."
        ) from None


def is_chief(strategy: str) -> bool:
    """Returns whether this process writes files: the only one, or the first of several workers.

    Args:
        strategy: `training.strategy`.

    Raises:
        ConfigurationError: as `check_cluster`, where the strategy is `multi_worker`.
    """
    if strategy != "multi_worker":
        return True
    described = check_cluster()
    first = "chief" if described["cluster"].get("chief") else "worker"
    return (described["task"]["type"], int(described["task"]["index"])) == (first, 0)
