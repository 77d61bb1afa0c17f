"""What a trial is: a run like any other, watched after each epoch."""

from __future__ import annotations

import gc
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from lensnet.best_epoch import BestEpochRule
from lensnet.config import Experiment
from lensnet.config.search.file import COSTS
from lensnet.errors import LensnetError
from lensnet.run_folder import RunFolder

__all__ = ["Objective", "Report", "StoppedTrial", "fit_trial"]

Report = Callable[[int, float], None]
"""Takes the epoch, from 1, and the first objective after it; raises `StoppedTrial` at the last."""


class StoppedTrial(Exception):
    """A trial is not worth going on with."""


Objective = Callable[[Experiment, Path, Sequence[str], Report], list[float]]
"""Measures a trial: takes the experiment with its values; its own folder, in which an earlier
process may have begun; the names of the objectives; and what is called after each epoch, also those
that an earlier process has trained. Returns the objectives, in order."""


def fit_trial(
    experiment: Experiment, run_dir: Path, objectives: Sequence[str], report: Report
) -> list[float]:
    """Trains and measures the network of a trial; the objectives are those of its best epoch."""
    import keras

    from lensnet.training import fit

    run = RunFolder(run_dir)
    first = next(name for name in objectives if name not in COSTS)
    if run.history_file.is_file():
        for row in run.read_history():
            report(int(row["epoch"]), _value_of(row, first))
    # What the trial before has left takes memory.
    keras.utils.clear_session()
    gc.collect()
    run = fit(experiment, run_dir, resume=True, callbacks=[_reporting(first, report)])
    rule = BestEpochRule.of(experiment.training.early_stopping, experiment.task_spec.monitors)
    best = rule.best_row(run.read_history())
    costs = _costs(experiment, run) if set(objectives) & set(COSTS) else {}
    values = [float(costs[n]) if n in COSTS else _value_of(best, n) for n in objectives]
    for name, value in zip(objectives, values, strict=True):
        if not math.isfinite(value):
            raise LensnetError(f"{name} is {value} at the best epoch.")
    return values


def _value_of(row: Mapping[str, Any], name: str) -> float:
    if name not in row:
        raise LensnetError(f"The trial has no {name} in its history.csv: {', '.join(row)}.")
    return float(row[name])


def _costs(experiment: Experiment, run: RunFolder) -> dict[str, int]:
    from lensnet.evaluation.cost import count_network

    data = run.read_data()
    counted = count_network(experiment, data.image_shape, len(data.classes))
    if counted is None:
        raise LensnetError(
            f"{' and '.join(COSTS)} of {experiment.model.backbone} cannot be counted, for it has "
            "layers from elsewhere than the kit."
        )
    return {"parameters": counted.parameters, "multiply_adds": counted.multiply_adds}


def _reporting(name: str, report: Report) -> Any:
    """Makes the callback that reports each epoch, once it is kept."""
    import keras

    class Reporting(keras.callbacks.Callback):
        def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
            report(epoch + 1, _value_of(logs or {}, name))

    return Reporting()
