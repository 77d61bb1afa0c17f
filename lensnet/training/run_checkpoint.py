"""What becomes of a run as it trains: the history, the best model, the checkpoints, the stop."""

from __future__ import annotations

import contextlib
import csv
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import keras

from lensnet import files
from lensnet.best_epoch import BestEpochRule
from lensnet.config.sections import EarlyStopping
from lensnet.errors import RunError
from lensnet.interruption import Interrupted
from lensnet.locking import Hold
from lensnet.run_folder import RunFolder
from lensnet.training.checkpoint import (
    metric_values,
    read_state,
    restore_checkpoint,
    save_checkpoint,
)
from lensnet.training.pace import Pace
from lensnet.training.replicas import normalizing_alone
from lensnet.training.weight_averaging import WeightAveraging

__all__ = ["Companion", "RunCheckpoint"]


class Companion(Protocol):
    """A callback with a state of its own, without which a resumed run would end otherwise.

    It must come before `RunCheckpoint` among the callbacks, which saves what it holds.

    Attributes:
        variables: the arrays of its state.
    """

    @property
    def variables(self) -> Sequence[Any]: ...

    def state(self) -> dict[str, Any]:
        """Returns the rest of its state, as values that JSON can hold."""

    def restore(self, state: dict[str, Any]) -> None:
        """Takes up what `state` gave."""


_log = logging.getLogger(__name__)


class RunCheckpoint(keras.callbacks.Callback):
    """Writes what a run has reached into its folder, and can take up where it left off.

    One callback instead of Keras's CSVLogger, ModelCheckpoint and EarlyStopping, because their
    states must be saved and restored together for a resumed run to equal one never stopped.

    Args:
        run: the run folder.
        early_stopping: when to stop; None for never. The best model is chosen by its `monitor`,
            or by `val_loss`.
        finished_model: gives the model to save, with probabilities or targets as output.
        monitors: for each value that may choose the best epoch, whether the smallest ("min") or
            the largest ("max") is best.
        held: the hold of the run folder; None for one of several workers that is not to write.
        pace: says when to write within an epoch, and when to stop.
        companions: the other callbacks that have a state.

    Raises:
        Interrupted: the process was asked to stop, at the step after which it has.
    """

    def __init__(
        self,
        run: RunFolder,
        early_stopping: EarlyStopping | None,
        finished_model: Callable[[], keras.Model],
        monitors: Mapping[str, str],
        held: Hold | None,
        pace: Pace,
        companions: Sequence[Companion] = (),
    ):
        super().__init__()
        self.run = run
        self.early_stopping = early_stopping
        self.finished_model = finished_model
        self.held = held
        self.rule = BestEpochRule.of(early_stopping, monitors)
        self.history: list[dict[str, Any]] = []
        self.best: float | None = None
        self.best_epoch: int | None = None
        self.epochs_since_best = 0
        self.ended = False
        self.pace = pace
        self.companions = companions
        self.steps_done = 0
        self._is_over = False
        self._metrics: list[Any] = []
        self._epoch_seconds = 0.0
        self._epoch_start = 0.0

    @property
    def next_epoch(self) -> int:
        """The epoch with which training goes on, counted from 0; its `steps_done` are done."""
        return len(self.history)

    def restore(self, model: keras.Model) -> bool:
        """Takes up the state of the run's checkpoint; returns whether there is one.

        Raises:
            RunError: it is damaged, or of another model.
        """
        path = self.run.checkpoint_file
        if not path.is_file():
            return False
        if read_state(path).get("history") and not self.run.model_file.is_file():
            # The best weights may be those of an earlier epoch than the checkpoint's.
            _log.warning("%s is gone: training begins anew.", self.run.model_file)
            return False
        state, self._metrics = restore_checkpoint(path, model, self._companions_variables)
        if self._metrics and len(self._metrics) != len(model.metrics_variables):
            raise RunError(f"The checkpoint {path} belongs to another model or optimizer.")
        try:
            self.history = [dict(row) for row in state["history"]]
            self.best = state["best"]
            self.best_epoch = state["best_epoch"]
            self.epochs_since_best = int(state["epochs_since_best"])
            self.ended = bool(state["ended"])
            # An earlier version wrote none of these, and whole epochs alone.
            self.steps_done = int(state.get("steps_done", 0))
            self._epoch_seconds = float(state.get("epoch_seconds", 0))
            before = sum(float(row["seconds"]) for row in self.history)
            self.pace.seconds_before = float(state.get("seconds", before))
            kept = state.get("companions", [])
            for companion, own in zip(self.companions, kept, strict=True):
                companion.restore(own)
        except (KeyError, TypeError, ValueError) as error:
            raise RunError(f"The checkpoint {path} is damaged: its state lacks {error}.") from None
        if self.history and self.held is not None:
            self._write_history()
        return True

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        self.pace.begin()

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._epoch_start = time.monotonic()
        if not self.steps_done:
            self._epoch_seconds = 0.0
        for variable, values in zip(self.model.metrics_variables, self._metrics, strict=False):
            # What the steps of the epoch have left that were done before the run was stopped.
            variable.assign(values)

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        self.steps_done = batch + 1
        verdict = self.pace.after_step(self.steps_done)
        if verdict.write or verdict.stop:
            self._write_within_epoch(metric_values(self.model))
        if verdict.stop:
            raise self._interrupted()
        if verdict.end:
            self._is_over = True
            self.model.stop_training = True

    def on_test_begin(self, logs: dict[str, Any] | None = None) -> None:
        # The validation, which takes the metrics for its own, may be where the run is stopped.
        self._metrics = metric_values(self.model)

    def on_test_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        if self.pace.is_asked:
            self.model.stop_evaluating = True

    def on_test_end(self, logs: dict[str, Any] | None = None) -> None:
        if self.pace.is_asked:
            self._write_within_epoch(self._metrics)
            raise self._interrupted()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        # Seven digits are what single precision has.
        values = {name: float(f"{float(value):.7g}") for name, value in (logs or {}).items()}
        seconds = round(self._seconds_of_epoch(), 3)
        # Of the next step. The callbacks that come after this one are to see it as well.
        values["learning_rate"] = float(f"{float(self.model.optimizer.learning_rate):.7g}")
        if logs is not None:
            logs["learning_rate"] = values["learning_rate"]
        self.history.append({"epoch": epoch + 1, **values, "seconds": seconds})
        self._judge(epoch, values[self.rule.monitor])
        self.steps_done, self._metrics = 0, []
        verdict = self.pace.after_step(0)
        self._is_over |= verdict.end
        self.ended = (
            epoch + 1 == self.params["epochs"] or self._should_stop_early() or self._is_over
        )
        if self.held is not None:
            self.held.check()
            self._write_epoch()
        self.pace.written()
        if self.ended:
            self.model.stop_training = True
            if self._is_over:
                _log.info("The time of training.time_budget is over.")
        if verdict.stop:
            raise self._interrupted()

    def check_asked(self) -> None:
        """Checks that nothing has asked the process to stop when the training was over.

        Raises:
            Interrupted: it was; what is to come takes long, too.
        """
        if self.pace.is_asked:
            raise self._interrupted()

    def _write_epoch(self) -> None:
        """Writes the model, the history, and last the checkpoint, after which a kill is no loss."""
        if self.epochs_since_best == 0:
            self._save_model(self.run.model_file)
        if self.ended:
            self._save_model(self.run.last_model_file)
        self._write_history()
        self._save_checkpoint([])

    def _write_within_epoch(self, metrics: list[Any]) -> None:
        if self.held is not None:
            self.held.check()
            self._save_checkpoint(metrics)
        self.pace.written()

    def _save_model(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        with files.replacing(path) as temporary, self._weights_to_save():
            with normalizing_alone(self.model):
                self.finished_model().save(temporary)

    def _save_checkpoint(self, metrics: list[Any]) -> None:
        state = {
            "history": self.history,
            "best": self.best,
            "best_epoch": self.best_epoch,
            "epochs_since_best": self.epochs_since_best,
            "ended": self.ended,
            "steps_done": self.steps_done,
            "epoch_seconds": self._seconds_of_epoch() if metrics else 0.0,
            "seconds": self.pace.seconds,
            "companions": [companion.state() for companion in self.companions],
        }
        more = self._companions_variables
        save_checkpoint(self.run.checkpoint_file, self.model, state, more, metrics)

    def _seconds_of_epoch(self) -> float:
        return self._epoch_seconds + time.monotonic() - self._epoch_start

    def _interrupted(self) -> Interrupted:
        if self.ended:
            where = "after the last epoch"
        elif self.steps_done:
            where = f"in epoch {self.next_epoch + 1}, step {self.steps_done}"
        else:
            where = f"after epoch {self.next_epoch}"
        resume = f"lensnet fit --resume --run-dir {self.run.path}"
        return Interrupted(f"Stopped by {self.pace.interruption.words} {where}", resume)

    def _weights_to_save(self) -> contextlib.AbstractContextManager[None]:
        averaging = [c for c in self.companions if isinstance(c, WeightAveraging)]
        return averaging[0].applied() if averaging else contextlib.nullcontext()

    @property
    def _companions_variables(self) -> list[Any]:
        return [variable for companion in self.companions for variable in companion.variables]

    def _judge(self, epoch: int, value: float) -> None:
        if self.rule.improves(value, self.best):
            self.best, self.best_epoch, self.epochs_since_best = value, epoch + 1, 0
        else:
            self.epochs_since_best += 1

    def _should_stop_early(self) -> bool:
        stopping = self.early_stopping
        return stopping is not None and self.epochs_since_best >= stopping.patience

    def _write_history(self) -> None:
        with files.replacing(self.run.history_file) as temporary:
            with temporary.open("w", newline="", encoding="utf-8") as stream:
                writer = csv.DictWriter(stream, fieldnames=list(self.history[-1]), restval="")
                writer.writeheader()
                writer.writerows(self.history)
