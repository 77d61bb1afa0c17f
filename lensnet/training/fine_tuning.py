"""Training a part of a network, or its stages at their own pace."""

from __future__ import annotations

from collections.abc import Mapping

import keras

from lensnet.errors import ConfigurationError, did_you_mean
from lensnet.models.stages import layers_by_stage

__all__ = ["freeze", "learning_rate_factors"]


def freeze(model: keras.Model, trainable: str) -> None:
    """Leaves only a part of a network to be trained.

    The rest keeps its weights, and its normalisations the statistics they have.

    Args:
        model: made by `lensnet.models.create`.
        trainable: `"all"`, `"last_stage"` (with the head) or `"head"`.

    Raises:
        ConfigurationError: the network has no stages to choose from.
    """
    if trainable == "all":
        return
    stages = layers_by_stage(model)
    if len(stages) < 2:
        raise ConfigurationError(
            f'training.trainable: "{trainable}" needs a network that marks its stages; '
            f"{model.name} does not."
        )
    kept = list(stages)[-1:] if trainable == "head" else list(stages)[-2:]
    for stage, layers in stages.items():
        if stage not in kept:
            for layer in layers:
                layer.trainable = False


def learning_rate_factors(model: keras.Model, factors: Mapping[str, float]) -> dict[str, float]:
    """What the learning rate of each variable is multiplied by.

    Args:
        model: made by `lensnet.models.create`.
        factors: by the name of a stage, or `"head"`.

    Returns:
        by the path of a variable.

    Raises:
        ConfigurationError: the network has no such stage.
    """
    if not factors:
        return {}
    stages = layers_by_stage(model)
    for stage in factors:
        if stage not in stages:
            raise ConfigurationError(
                f'training.learning_rate_factors: {model.name} has no stage "{stage}".'
                f"{did_you_mean(stage, stages)} Stages: {', '.join(stages)}."
            )
    return {
        variable.path: factor
        for stage, factor in factors.items()
        for layer in stages[stage]
        for variable in layer.trainable_variables
    }
