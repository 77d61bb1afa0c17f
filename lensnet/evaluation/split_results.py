"""What is measured on one split: metrics, why some have no value, and how sure the others are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from lensnet.config.task import TaskSpec
from lensnet.evaluation.bootstrap import Interval, confidence_intervals, exact_interval
from lensnet.evaluation.caveats import why_undefined
from lensnet.evaluation.invariance import Invariance
from lensnet.evaluation.metrics import Metrics
from lensnet.evaluation.resampled_metrics import resampled_means
from lensnet.registry import load_object

__all__ = ["SplitResults", "measure_split"]


# Shares of images: where none or all of a sample count, the share's exact interval is known.
_SHARES = ("accuracy", "coverage_68", "rotation_flip_rate")


@dataclass(frozen=True)
class SplitResults:
    """What was measured on one split.

    Attributes:
        metrics: by name, None where undefined.
        undefined: the reasons.
        intervals: 95 % intervals of those that have one.
    """

    metrics: Metrics
    undefined: dict[str, str]
    intervals: dict[str, Interval] = field(default_factory=dict)

    def with_rotations(self, invariance: Invariance, bootstrap: int, seed: int) -> SplitResults:
        """Returns the same with what rotations of the images do.

        Args:
            invariance: was measured on the images of this split.
            bootstrap: drawings for the intervals.
            seed: of them.
        """
        measured: Metrics = {**invariance.metrics()}
        each = resampled_means(invariance.per_image())
        found = confidence_intervals(
            each, np.zeros(invariance.outputs.shape[1], int), bootstrap, seed
        )
        return SplitResults(
            self.metrics | measured,
            self.undefined,
            self.intervals | _known(found, measured, invariance.outputs.shape[1]),
        )

    def without_rotations(self, reason: str) -> SplitResults:
        """Returns the same with the reason why the images were not rotated."""
        undefined = {**self.undefined, "rotation_std": reason}
        return SplitResults({**self.metrics, "rotation_std": None}, undefined, self.intervals)


def measure_split(
    task: TaskSpec,
    labels: np.ndarray,
    outputs: np.ndarray,
    classes: Sequence[str],
    *,
    bootstrap: int,
    seed: int,
) -> SplitResults:
    """Measures the outputs for one split.

    Args:
        task: which metrics there are.
        labels: class indices or targets, (N,).
        outputs: of the finished model, (N, K).
        classes: the class names; () for a regression.
        bootstrap: drawings for the intervals; 0 for none.
        seed: of them.
    """
    metrics: Metrics = load_object(task.metrics)(labels, outputs)
    intervals: dict[str, Interval] = {}
    if task.resampled is not None and bootstrap and len(labels) > 1:
        strata = labels if classes else np.zeros(len(labels), int)
        measure = load_object(task.resampled)(labels, outputs)
        found = confidence_intervals(measure, strata, bootstrap, seed)
        if classes and np.bincount(labels, minlength=len(classes)).min() < 2:
            # A class of one image is drawn again and again: only what needs no class is known.
            found = {name: found[name] for name in ("accuracy", "log_loss", "ece") if name in found}
        intervals = _known(found, metrics, len(labels))
    return SplitResults(metrics, why_undefined(metrics, labels, classes), intervals)


def _known(
    found: Mapping[str, Interval | None], metrics: Mapping[str, Any], examples: int
) -> dict[str, Interval]:
    """The intervals that say something, in the metrics' order."""
    known = {}
    for name, value in metrics.items():
        interval = found.get(name)
        if interval is None and name in _SHARES and name in found and value in (0, 1):
            interval = exact_interval(value * examples, examples)
        if interval is not None:
            known[name] = interval
    return known
