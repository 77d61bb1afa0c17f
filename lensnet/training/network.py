"""The network of an experiment: made, compiled for its training, and as it is saved."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras

from lensnet import losses, metrics, models, optimizers
from lensnet.config import Experiment
from lensnet.layers import GroupAveraged, accelerate
from lensnet.models.weight_decay import undecayed_variables
from lensnet.training.devices import jit_compile
from lensnet.training.fine_tuning import freeze, learning_rate_factors
from lensnet.training.replicas import normalize_together
from lensnet.training.target_output import in_own_unit

if TYPE_CHECKING:
    from lensnet.data import PreparedData

__all__ = ["compile_network", "create_network", "finished_network"]


def create_network(experiment: Experiment, data: PreparedData, strategy: Any) -> keras.Model:
    """Makes the network that is to be trained.

    Args:
        experiment: what it is.
        data: its data.
        strategy: of `tf.distribute`, in whose scope this is called, and in that of the precision.
    """
    training = experiment.training
    model = accelerate(_create_model(experiment, data))
    freeze(model, training.trainable)
    if training.synchronize_normalization:
        normalize_together(model, strategy)
    return model


def compile_network(
    model: keras.Model, experiment: Experiment, data: PreparedData, schedule: Any, strategy: Any
) -> None:
    """Gives a network its optimizer, loss and metrics.

    Args:
        model: of `create_network`, in the scope that it was made in.
        experiment: which says what these are.
        data: its data.
        schedule: the learning rate's.
        strategy: as of `create_network`.
    """
    training = experiment.training
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
        jit_compile=jit_compile(training.jit_compile, strategy),
    )


def finished_network(model: keras.Model, experiment: Experiment, data: PreparedData) -> keras.Model:
    """Returns a network as it is saved, which answers with probabilities, or with targets.

    Targets are in their own unit. Averaged over `evaluation.average_over`, so that whatever loads
    it gives the same answers.

    Args:
        model: which is trained, and whose weights it has.
        experiment: which says what its outputs are.
        data: its data.
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
