"""The test split, measured from every side: metrics, rotations, what a search yields, figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure

from lensnet.config import Experiment
from lensnet.config.task import TaskSpec
from lensnet.csv_tables import writing_table
from lensnet.errors import DataError
from lensnet.evaluation import figures as draw
from lensnet.evaluation.run_figures import figures_of_search, figures_of_truth
from lensnet.evaluation.run_invariance import CONSTANT, rotate_images_of
from lensnet.evaluation.run_opening import split_outputs
from lensnet.evaluation.search_yield import describe_search
from lensnet.evaluation.split_results import SplitResults, measure_split
from lensnet.evaluation.temperature import Calibration, uncalibrated
from lensnet.prediction.columns import Columns
from lensnet.registry import load_object
from lensnet.run_folder import RunFolder

if TYPE_CHECKING:
    from lensnet.data import PreparedData

__all__ = ["MeasuredTest", "measure_test_split", "save_figures"]


@dataclass(frozen=True)
class MeasuredTest:
    """What was measured on the test split.

    Attributes:
        results: metrics, reasons and intervals.
        figures: by the names of their files.
        warnings: what must be said beside the metrics.
        more: further parts of `metrics.json`.
        before_calibration: what the calibration has changed.
    """

    results: SplitResults
    figures: dict[str, Figure]
    warnings: list[str]
    more: dict[str, Any] = field(default_factory=dict)
    before_calibration: dict[str, Any] = field(default_factory=dict)


def measure_test_split(
    experiment: Experiment,
    model: Any,
    data: PreparedData,
    folder: RunFolder,
    calibration: Calibration | None = None,
) -> MeasuredTest:
    """Measures a model on the test split, and writes its predictions.

    Args:
        experiment: says what is measured.
        model: from preprocessed images to outputs.
        data: whose test split it is.
        folder: where `predictions.csv` goes.
        calibration: what was fitted, if anything was.
    """
    task, section = experiment.task_spec, experiment.evaluation
    examples, classes = data.examples("test"), data.classes
    labels, settings = examples.labels, {"bootstrap": section.bootstrap, "seed": experiment.seed}
    with split_outputs(model, data, "test", keep_images=True) as (outputs, images):
        results = measure_split(task, labels, outputs, classes, **settings)
        warnings = _warnings(task, labels, outputs, classes)
        drawn = dict(load_object(task.figures)(labels, outputs, images, classes))
        more: dict[str, Any] = {}
        if task.is_search:
            more["search"] = describe_search(labels, outputs[:, 0], section.prevalence)
            drawn |= figures_of_search(labels, outputs, classes, section.prevalence)
        if classes and outputs.shape[1] == task.num_outputs(len(classes)):
            drawn |= figures_of_truth(labels, outputs, data.metadata("test"), classes)
        try:
            invariance = rotate_images_of(data, model, images, section.rotations, section.precision)
            results = results.with_rotations(invariance, **settings)
            drawn["rotation_profile"] = draw.rotation_profile(invariance)
            if len(images) > 1 and invariance.is_constant:
                warnings.append(CONSTANT)
        except DataError as error:
            why = str(error).rstrip(".")
            results = results.without_rotations(why[:1].lower() + why[1:])
        _write_predictions(folder, load_object(task.columns)(classes), examples, outputs)
    before = _before(task, labels, outputs, calibration)
    return MeasuredTest(results, drawn, warnings, more, before)


def save_figures(folder: RunFolder, drawn: Mapping[str, Figure]) -> None:
    """Writes figures into a folder's `figures/`, by their names."""
    folder.figures_dir.mkdir(exist_ok=True)
    for name, figure in drawn.items():
        draw.save(figure, folder.figures_dir / f"{name}.png")


def _warnings(
    task: TaskSpec, labels: np.ndarray, outputs: np.ndarray, classes: Sequence[str]
) -> list[str]:
    """What must be said beside the metrics of the test split."""
    return [] if task.warnings is None else load_object(task.warnings)(labels, outputs, classes)


def _before(
    task: TaskSpec, labels: np.ndarray, outputs: np.ndarray, calibration: Calibration | None
) -> dict[str, Any]:
    """What the calibration has changed on the test split; nothing of an averaged model.

    The mean of softened probabilities is not the softened mean, so that these cannot be hardened
    again.
    """
    if calibration is None or calibration.is_averaged:
        return {}
    plain = load_object(task.metrics)(labels, uncalibrated(outputs, calibration.temperature))
    return {"test_before": {name: plain[name] for name in ("log_loss", "ece") if name in plain}}


def _write_predictions(
    folder: RunFolder, columns: Columns, examples: Any, outputs: np.ndarray
) -> None:
    header = ["id", columns.truth, *columns.names]
    is_target = examples.labels.dtype.kind == "f"
    numbers = [*columns.score_names, *([columns.truth] if is_target else [])]
    with writing_table(folder.predictions_file, header, numbers) as table:
        scores = columns.scores(outputs)
        for name, label, row in zip(examples.ids, examples.labels, scores, strict=True):
            table.row([name, columns.truth_cell(label), *columns.cells(row)])
