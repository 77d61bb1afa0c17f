"""The history for TensorBoard and for Weights & Biases."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras

from lensnet.config import Experiment
from lensnet.errors import ConfigurationError

__all__ = ["TensorBoardScalars", "WandBScalars", "tracking_callbacks"]


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


class WandBScalars(keras.callbacks.Callback):
    """Sends each epoch's values to Weights & Biases.

    Args:
        experiment: what is recorded as the run's configuration.
        directory: where the package keeps its files.

    Raises:
        ConfigurationError: the package is not installed.
    """

    def __init__(self, experiment: Experiment, directory: Path):
        super().__init__()
        try:
            import wandb
        except ImportError:
            raise ConfigurationError(
                "tracking.wandb needs the wandb package: pip install 'lensnet[wandb]', or set "
                "tracking.wandb to null."
            ) from None
        section = experiment.tracking.wandb
        if section is None:
            raise ValueError("The experiment has no tracking.wandb.")
        self._run = wandb.init(
            project=section.project,
            entity=section.entity,
            mode=section.mode,
            name=experiment.name,
            config=experiment.model_dump(mode="json"),
            dir=str(directory),
        )

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._run.log({k: float(v) for k, v in (logs or {}).items()}, step=epoch + 1)

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        self._run.finish()


def tracking_callbacks(experiment: Experiment, directory: Path) -> list[keras.callbacks.Callback]:
    """Makes the callbacks that `tracking` asks for."""
    callbacks: list[keras.callbacks.Callback] = []
    if experiment.tracking.tensorboard:
        callbacks.append(TensorBoardScalars(directory / "tensorboard"))
    if experiment.tracking.wandb is not None:
        callbacks.append(WandBScalars(experiment, directory))
    return callbacks
