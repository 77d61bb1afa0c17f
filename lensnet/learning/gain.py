"""What a round has brought: the network before and after it, on the same images."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lensnet.config.sections import Splits
from lensnet.datasets.graded.candidate_splits import HELD_OUT
from lensnet.evaluation.bootstrap import confidence_intervals
from lensnet.evaluation.metrics import binary_metrics, classification_metrics
from lensnet.evaluation.paired_tests import accuracy_difference, auc_difference
from lensnet.evaluation.resampled_metrics import resampled_classes
from lensnet.evaluation.run_opening import load_run_model, split_outputs
from lensnet.run_folder import RunFolder

if TYPE_CHECKING:
    from lensnet.data import PreparedData

__all__ = ["HELD_OUT_NAME", "TEST_NAME", "Gain", "compare_outputs", "measure_gain"]

HELD_OUT_NAME, TEST_NAME = "held-out grades", "test split of before"

_BOOTSTRAPPED = {"average_precision": "bootstrap, paired", "log_loss": "bootstrap, paired"}


@dataclass(frozen=True)
class Gain:
    """By how much the network of a round exceeds that of before in a metric, on the same images.

    Args:
        images: which.
        examples: how many.
        metric: as in `metrics.json`.
        before, after: what either reaches.
        low, high: the 95 % interval of their difference, after less before; None where it has none.
        p_value: how often chance alone makes a difference as large; None where nothing is tested.
        test: what was done.
    """

    images: str
    examples: int
    metric: str
    before: float
    after: float
    low: float | None
    high: float | None
    p_value: float | None
    test: str

    def as_dict(self) -> dict[str, Any]:
        """Returns it as JSON has it."""
        return asdict(self)


def measure_gain(before: RunFolder, after: RunFolder) -> tuple[list[Gain], list[str]]:
    """Compares two networks on the held-out grades and on the test split of before.

    Args:
        before: the run that was learned on from.
        after: the run of the round, trained on `graded` data.

    Returns:
        the differences, and why there are not more, in sentences.

    Raises:
        RunError: one of them has no model, or is damaged.
        DataError: the prepared data of the round are gone.
    """
    from lensnet.layers import accelerate

    models = [accelerate(load_run_model(run)) for run in (before, after)]
    gains: list[Gain] = []
    remarks: list[str] = []
    for name, split in ((HELD_OUT_NAME, HELD_OUT), (TEST_NAME, "test")):
        opened = [_data(run, after, split) for run in (before, after)]
        if opened[0] is None:
            remarks.append(f"There are no {name}: nothing can be measured on them.")
            continue
        outputs = []
        for model, data in zip(models, opened, strict=True):
            with split_outputs(model, data, "test", keep_images=False) as (found, _):  # type: ignore[arg-type]
                outputs.append(found)
        labels = opened[0].examples("test").labels
        gains += compare_outputs(name, labels, *outputs)
        if remark := _few(name, labels, opened[0].classes):
            remarks.append(remark)
    return gains, remarks


def compare_outputs(
    images: str, labels: np.ndarray, before: np.ndarray, after: np.ndarray
) -> list[Gain]:
    """Compares the outputs of two networks for the same images.

    The area under the ROC curve by DeLong's test, the accuracy by McNemar's, and the average
    precision and the log loss by drawings of images that both are measured on.

    Args:
        images: what these are called.
        labels: class numbers, (N,).
        before: probabilities (N, K), or of class 1 alone, (N, 1).
        after: the same of the other network.
    """
    is_binary = before.shape[1] == 1
    metrics = binary_metrics if is_binary else classification_metrics
    first, second = (metrics(labels, outputs) for outputs in (before, after))
    found = []

    def add(metric: str, interval: Any, p_value: float | None, test: str) -> None:
        one, other = first.get(metric), second.get(metric)
        if one is not None and other is not None and math.isfinite(one) and math.isfinite(other):
            low, high = interval or (None, None)
            found.append(Gain(images, len(labels), metric, one, other, low, high, p_value, test))

    area = auc_difference(labels, before, after)
    if area is not None:
        add("roc_auc", (area.low, area.high), area.p_value, "DeLong")
    hits = accuracy_difference(labels, before, after)
    add("accuracy", (hits.low, hits.high), hits.p_value, "McNemar, exact")
    one, other = resampled_classes(labels, before), resampled_classes(labels, after)

    def measure(counts: np.ndarray) -> dict[str, np.ndarray]:
        old, new = one(counts), other(counts)
        return {name: new[name] - old[name] for name in _BOOTSTRAPPED if name in old}

    intervals = confidence_intervals(measure, labels, 1000)
    for name, test in _BOOTSTRAPPED.items():
        if name in intervals:
            add(name, intervals[name], None, test)
    return found


def _few(name: str, labels: np.ndarray, classes: tuple[str, ...]) -> str:
    """Says that a class has too few images for more than a guess; "" where none has."""
    counts = np.bincount(labels, minlength=len(classes)).tolist()
    if min(counts) >= LEAST_HELD_OUT:
        return ""
    listed = ", ".join(f"{count} {name}" for count, name in zip(counts, classes, strict=True))
    return (
        f"Of the {name} ({listed}) a class has fewer than {LEAST_HELD_OUT}: the gain on them is "
        "hardly more than a guess. Grade more candidates, or raise --held-out."
    )


LEAST_HELD_OUT = 5
"""Images of each class for which a difference is worth looking at."""


def _data(run: RunFolder, after: RunFolder, split: str) -> PreparedData | None:
    """Opens a split of the round's data as a run's network takes them; None where it is empty."""
    from lensnet.data import Preprocessing, open_prepared
    from lensnet.errors import ConfigurationError

    experiment = after.read_experiment()
    splits = Splits(train="train", validation="validation", test=split)
    # The weights are of the training, which is over.
    data = experiment.data.model_copy(update={"splits": splits, "example_weights": None})
    preprocessing = Preprocessing.from_dict(run.read_data().preprocessing.to_dict())
    try:
        return open_prepared(
            experiment.model_copy(update={"data": data}), after.read_data().records, preprocessing
        )
    except ConfigurationError:
        if split == HELD_OUT:
            return None
        raise
