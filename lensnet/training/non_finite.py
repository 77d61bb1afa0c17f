"""Stopping at the step at which a loss is no longer a number."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras

from lensnet.config import Experiment
from lensnet.csv_tables import writing_table
from lensnet.errors import LensnetError
from lensnet.registry import load_object
from lensnet.run_folder import RunFolder

if TYPE_CHECKING:
    from lensnet.data import PreparedData

__all__ = ["NonFiniteGuard"]


class NonFiniteGuard(keras.callbacks.Callback):
    """Ends a training whose loss became infinite or NaN, and says which images it saw last.

    The images of the step and of the one before, whose update may be what ruined the weights, go
    into `non_finite_batch.csv`. The last checkpoint stays as it is.

    Args:
        experiment: the run's.
        data: whose batches are trained on.
        run: where the list goes; None for one of several workers that is not to write.
        smallest_batch: as of `PreparedData.training_batches`.

    Raises:
        LensnetError: at the step, with what to try.
    """

    def __init__(
        self,
        experiment: Experiment,
        data: PreparedData,
        run: RunFolder | None,
        smallest_batch: int = 1,
    ):
        super().__init__()
        self.experiment = experiment
        self.data = data
        self.path = None if run is None else run.path / "non_finite_batch.csv"
        self.smallest_batch = smallest_batch
        self._epoch = 0

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._epoch = epoch

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        # The mean over the epoch's batches, which one that is not finite spoils for good.
        loss = float((logs or {})["loss"])
        if math.isfinite(loss):
            return
        where = f"epoch {self._epoch + 1}, step {batch + 1}"
        if self.path is None:
            raise LensnetError(f"The training loss became {loss} in {where}.")
        self._write_examples(self.path, batch)
        raise LensnetError(
            f"The training loss became {loss} in {where}. {self.path} lists the images of that "
            "step and of the one before: look whether their pixels or targets are extreme. "
            f"{self._advice()}"
        )

    def _advice(self) -> str:
        training = self.experiment.training
        advice = ["a lower training.optimizer.learning_rate"]
        if not training.schedule.warmup_epochs:
            advice.append("a warm-up (training.schedule.warmup_epochs=1)")
        if training.optimizer.clip_norm is None and training.optimizer.clip_value is None:
            advice.append("training.optimizer.clip_norm=1")
        if training.precision == "mixed_float16":
            advice.append("training.precision=mixed_bfloat16, whose range is that of float32")
        return f"Try {', or '.join(advice)}."

    def _write_examples(self, path: Path, step: int) -> None:
        columns = load_object(self.experiment.task_spec.columns)(self.data.classes)
        batch_size = self.experiment.training.batch_size
        with writing_table(path, ["epoch", "step", "id", columns.truth]) as table:
            for each in range(max(step - 1, 0), step + 1):
                examples = self.data.training_batch_examples(
                    batch_size, self._epoch, each, smallest_batch=self.smallest_batch
                )
                for name, label in zip(*examples, strict=True):
                    table.row([self._epoch + 1, each + 1, name, columns.truth_cell(label)])
