"""The history for TensorBoard and for Weights & Biases."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import keras

from lensnet.config import Experiment
from lensnet.run_folder import RunFolder
from lensnet.training.wandb_run import WandBRun, wandb_run

__all__ = ["TensorBoardScalars", "Tracker", "tracking"]


class TensorBoardScalars(keras.callbacks.Callback):
    """Writes each epoch's values as TensorBoard event files.

    Keras's own callback needs the tensorboard package to write; the events are TensorFlow's and
    need it only to be looked at.

    Args:
        directory: where the event files go.
    """

    def __init__(self, directory: Path):
        super().__init__()
        self.directory = directory
        self._writer: Any = None

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        import tensorflow as tf

        self._writer = tf.summary.create_file_writer(str(self.directory))

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        import tensorflow as tf

        metadata = tf.compat.v1.SummaryMetadata(
            plugin_data=tf.compat.v1.SummaryMetadata.PluginData(plugin_name="scalars")
        )
        with self._writer.as_default(step=epoch + 1):
            for name, value in (logs or {}).items():
                tf.summary.write(name, tf.constant(float(value)), metadata=metadata)
        self._writer.flush()

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        self._writer.close()


@dataclass(frozen=True)
class Tracker:
    """What follows a run.

    Args:
        callbacks: called after each epoch.
        wandb: the run of Weights & Biases, if there is one.
    """

    callbacks: list[keras.callbacks.Callback] = field(default_factory=list)
    wandb: WandBRun | None = None

    def log_results(self) -> None:
        """Passes on what the run measured in the end."""
        if self.wandb is not None:
            self.wandb.log_results()


@contextlib.contextmanager
def tracking(experiment: Experiment, run: RunFolder) -> Iterator[Tracker]:
    """Follows a run as `tracking` asks for while the block runs.

    Args:
        experiment: the run's.
        run: its folder.

    Raises:
        ConfigurationError: a package for it is not installed.
    """
    callbacks: list[keras.callbacks.Callback] = []
    if experiment.tracking.tensorboard:
        callbacks.append(TensorBoardScalars(run.path / "tensorboard"))
    with wandb_run(experiment, run) as tracked:
        if tracked is not None:
            callbacks.append(tracked.callback)
        yield Tracker(callbacks, tracked)
