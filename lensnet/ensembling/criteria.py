"""By what members are selected: a metric of the validation split."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lensnet.config.task import TaskSpec
from lensnet.errors import ConfigurationError, did_you_mean
from lensnet.evaluation.metrics import true_positive_rate_at
from lensnet.registry import load_object
from lensnet.reporting.metric_guide import GUIDES

__all__ = ["Criterion", "criterion_of"]

_RATE = re.compile(r"tpr@(?P<rate>[0-9.eE+-]+)")


@dataclass(frozen=True)
class Criterion:
    """A metric, and what decides where it is the same.

    Args:
        name: as the user gave it.
        higher_is_better: whether more of it is.
        measure: from labels (N,) and outputs (N, K) to the metric; None where it has no value.
        false_positive_rate: at which a true-positive rate is measured.
    """

    name: str
    higher_is_better: bool
    measure: Callable[[np.ndarray, np.ndarray], float | None]
    false_positive_rate: float | None = None

    def remark(self, labels: np.ndarray) -> str | None:
        """Returns what must be said of the metric on so many images; None where nothing must.

        Args:
            labels: class indices or targets, (N,).
        """
        rate, others = self.false_positive_rate, int(np.sum(labels == 0))
        if not rate or rate * others >= 1:
            return None
        return (
            f"{self.name}: the validation split has {others} images of the first class, of which "
            "that rate is less than one: members are selected by TPR0."
        )

    def score(self, labels: np.ndarray, outputs: np.ndarray) -> float:
        """Returns the metric such that more is better; the smallest number where it has no value.

        Args:
            labels: class indices or targets, (N,).
            outputs: (N, K).
        """
        value = self.measure(labels, outputs)
        if value is None:
            return -math.inf
        return value if self.higher_is_better else -value


def criterion_of(name: str, task: TaskSpec) -> Criterion:
    """Returns the criterion of a name.

    Args:
        name: a metric of `metrics.json`; `tpr@1e-3` and the like, the true-positive rate at that
            false-positive rate, of a binary task; or `default`, the first metric of a report.
        task: with its loss.

    Raises:
        ConfigurationError: there is no such metric, or more of it is not better.

    Example:

    >>> from lensnet import registry
    >>> found = criterion_of("tpr@0.5", registry.tasks.get("binary"))
    >>> labels, scores = np.array([0, 0, 1, 1]), np.array([[0.3], [0.8], [0.5], [0.9]])
    >>> found.measure(labels, scores)
    1.0
    """
    metrics = load_object(task.metrics)
    name = task.headline[0] if name == "default" else name
    rate = _rate(name) if task.num_classes == 2 and not task.output_per_class else None
    if rate is not None:
        return Criterion(name, True, _true_positive_rate(rate), rate)
    # What the metrics of no example are called.
    keys = metrics(np.zeros(0, int), np.zeros((0, task.num_outputs(2))))
    known = [key for key in keys if key in GUIDES and GUIDES[key].better]
    if name not in known:
        more = ["tpr@1e-3"] if task.num_classes == 2 else []
        # `--select` takes the word that follows it.
        hint = " Write the runs before --select." if Path(name).exists() else ""
        raise ConfigurationError(
            f'There is no metric "{name}" to select by.{did_you_mean(name, known)} Allowed: '
            f"{', '.join([*known, *more])}.{hint}",
            key="select",
        )

    def measure(labels: np.ndarray, outputs: np.ndarray) -> float | None:
        value: Any = metrics(labels, outputs, only=(name,))[name]
        return value

    return Criterion(name, GUIDES[name].better == "higher", measure)


def _rate(name: str) -> float | None:
    found = _RATE.fullmatch(name)
    try:
        rate = float(found["rate"]) if found else None
    except ValueError:
        rate = math.nan
    if rate is not None and not 0 <= rate < 1:
        raise ConfigurationError(
            f"A false-positive rate is a number from 0 to below 1, such as tpr@1e-3; got {name}.",
            key="select",
        )
    return rate


def _true_positive_rate(rate: float) -> Callable[[np.ndarray, np.ndarray], float | None]:
    """The largest true-positive rate whose false-positive rate is at most `rate`."""

    def measure(labels: np.ndarray, outputs: np.ndarray) -> float | None:
        # Rounded, for 0.29 * 100 is a little less than 29.
        allowed = math.floor(round(rate * np.sum(labels == 0), 9))
        return true_positive_rate_at(labels, outputs[:, 0], allowed + 1)

    return measure
