"""Training as a person watches it: a bar within the epoch, a line for each epoch that ended."""

from __future__ import annotations

import logging
import math
import time
from typing import Any

import keras

from lensnet.progress import Beat, is_hidden

__all__ = ["ProgressBar"]

_log = logging.getLogger(__name__)


class ProgressBar(keras.callbacks.Callback):
    """A bar on a terminal; where standard error is a file, the line of each epoch.

    A long epoch gets a line every half minute there, and the first step, which compiles the
    network, is announced and timed in both.

    Args:
        epochs: of the whole training.
        steps_per_epoch: batches in an epoch.
    """

    def __init__(self, epochs: int, steps_per_epoch: int):
        super().__init__()
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeRemainingColumn,
        )

        self.epochs = epochs
        self.steps_per_epoch = steps_per_epoch
        console = Console(stderr=True)
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(elapsed_when_finished=True),
            TextColumn("{task.fields[values]}"),
            console=console,
            transient=True,
            disable=not console.is_terminal or is_hidden(),
        )
        self._task: Any = None
        self._is_terminal = console.is_terminal
        self._beat = Beat()
        self._started: float | None = None

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        self._task = self._progress.add_task("Training", total=self.steps_per_epoch, values="")
        self._progress.start()
        self._started = time.monotonic()
        self._beat = Beat()
        _log.info("Compiling the network for the first step, which takes much longer than others.")

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._progress.reset(self._task, description=f"Epoch {epoch + 1}/{self.epochs}", values="")

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        loss = float((logs or {}).get("loss", math.nan))
        self._progress.update(self._task, completed=batch + 1, values=f"loss {loss:.4f}")
        if self._started is not None:
            _log.info("First step after %.1f s.", time.monotonic() - self._started)
            self._started = None
        elif not self._is_terminal and self._beat.is_due():
            _log.info("  step %d of %d, loss %.4f", batch + 1, self.steps_per_epoch, loss)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        values = "  ".join(
            f"{name} {float(value):.4f}"
            for name, value in (logs or {}).items()
            if name != "learning_rate"
        )
        _log.info("Epoch %d/%d: %s", epoch + 1, self.epochs, values)

    def close(self) -> None:
        """Takes the bar away, also after an error."""
        self._progress.stop()
