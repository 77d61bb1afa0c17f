"""A range test (Smith 2017, arXiv:1506.01186): which learning rate trains a network, and which not.

A new network is trained for some hundred steps while the rate rises exponentially, until the loss
explodes. Nothing is kept of it but the curve.
"""

from __future__ import annotations

import logging
import math
from pathlib import Path
from typing import Any

import keras
import numpy as np

from lensnet.config import Experiment
from lensnet.config.repeated_runs import runs_of
from lensnet.csv_tables import writing_table
from lensnet.errors import ConfigurationError, LensnetError
from lensnet.learning_rate_folder import check_test_folder, default_test_dir
from lensnet.locking import hold
from lensnet.overwriting import LEARNING_RATE_TEST
from lensnet.progress import track
from lensnet.training.accumulation import check_accumulation
from lensnet.training.batches import as_learned
from lensnet.training.devices import create_strategy, dtype_policy
from lensnet.training.learning_rate_curve import LearningRateCurve
from lensnet.training.network import compile_network, create_network

__all__ = ["exponential_ramp", "find_learning_rate", "measure_curve"]

_log = logging.getLogger(__name__)

LOWEST_RATE, HIGHEST_RATE = 1e-7, 10.0
STEPS = 300

# The loss has exploded when its running mean is so many times its first value above its lowest.
_EXPLOSION = 4.0
_MEMORY = 0.8


def exponential_ramp(steps: int, batches_per_step: int = 1) -> Any:
    """Returns the schedule of a range test, a function of the number of batches.

    Args:
        steps: of the optimizer.
        batches_per_step: whose gradients make one step; the rate stays while they are summed.
    """
    return keras.optimizers.schedules.ExponentialDecay(
        LOWEST_RATE,
        decay_steps=batches_per_step,
        decay_rate=(HIGHEST_RATE / LOWEST_RATE) ** (1 / (steps - 1)),
        staircase=True,
    )


class _Losses(keras.callbacks.Callback):
    """Keeps the loss of each step, and ends the training once it explodes.

    Args:
        steps: how many are to be taken.
        batches_per_step: whose mean loss counts.
    """

    def __init__(self, steps: int, batches_per_step: int):
        super().__init__()
        self.losses: list[float] = []
        self.end = ""
        self._batches: list[float] = []
        self._batches_per_step = batches_per_step
        self._lowest = self._mean = math.inf
        self._bar = iter(track(range(steps), "Raising the learning rate", total=steps))

    def on_train_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        # What Keras reports is the mean since the last reset.
        self.model.reset_metrics()

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        self._batches.append(float((logs or {})["loss"]))
        if len(self._batches) < self._batches_per_step:
            return
        loss = float(np.mean(self._batches))
        self._batches.clear()
        next(self._bar, None)
        if not math.isfinite(loss):
            self.end = f"the loss became {loss}"
            self.model.stop_training = True
            return
        self.losses.append(loss)
        is_first = len(self.losses) == 1
        self._mean = loss if is_first else _MEMORY * self._mean + (1 - _MEMORY) * loss
        self._lowest = min(self._lowest, self._mean)
        start = self.losses[0]
        scale = max(abs(start), start - self._lowest)
        if self._mean > self._lowest + _EXPLOSION * scale:
            self.end = "the loss exploded"
            self.model.stop_training = True

    def close(self) -> None:
        """Takes the progress bar away."""
        for _ in self._bar:
            pass


def measure_curve(
    model: keras.Model, batches: Any, *, steps: int = STEPS, batches_per_step: int = 1
) -> LearningRateCurve:
    """Trains a network at rising rates, and returns the loss at each.

    Args:
        model: compiled with the schedule of `exponential_ramp` for as many steps.
        batches: as many as there are steps, and one step's more, times `batches_per_step`.
        steps: of the optimizer.
        batches_per_step: whose gradients make one step.
    """
    # What a step at a rate has done, the batches after it show.
    watching = _Losses(steps + 1, batches_per_step)
    count = (steps + 1) * batches_per_step
    try:
        model.fit(
            batches,
            epochs=1,
            steps_per_epoch=count,
            callbacks=[watching],
            shuffle=False,
            verbose=0,
        )
    finally:
        watching.close()
    losses = np.array(watching.losses[1:])
    rates = np.geomspace(LOWEST_RATE, HIGHEST_RATE, steps)[: len(losses)]
    return LearningRateCurve(rates, losses, steps, watching.end)


def find_learning_rate(
    experiment: Experiment,
    directory: str | Path | None = None,
    *,
    overwrite: bool = False,
    steps: int = STEPS,
) -> LearningRateCurve:
    """Finds a learning rate for an experiment, by a range test on its training batches.

    Writes `learning_rate.csv` and `learning_rate.png`.

    Args:
        experiment: whose network, data, optimizer and loss are used; its learning rate and
            schedule are not. Of several seeds or folds, the first.
        directory: where the curve goes. Default: `runs/<name>-learning-rate`.
        overwrite: replace a curve that is there.
        steps: of the optimizer, from the lowest rate to the highest.

    Returns:
        the curve, whose `suggestion` is a tenth of the rate of the lowest smoothed loss.

    Raises:
        ConfigurationError: the experiment cannot be run as it is, or something is in the way.
        DataError: the data are missing, bad, or not what the task needs.
        LensnetError: the loss was not finite from the first step on.
    """
    path = Path(directory) if directory is not None else default_test_dir(experiment)
    check_test_folder(path, overwrite=overwrite)
    if experiment.training.strategy == "multi_worker":
        raise ConfigurationError(
            "A range test trains on one machine: --set training.strategy=auto.",
            key="training.strategy",
        )
    first = next(iter(runs_of(experiment).values()), experiment)
    curve = _curve_of(first, steps)
    if len(curve.losses) < 2:
        raise LensnetError(
            "The loss is not finite from the first steps on, whatever the learning rate is: look "
            "at the data (`lensnet explore`) and at data.normalization."
        )
    with hold(path, "lensnet fit --find-learning-rate"):
        check_test_folder(path, overwrite=overwrite)
        _write(path, curve, first.training.loss.name)
    return curve


def _curve_of(experiment: Experiment, steps: int) -> LearningRateCurve:
    from lensnet.data import prepare
    from lensnet.data.augmentation.augmenter import check_libraries

    training = experiment.training
    check_libraries(experiment.data.augmentation)
    # Of several devices one is enough: the gradient is that of the whole batch in any case.
    strategy = create_strategy("tpu" if training.strategy == "tpu" else "one_device")
    data = prepare(experiment)
    check_accumulation(experiment, data, strategy)
    summed = training.gradient_accumulation_steps
    epochs = -(-(steps + 1) * summed // data.steps_per_epoch(training.batch_size))
    keras.utils.set_random_seed(experiment.seed)
    with strategy.scope(), dtype_policy(training.precision):
        model = create_network(experiment, data, strategy)
        compile_network(model, experiment, data, exponential_ramp(steps, summed), strategy)
    _log.info(
        "Range test: %d steps from a learning rate of %g to one of %g, or until the loss explodes.",
        steps,
        LOWEST_RATE,
        HIGHEST_RATE,
    )
    batches = as_learned(
        data.training_batches(training.batch_size, epochs=epochs),
        data,
        weighed=data.training_weights is not None,
    )
    with data.feeding():
        return measure_curve(model, batches, steps=steps, batches_per_step=summed)


def _write(path: Path, curve: LearningRateCurve, loss: str) -> None:
    from lensnet.evaluation.learning_rate_figure import learning_rate_curve
    from lensnet.evaluation.style import save

    if LEARNING_RATE_TEST.is_marked(path):
        LEARNING_RATE_TEST.empty(path)
    LEARNING_RATE_TEST.write_mark(path)
    columns = ("learning_rate", "loss", "smoothed_loss")
    with writing_table(path / "learning_rate.csv", columns) as table:
        for row in zip(curve.rates, curve.losses, curve.smoothed, strict=True):
            table.row([f"{value:.7g}" for value in row])
    figure = learning_rate_curve(
        curve.rates,
        curve.losses,
        curve.smoothed,
        loss=loss,
        suggestion=curve.suggestion,
        lowest=curve.lowest_rate,
    )
    save(figure, path / "learning_rate.png")
