"""What happens at the end of each epoch: the history, the best model, the checkpoint, the stop."""

from __future__ import annotations

import contextlib
import csv
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import keras

from lensnet import files
from lensnet.config.sections import EarlyStopping
from lensnet.errors import RunError
from lensnet.locking import Hold
from lensnet.run_folder import RunFolder
from lensnet.training.checkpoint import restore_checkpoint, save_checkpoint
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
        companions: the other callbacks that have a state.
    """

    def __init__(
        self,
        run: RunFolder,
        early_stopping: EarlyStopping | None,
        finished_model: Callable[[], keras.Model],
        monitors: Mapping[str, str],
        held: Hold | None,
        companions: Sequence[Companion] = (),
    ):
        super().__init__()
        self.run = run
        self.early_stopping = early_stopping
        self.finished_model = finished_model
        self.held = held
        self.monitor = early_stopping.monitor if early_stopping else "val_loss"
        self.lower_is_better = monitors[self.monitor] == "min"
        self.history: list[dict[str, Any]] = []
        self.best: float | None = None
        self.best_epoch: int | None = None
        self.epochs_since_best = 0
        self.ended = False
        self.companions = companions
        self._epoch_start = 0.0

    @property
    def next_epoch(self) -> int:
        """The epoch with which training goes on, counted from 0."""
        return len(self.history)

    def restore(self, model: keras.Model) -> bool:
        """Takes up the state of the run's checkpoint; returns whether there is one.

        Raises:
            RunError: it is damaged, or of another model.
        """
        if not self.run.checkpoint_file.is_file():
            return False
        if not self.run.model_file.is_file():
            # The best weights may be those of an earlier epoch than the checkpoint's.
            _log.warning("%s is gone: training begins anew.", self.run.model_file)
            return False
        state = restore_checkpoint(self.run.checkpoint_file, model, self._companions_variables)
        try:
            self.history = [dict(row) for row in state["history"]]
            self.best = state["best"]
            self.best_epoch = state["best_epoch"]
            self.epochs_since_best = int(state["epochs_since_best"])
            self.ended = bool(state["ended"])
            kept = state.get("companions", [])
            for companion, own in zip(self.companions, kept, strict=True):
                companion.restore(own)
        except (KeyError, TypeError, ValueError) as error:
            raise RunError(
                f"The checkpoint {self.run.checkpoint_file} is damaged: its state lacks {error}."
            ) from None
        if self.history and self.held is not None:
            self._write_history()
        return True

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._epoch_start = time.monotonic()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        # Seven digits are what single precision has.
        values = {name: float(f"{float(value):.7g}") for name, value in (logs or {}).items()}
        seconds = round(time.monotonic() - self._epoch_start, 3)
        # Of the next step. The callbacks that come after this one are to see it as well.
        values["learning_rate"] = float(f"{float(self.model.optimizer.learning_rate):.7g}")
        if logs is not None:
            logs["learning_rate"] = values["learning_rate"]
        self.history.append({"epoch": epoch + 1, **values, "seconds": seconds})
        self._judge(epoch, values[self.monitor])
        self.ended = epoch + 1 == self.params["epochs"] or self._should_stop()
        if self.held is not None:
            self.held.check()
            self._write()
        if self._should_stop():
            self.model.stop_training = True

    def _write(self) -> None:
        """Writes the model, the history, and last the checkpoint, after which a kill is no loss."""
        if self.epochs_since_best == 0:
            with files.replacing(self.run.model_file) as temporary, self._weights_to_save():
                self.finished_model().save(temporary)
        self._write_history()
        state = {
            "history": self.history,
            "best": self.best,
            "best_epoch": self.best_epoch,
            "epochs_since_best": self.epochs_since_best,
            "ended": self.ended,
            "companions": [companion.state() for companion in self.companions],
        }
        more = self._companions_variables
        save_checkpoint(self.run.checkpoint_file, self.model, state, more)

    def _weights_to_save(self) -> contextlib.AbstractContextManager[None]:
        averaging = [c for c in self.companions if isinstance(c, WeightAveraging)]
        return averaging[0].applied() if averaging else contextlib.nullcontext()

    @property
    def _companions_variables(self) -> list[Any]:
        return [variable for companion in self.companions for variable in companion.variables]

    def _judge(self, epoch: int, value: float) -> None:
        gain = 0.0
        if self.best is not None:
            gain = (self.best - value) if self.lower_is_better else (value - self.best)
        needed = self.early_stopping.min_delta if self.early_stopping else 0.0
        if self.best is None or gain > needed:
            self.best, self.best_epoch, self.epochs_since_best = value, epoch + 1, 0
        else:
            self.epochs_since_best += 1

    def _should_stop(self) -> bool:
        stopping = self.early_stopping
        return stopping is not None and self.epochs_since_best >= stopping.patience

    def _write_history(self) -> None:
        with files.replacing(self.run.history_file) as temporary:
            with temporary.open("w", newline="", encoding="utf-8") as stream:
                writer = csv.DictWriter(stream, fieldnames=list(self.history[-1]), restval="")
                writer.writeheader()
                writer.writerows(self.history)
