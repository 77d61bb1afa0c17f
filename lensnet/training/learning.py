"""The training itself: a network, compiled, fitted to the batches of its data."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import keras

from lensnet import losses, metrics, models, optimizers, schedules
from lensnet.config import Experiment
from lensnet.config.sections import Training
from lensnet.layers import GroupAveraged, accelerate
from lensnet.locking import Hold
from lensnet.models.weight_decay import undecayed_variables
from lensnet.run_folder import RunFolder
from lensnet.training.companions import companions_of
from lensnet.training.devices import dtype_policy, jit_compile
from lensnet.training.fine_tuning import freeze, learning_rate_factors
from lensnet.training.keras_replicas import fitting_with_replicas
from lensnet.training.non_finite import NonFiniteGuard
from lensnet.training.progress_bar import ProgressBar
from lensnet.training.replicas import (
    divide_batches,
    evaluation_batch_size,
    is_even,
    smallest_batch,
)
from lensnet.training.run_checkpoint import RunCheckpoint
from lensnet.training.target_output import in_own_unit

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
    *,
    resuming: bool,
    callbacks: Sequence[keras.callbacks.Callback] = (),
) -> None:
    training = experiment.training
    keras.utils.set_random_seed(experiment.seed)
    steps_per_epoch = data.steps_per_epoch(training.batch_size, smallest_batch(strategy))
    with strategy.scope(), dtype_policy(training.precision):
        model = accelerate(_create_model(experiment, data))
        freeze(model, training.trainable)
        schedule = schedules.create(
            training.schedule,
            training.optimizer.learning_rate,
            epochs=training.epochs,
            steps_per_epoch=steps_per_epoch,
        )
        companions = companions_of(experiment, data, schedule, model)
        model.compile(
            optimizer=optimizers.create(
                training.optimizer,
                schedule,
                learning_rate_factors(model, training.learning_rate_factors),
                undecayed_variables(model),
                training.gradient_accumulation_steps,
            ),
            loss=losses.create(training.loss),
            metrics=metrics.create(experiment.task_spec, len(data.classes), data.target_transform),
            jit_compile=jit_compile(training.jit_compile),
        )
        checkpoint = RunCheckpoint(
            run,
            training.early_stopping,
            lambda: _finished(model, experiment, data),
            experiment.task_spec.monitors,
            held,
            companions,
        )
        if resuming and checkpoint.restore(model):
            _log.info("Resuming after epoch %d.", checkpoint.next_epoch)
    if checkpoint.ended:
        return
    _log.info(
        "Training %s (%s, %s parameters) on %d images of %d x %d pixels, %d steps an epoch.",
        experiment.model.backbone,
        experiment.model.symmetry,
        f"{model.count_params():,}",
        sum(data.counts("train").values()),
        *data.image_shape[:2],
        steps_per_epoch,
    )
    writing = run if held is not None else None
    guard = NonFiniteGuard(experiment, data, writing, smallest_batch(strategy))
    bar = ProgressBar(training.epochs, steps_per_epoch)
    batches = _batches(training, data, strategy, checkpoint.next_epoch)
    try:
        with fitting_with_replicas(model, strategy):
            model.fit(
                **batches,
                initial_epoch=checkpoint.next_epoch,
                epochs=training.epochs,
                callbacks=[guard, *companions, checkpoint, bar, *callbacks],
                # They come shuffled, by a rule that a resumed run can follow.
                shuffle=False,
                verbose=0,
            )
    finally:
        bar.close()
    _log.info(
        "Best epoch: %s (%s %.4f)", checkpoint.best_epoch, checkpoint.monitor, checkpoint.best
    )


def _batches(
    training: Training, data: PreparedData, strategy: Any, first_epoch: int
) -> dict[str, Any]:
    """What `model.fit` is to train and to validate on, as the strategy's devices share it."""
    size, smallest = training.batch_size, smallest_batch(strategy)
    batches = data.training_batches(
        size, first_epoch=first_epoch, epochs=training.epochs, smallest_batch=smallest
    )
    uneven = not is_even(size, data.examples_per_epoch, smallest)
    count = len(data.examples("validation").ids)
    validation_size = evaluation_batch_size(size, count, smallest)
    validation, steps = data.batches("validation", validation_size), None
    if smallest > 1:
        # Of divided batches Keras cannot tell how many there are.
        validation, steps = validation.repeat(), -(-count // validation_size)
    return {
        "x": divide_batches(_as_learned(batches, data), strategy, weigh=uneven),
        "steps_per_epoch": data.steps_per_epoch(size, smallest),
        "validation_data": divide_batches(_as_learned(validation, data), strategy, weigh=False),
        "validation_steps": steps,
    }


def _create_model(experiment: Experiment, data: PreparedData) -> keras.Model:
    section = experiment.model
    return models.create(
        section.backbone,
        input_shape=data.image_shape,
        num_outputs=experiment.task_spec.num_outputs(len(data.classes)),
        symmetry=section.symmetry,
        width=section.width,
        width_policy=section.width_policy,
        weights=section.weights,
        head=section.head,
        l2=section.l2,
        drop_block=section.drop_block,
        **section.options,
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


def _as_learned(batches: Any, data: PreparedData) -> Any:
    """Batches whose targets are as the network learns them: see `data.target_transform`."""
    transform = data.target_transform
    if transform is None:
        return batches
    return batches.map(
        lambda images, targets: (images, transform.learned(targets, keras.ops.log10))
    )
