"""The training itself: a network, compiled, fitted to the batches of its data."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import keras

from lensnet import schedules
from lensnet.config import Experiment
from lensnet.config.sections import Training
from lensnet.data.pipeline.share import Share
from lensnet.interruption import Interruption
from lensnet.layers import GroupAveraged
from lensnet.locking import Hold
from lensnet.run_folder import RunFolder
from lensnet.training.companions import companions_of
from lensnet.training.devices import dtype_policy
from lensnet.training.epochs import train_epochs
from lensnet.training.keras_replicas import build, fitting_with_replicas
from lensnet.training.network import compile_network, create_network
from lensnet.training.non_finite import NonFiniteGuard
from lensnet.training.pace import Pace
from lensnet.training.progress_bar import ProgressBar
from lensnet.training.replicas import (
    divide_batches,
    evaluation_batch_size,
    is_even,
    smallest_batch,
)
from lensnet.training.run_checkpoint import RunCheckpoint
from lensnet.training.target_output import in_own_unit
from lensnet.training.workers import check_same

if TYPE_CHECKING:
    from lensnet.data import PreparedData

__all__ = ["as_learned", "train"]

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
            lambda: _finished(model, experiment, data),
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
    _log_batches(training.batch_size, strategy)
    writing = run if held is not None else None
    guard = NonFiniteGuard(experiment, data, writing, smallest_batch(strategy))
    bar = ProgressBar(training.epochs, steps_per_epoch)
    at = (checkpoint.next_epoch, checkpoint.steps_done)
    batches, validation, validation_steps = _batches(training, data, strategy, *at)
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
    _log.info(
        "Best epoch: %s (%s %.4f)", checkpoint.best_epoch, checkpoint.rule.monitor, checkpoint.best
    )


def _log_resumed(checkpoint: RunCheckpoint) -> None:
    if checkpoint.steps_done:
        where = "Resuming in epoch %d after step %d."
        _log.info(where, checkpoint.next_epoch + 1, checkpoint.steps_done)
    else:
        _log.info("Resuming after epoch %d.", checkpoint.next_epoch)


def _log_batches(batch_size: int, strategy: Any) -> None:
    """Says what a batch is, where several devices share it."""
    replicas = strategy.num_replicas_in_sync
    if replicas > 1:
        each = f"{batch_size // replicas}"
        if batch_size % replicas:
            each += f" or {batch_size // replicas + 1}"
        words = "Batches of %d images in all: %s on each of %d devices."
        _log.info(words, batch_size, each, replicas)


def _batches(
    training: Training, data: PreparedData, strategy: Any, first_epoch: int, first_step: int
) -> tuple[Any, Any, int | None]:
    """What is trained and validated on, as the strategy's devices share it, and how many of those.

    Args:
        training: the experiment's section.
        data: its data.
        strategy: of `tf.distribute`.
        first_epoch: the epoch to begin with.
        first_step: the step of it to begin with.
    """
    size, smallest = training.batch_size, smallest_batch(strategy)
    uneven = not is_even(size, data.examples_per_epoch, smallest)
    count = len(data.examples("validation").ids)
    validation_size = evaluation_batch_size(size, count, smallest)

    def to_train_on(share: Share | None) -> Any:
        batches = data.training_batches(
            size,
            first_epoch=first_epoch,
            first_step=first_step,
            epochs=training.epochs,
            smallest_batch=smallest,
            share=share,
        )
        return as_learned(batches, data)

    def to_validate_on(share: Share | None) -> Any:
        batches = as_learned(data.batches("validation", validation_size, share), data)
        # Of divided batches Keras cannot tell how many there are.
        return batches if share is None else batches.repeat()

    return (
        divide_batches(to_train_on, strategy, weigh=uneven),
        divide_batches(to_validate_on, strategy, weigh=False),
        -(-count // validation_size) if smallest > 1 else None,
    )


def _finished(model: keras.Model, experiment: Experiment, data: PreparedData) -> keras.Model:
    """The model as it is saved: with probabilities, or targets in their own unit, as output.

    Averaged over `evaluation.average_over`, so that whatever loads it gives the same answers.
    """
    if data.target_transform is not None:
        outputs = in_own_unit(model.output, data.target_transform)
    else:
        activation = experiment.task_spec.activation
        last = keras.layers.Activation(activation, dtype="float32", name="probabilities")
        outputs = last(model.output)
    finished = keras.Model(model.input, outputs, name=model.name)
    group = experiment.evaluation.average_over
    if group == "none":
        return finished
    return GroupAveraged(finished, group, name=f"{model.name}_averaged")


def as_learned(batches: Any, data: PreparedData) -> Any:
    """Batches whose targets are as the network learns them: see `data.target_transform`.

    They have no weights, and may have the size of the whole batch before them.
    """
    transform = data.target_transform
    if transform is None:
        return batches
    return batches.map(lambda *batch: (*batch[:-1], transform.learned(batch[-1], keras.ops.log10)))
