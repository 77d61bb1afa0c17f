"""The training itself: a network, compiled, fitted to the batches of its data."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import keras

from lensnet import schedules
from lensnet.config import Experiment
from lensnet.interruption import Interruption
from lensnet.locking import Hold
from lensnet.run_folder import RunFolder
from lensnet.training.batches import batches_from
from lensnet.training.companions import companions_of
from lensnet.training.devices import dtype_policy
from lensnet.training.epochs import train_epochs
from lensnet.training.keras_replicas import build, fitting_with_replicas
from lensnet.training.network import compile_network, create_network, finished_network
from lensnet.training.non_finite import NonFiniteGuard
from lensnet.training.pace import Pace
from lensnet.training.progress_bar import ProgressBar
from lensnet.training.replicas import smallest_batch
from lensnet.training.run_checkpoint import RunCheckpoint
from lensnet.training.workers import check_same

if TYPE_CHECKING:
    from lensnet.data import PreparedData

__all__ = ["train"]

_log = logging.getLogger(__name__)


def train(
    experiment: Experiment,
    data: PreparedData,
    run: RunFolder,
    strategy: Any,
    held: Hold | None,
    interruption: Interruption,
    *,
    resuming: bool,
    callbacks: Sequence[keras.callbacks.Callback] = (),
) -> None:
    """Trains the network of an experiment, or goes on with its training, into a run folder.

    Args:
        experiment: what to train, with every default written out.
        data: its data.
        run: the run folder.
        strategy: of `tf.distribute`.
        held: the hold of the run folder; None for one of several workers that is not to write.
        interruption: what asks to stop.
        resuming: whether to take up the run's checkpoint, where there is one.
        callbacks: called after lensnet's own.

    Raises:
        Interrupted: the process was asked to stop, and has, with a checkpoint.
        LensnetError: the loss became infinite or NaN.
    """
    training = experiment.training
    keras.utils.set_random_seed(experiment.seed)
    steps_per_epoch = data.steps_per_epoch(training.batch_size, smallest_batch(strategy))
    with strategy.scope(), dtype_policy(training.precision):
        model = create_network(experiment, data, strategy)
        schedule = schedules.create(
            training.schedule,
            training.optimizer.learning_rate,
            epochs=training.epochs,
            steps_per_epoch=steps_per_epoch,
        )
        companions = companions_of(experiment, data, schedule, model)
        compile_network(model, experiment, data, schedule, strategy)
        checkpoint = RunCheckpoint(
            run,
            training.early_stopping,
            lambda: finished_network(model, experiment, data),
            experiment.task_spec.monitors,
            held,
            Pace.of(training, interruption, strategy),
            companions,
        )
        build(model, strategy)
        if resuming and checkpoint.restore(model):
            _log_resumed(checkpoint)
        check_same(strategy, [checkpoint.next_epoch, checkpoint.steps_done], "checkpoint")
    if checkpoint.ended:
        return
    _log_start(experiment, data, model, strategy, steps_per_epoch)
    writing = run if held is not None else None
    guard = NonFiniteGuard(experiment, data, writing, smallest_batch(strategy))
    bar = ProgressBar(training.epochs, steps_per_epoch)
    at = (checkpoint.next_epoch, checkpoint.steps_done)
    batches, validation, validation_steps = batches_from(training, data, strategy, *at)
    try:
        with interruption.deferred(), fitting_with_replicas(model, strategy), data.feeding():
            train_epochs(
                model,
                batches,
                validation,
                [guard, *companions, checkpoint, bar, *callbacks],
                epochs=training.epochs,
                steps_per_epoch=steps_per_epoch,
                first_epoch=checkpoint.next_epoch,
                first_step=checkpoint.steps_done,
                validation_steps=validation_steps,
            )
    finally:
        bar.close()
    checkpoint.check_asked()
    history = checkpoint.history
    _log.info("Best epoch: %s (%s %.4f)", history.best_epoch, history.rule.monitor, history.best)


def _log_resumed(checkpoint: RunCheckpoint) -> None:
    if checkpoint.steps_done:
        where = "Resuming in epoch %d after step %d."
        _log.info(where, checkpoint.next_epoch + 1, checkpoint.steps_done)
    else:
        _log.info("Resuming after epoch %d.", checkpoint.next_epoch)


def _log_start(
    experiment: Experiment,
    data: PreparedData,
    model: keras.Model,
    strategy: Any,
    steps_per_epoch: int,
) -> None:
    """Says what is trained on what, and what a batch is where several devices share it."""
    _log.info(
        "Training %s (%s, %s parameters) on %d %s of %d x %d pixels, %d steps an epoch.",
        experiment.model.backbone,
        experiment.model.symmetry,
        f"{model.count_params():,}",
        sum(data.training_counts.values()),
        "new images an epoch" if experiment.data.fresh else "images",
        *data.image_shape[:2],
        steps_per_epoch,
    )
    batch_size, replicas = experiment.training.batch_size, strategy.num_replicas_in_sync
    if replicas > 1:
        each = f"{batch_size // replicas}"
        if batch_size % replicas:
            each += f" or {batch_size // replicas + 1}"
        words = "Batches of %d images in all: %s on each of %d devices."
        _log.info(words, batch_size, each, replicas)
