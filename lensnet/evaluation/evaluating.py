"""Measuring a finished run: metrics, predictions and figures into its folder."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from lensnet import files
from lensnet.best_epoch import BestEpochRule
from lensnet.config import Experiment
from lensnet.errors import DataError
from lensnet.evaluation import figures as draw
from lensnet.evaluation.cost import measure_speed, network_size
from lensnet.evaluation.measured_test import measure_test_split, save_figures
from lensnet.evaluation.run_opening import load_run_model, open_run_data, split_outputs
from lensnet.evaluation.split_results import SplitResults, measure_split
from lensnet.evaluation.temperature import Calibration, calibrate
from lensnet.layers import accelerate
from lensnet.run_folder import RunFolder

if TYPE_CHECKING:
    from lensnet.data import PreparedData

__all__ = ["evaluate_run"]

_log = logging.getLogger(__name__)


def evaluate_run(run: RunFolder, data: PreparedData | None = None) -> dict[str, Any]:
    """Measures a run's best model on the validation and the test split.

    Writes `metrics.json`, `predictions.csv` and the figures into the run folder. A metric that has
    no value is null there, and `undefined` says why; `intervals` holds 95 % intervals, by the
    bootstrap; `warnings` what must be said beside the metrics, which is logged as well. With
    `evaluation.calibration` the model is calibrated first, and saved so.

    Args:
        run: the run folder.
        data: the run's data, if they are open already.

    Returns:
        what `metrics.json` holds.

    Raises:
        RunError: the run has no model yet, or is damaged.
        ConfigurationError: the folder cannot be written.
        DataError: the data cannot be prepared.
    """
    experiment = run.read_experiment()
    history = run.read_history()
    run.check_writable()
    plain = load_run_model(run)
    data = data or open_run_data(run)
    plain, calibration, warnings = _calibrated(run, experiment, plain, data)
    model = accelerate(plain)
    validation = _validation_results(experiment, model, data)
    measured = measure_test_split(experiment, model, data, run, calibration)
    drawn = measured.figures
    if history:
        rule = BestEpochRule.of(experiment.training.early_stopping, experiment.task_spec.monitors)
        kept = int(rule.best_row(history)["epoch"])
        drawn = {"training_curves": draw.training_curves(history, best_epoch=kept), **drawn}
    save_figures(run, drawn)
    results = {
        "validation": validation.metrics,
        "test": measured.results.metrics,
        "timing": _timing(history, data) | measure_speed(model, data.image_shape),
        "model": network_size(model, experiment, data.image_shape, len(data.classes)),
        "undefined": {
            "validation": validation.undefined,
            "test": measured.results.undefined,
        },
        "intervals": {
            "validation": validation.intervals,
            "test": measured.results.intervals,
        },
        **measured.more,
        "warnings": [*warnings, *measured.warnings],
    }
    if calibration is not None:
        results["calibration"] = {
            "method": experiment.evaluation.calibration,
            "temperature": calibration.temperature,
            "validation_log_loss": list(calibration.log_loss),
            **measured.before_calibration,
        }
    for words in results["warnings"]:
        _log.warning("%s", words)
    run.write_json("metrics.json", results)
    return results


def _calibrated(
    run: RunFolder, experiment: Experiment, model: Any, data: PreparedData
) -> tuple[Any, Calibration | None, list[str]]:
    """The model with its temperature, which is saved; what was fitted; and why nothing was."""
    if experiment.evaluation.calibration == "none":
        return model, None, []
    try:
        calibrated, found = calibrate(model, data)
    except DataError as error:
        # At the end of a training: what can be measured is.
        return model, None, [str(error)]
    with files.replacing(run.model_file) as temporary:
        calibrated.save(temporary)
    _log.info("Calibrated: the logits are divided by %.4g.", found.temperature)
    return calibrated, found, []


def _validation_results(experiment: Experiment, model: Any, data: PreparedData) -> SplitResults:
    labels = data.examples("validation").labels
    with split_outputs(model, data, "validation", keep_images=False) as (outputs, _):
        return measure_split(
            experiment.task_spec,
            labels,
            outputs,
            data.classes,
            bootstrap=experiment.evaluation.bootstrap,
            seed=experiment.seed,
        )


def _timing(history: list[dict[str, str]], data: PreparedData) -> dict[str, float]:
    if not history:
        return {}  # of an ensemble, whose members were trained before
    seconds = sum(float(row["seconds"]) for row in history)
    images = sum(data.training_counts.values()) * len(history)
    return {
        "seconds": round(seconds, 3),
        # A clock that stood still tells nothing of speed.
        "train_images_per_second": round(images / max(seconds, 1e-3), 1),
    }
