"""From runs to one network: loaded once, weighed by the validation split, and put together."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from lensnet.config.ensemble import EnsembleOptions
from lensnet.ensembling.combination import Combination, combination_of
from lensnet.ensembling.criteria import Criterion, criterion_of
from lensnet.ensembling.members import MemberRun
from lensnet.ensembling.selection import fit_weights, select
from lensnet.errors import DataError
from lensnet.evaluation.caveats import why_undefined
from lensnet.layers import accelerate
from lensnet.prediction.loading import check_input_shape, load
from lensnet.progress import track
from lensnet.registry import load_object

if TYPE_CHECKING:
    from lensnet.data import PreparedData

__all__ = ["Chosen", "combine_models", "combine_runs"]

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Chosen:
    """What the validation split has decided.

    Args:
        weights: (M,), adding up to 1; 0 for a run that is not a member.
        rows: what is measured on the validation split, a row a run and ensemble.
        path: the runs in the order in which they were selected; () without a selection.
    """

    weights: np.ndarray
    rows: list[dict[str, Any]]
    path: list[dict[str, Any]]


def combine_runs(
    members: Sequence[MemberRun], data: PreparedData, options: EnsembleOptions
) -> tuple[Chosen, keras.Model]:
    """Loads each network once, weighs them, and makes one of them.

    Args:
        members: the runs.
        data: theirs.
        options: how they are combined.

    Returns:
        what was decided, and the model, which gives what a run's model gives.

    Raises:
        RunError: a model is damaged.
        ConfigurationError: there is no such metric to select by.
        DataError: the metric to select by has no value on the validation split.
    """
    task = members[0].experiment.task_spec
    combination = combination_of(task, options.combine)
    criterion = None if options.select is None else criterion_of(options.select, task)
    parts = [_part(member, number, combination) for number, member in enumerate(members, 1)]
    chosen = _choose(members, parts, data, combination, options, criterion)
    kept = np.flatnonzero(chosen.weights)
    weights = [float(chosen.weights[number]) for number in kept]
    model = combine_models([parts[n] for n in kept], weights, combination, name="ensemble")
    return chosen, model


def combine_models(
    parts: Sequence[keras.Model],
    weights: Sequence[float],
    combination: Combination,
    *,
    name: str,
) -> keras.Model:
    """Returns one functional model of several, which takes what each of them takes.

    Args:
        parts: models of the same input, of different names, that give what is combined.
        weights: one for each, adding up to 1.
        combination: how.
        name: of the model.
    """
    image = keras.Input(parts[0].input_shape[1:], name="image")
    return keras.Model(
        image, combination.layers([part(image) for part in parts], weights), name=name
    )


def _part(member: MemberRun, number: int, combination: Combination) -> keras.Model:
    """The network of a member, up to what is combined of it."""
    model = load(member.run.path)
    check_input_shape(model, member.data, member.run)
    if not hasattr(model, "operations"):
        # One that averages over rotations is no functional model.
        image = keras.Input(model.input_shape[1:], name="image")
        model = keras.Model(image, model(image))
    name = f"member_{number}"
    return accelerate(keras.Model(model.input, combination.part(model), name=name))


def _choose(
    members: Sequence[MemberRun],
    models: Sequence[keras.Model],
    data: PreparedData,
    combination: Combination,
    options: EnsembleOptions,
    criterion: Criterion | None,
) -> Chosen:
    """Weighs the runs, by the validation split where that is asked for, and measures them there."""
    labels = data.examples("validation").labels
    parts = _parts_on_validation(models, data)
    times = np.array([member.times for member in members])
    all_alike = times / times.sum()
    if criterion is not None:
        _check_defined(criterion, labels, combination.combined(parts, all_alike), data.classes)
    counts, path = times, []
    if criterion is not None:
        remark = criterion.remark(labels)
        if remark:
            _log.warning("%s", remark)
        selection = select(parts, labels, combination, criterion, replacement=options.replacement)
        counts = selection.counts
        path = [
            {"run": members[number].name, criterion.name: _as_measured(score, criterion)}
            for number, score in zip(selection.path, selection.scores, strict=True)
        ]
    weights = counts / counts.sum()
    if options.weights == "fitted":
        kept = np.flatnonzero(counts)
        weights = np.zeros(len(members))
        weights[kept] = fit_weights(parts[kept], labels, combination)

    metrics = load_object(members[0].experiment.task_spec.metrics)

    def row(name: str, weight: float | None, of_runs: np.ndarray) -> dict[str, Any]:
        outputs = combination.combined(parts, of_runs)
        found = metrics(labels, outputs)
        if criterion is not None and criterion.name not in found:
            found[criterion.name] = criterion.measure(labels, outputs)
        return {"name": name, "weight": weight, "validation": found}

    ones = np.eye(len(members))
    rows = [row(m.name, float(w), one) for m, w, one in zip(members, weights, ones, strict=True)]
    if not np.allclose(weights, all_alike, atol=1e-9) and len(members) > 1:
        rows.append(row("all, equal weights", None, all_alike))
    rows.append(row("the ensemble", None, weights))
    return Chosen(weights, rows, path)


def _parts_on_validation(models: Sequence[keras.Model], data: PreparedData) -> np.ndarray:
    """What is combined of each model for the validation images, (M, N, K) float64."""
    found: list[list[np.ndarray]] = [[] for _ in models]
    with _quiet_tensorflow():
        for batch, _ in track(
            data.batches("validation", 64),
            "Measuring the members on the validation split",
            total=len(data.examples("validation").ids),
            count=lambda pair: len(pair[0]),
        ):
            for outputs, model in zip(found, models, strict=True):
                outputs.append(np.asarray(model.predict_on_batch(batch), dtype=np.float64))
    return np.stack([np.concatenate(outputs) for outputs in found])


@contextlib.contextmanager
def _quiet_tensorflow() -> Iterator[None]:
    """Keeps TensorFlow from warning of many traces: it takes those of all models for one's."""
    logger = logging.getLogger("tensorflow")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


def _check_defined(
    criterion: Criterion, labels: np.ndarray, outputs: np.ndarray, classes: Sequence[str]
) -> None:
    """Refuses to select by a metric that has no value on the validation split.

    Raises:
        DataError: it has none.
    """
    if criterion.measure(labels, outputs) is not None:
        return
    reason = why_undefined({criterion.name: None}, labels, classes).get(
        criterion.name, "it has too few images of a class"
    )
    raise DataError(
        f"{criterion.name} has no value on the validation split, so that no members can be "
        f"selected by it: {reason}. Name another metric."
    )


def _as_measured(score: float, criterion: Criterion) -> float:
    return score if criterion.higher_is_better else -score
