"""A run's model on other data than it was trained for: another survey, another simulation."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import numpy as np

from lensnet.config import Experiment
from lensnet.errors import DataError, RunError
from lensnet.evaluation.cost import measure_speed, network_size
from lensnet.evaluation.measured_test import measure_test_split, save_figures
from lensnet.evaluation.other_experiment import check_classes, source_of
from lensnet.evaluation.run_opening import load_run_model, open_run_data
from lensnet.layers import accelerate
from lensnet.run_folder import RunFolder

if TYPE_CHECKING:
    from lensnet.data import PreparedData

__all__ = ["evaluate_elsewhere"]

_log = logging.getLogger(__name__)


def evaluate_elsewhere(run: RunFolder, other: Experiment) -> RunFolder:
    """Measures a run's best model on the test split of other data.

    Results go to `evaluations/NAME` in the run folder, NAME being that of `other`, in files named
    as those of a run; the run's own stay as they are.

    Args:
        run: the run folder.
        other: what `read_other_data` gave.

    Returns:
        the folder of the results.

    Raises:
        RunError: the run has no model yet, or is damaged; or results on other data have this name.
        DataError: the data cannot be prepared, or have other classes or images of another shape
            than the run.
    """
    from lensnet.data import Preprocessing, prepare

    known = run.read_data()
    folder = RunFolder(run.path / "evaluations" / other.name)
    _check_name(folder, other)
    preprocessing = Preprocessing.from_dict(known.preprocessing.to_dict())
    data = prepare(other, preprocessing=preprocessing)
    check_classes(data.classes, known, run)
    model = accelerate(load_run_model(run))
    folder.path.mkdir(parents=True, exist_ok=True)
    folder.write_experiment(other.resolved(data.splits))
    folder.write_json(
        "data.json",
        {
            **known.model_dump(mode="json"),
            "records": data.records,
            "counts": {"test": data.counts("test")},
        },
    )
    measured = measure_test_split(other, model, data, folder)
    save_figures(folder, measured.figures)
    warnings = [*_seen_in_training(run, other, data), *measured.warnings]
    for words in warnings:
        _log.warning("%s", words)
    folder.write_json(
        "metrics.json",
        {
            "test": measured.results.metrics,
            "timing": measure_speed(model, data.image_shape),
            "model": network_size(model, other, data.image_shape, len(data.classes)),
            "undefined": {"test": measured.results.undefined},
            "intervals": {"test": measured.results.intervals},
            **measured.more,
            "warnings": warnings,
        },
    )
    return folder


def _check_name(folder: RunFolder, other: Experiment) -> None:
    if not folder.experiment_file.is_file():
        return
    before = folder.read_experiment()
    if source_of(before) != source_of(other):
        raise RunError(
            f"{folder.path} holds results on other data ({before.data.dataset}, "
            f"{before.data.source_dir or 'simulated'}). Give these another name by the key `name`."
        )


def _seen_in_training(run: RunFolder, other: Experiment, data: PreparedData) -> list[str]:
    """Says how many of the images the network has been trained on."""
    if source_of(run.read_experiment()) != source_of(other):
        return []
    try:
        trained = open_run_data(run).examples("train").ids
    except DataError:
        return []
    shared = np.intersect1d(trained, data.examples("test").ids)
    if not len(shared):
        return []
    return [
        f"{len(shared)} of the {len(data.examples('test').ids)} test images, such as "
        f'"{shared[0]}", are among those that the network was trained on: the metrics flatter it. '
        "Take the splits and the seed of the run's data."
    ]
