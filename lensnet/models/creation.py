"""Creating a network of the zoo by its name: built, and given its weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import keras

from lensnet import registry
from lensnet.config.sections import DropBlock, Head
from lensnet.models.building import build_network
from lensnet.models.kit import make_kit
from lensnet.models.weights import load_weights
from lensnet.models.widths import WidthPolicy, width_factor

__all__ = ["create"]


def create(
    name: str,
    *,
    input_shape: tuple[int | None, int | None, int],
    num_outputs: int,
    symmetry: str = "none",
    width: float = 1.0,
    width_policy: WidthPolicy = "flops",
    weights: str | None = None,
    head: Head | Mapping[str, Any] | None = None,
    activation: str | None = None,
    features_only: bool | Sequence[str] = False,
    l2: float = 0.0,
    drop_block: DropBlock | Mapping[str, Any] | None = None,
    **family_options: Any,
) -> keras.Model:
    """Creates a network.

    Args:
        name: a name of `lensnet.models.list()`, or `hub:<preset>` for a preset of KerasHub.
        input_shape: (height, width, channels). A symmetric network needs square images of one size;
            a plain one takes images of any size with (None, None, channels), but for the families
            with dense layers over the whole map (VGG, lens_cnn).
        num_outputs: classes, or 1 for a binary task or one regression target; 0 for the pooled
            features, (batch, features), without a head.
        symmetry: `"none"`, `"c4"`, `"d4"`, `"rot4"` and so on (`lensnet.symmetry.Symmetry`).
        width: multiplier of every channel count.
        width_policy: what a symmetric network has in common with the plain one at `width` 1:
            `"flops"`, `"parameters"` or `"fields"` (`lensnet.models.widths.width_factor`).
        weights: what to start from: a `.keras` or `.safetensors` file, a run folder or
            `timm/<name>.<tag>` (`lensnet.models.load_weights`); the head may differ.
        head: dense layers before the output; the keys of `model.head` in an experiment file.
        activation: of the output. Default: none, the model gives logits.
        features_only: give the maps at the end of each stage, or of the stages named, instead of
            logits, as a dictionary by the stages' names. A map of a symmetric network turns with
            the image; its channels are fields.
        l2: factor of the sum of squares of the kernels, of convolutions and of the head, that is
            added to the loss.
        drop_block: DropBlock in the last stages; the keys of `model.drop_block`. A network without
            symmetry then has a layer of lensnet's, which does nothing at inference and which
            `lensnet.layers.fold` leaves out.
        **family_options: what the family takes; see `lensnet models`.

    Returns:
        a functional `keras.Model`: (batch, height, width, channels) to (batch, num_outputs).
        Between features and head lies the layer `global_pool` (`global_pool.group` where fields
        are pooled), and at the end of each stage the layer `stage.<name>`.

    Raises:
        ConfigurationError: an unknown name, symmetry or option, images too small or of a size that
            must be known, or weights that do not fit, or no such stage.

    Example:

    >>> create("resnet18", input_shape=(64, 64, 1), num_outputs=3, symmetry="c4").output_shape
    (None, 3)
    """
    spec = registry.backbones.get(name)
    factor = width_factor(name, symmetry, width_policy)
    model = build_network(
        spec,
        make_kit(symmetry, width=width * factor),
        input_shape=input_shape,
        num_outputs=num_outputs,
        head=head,
        activation=activation,
        features_only=features_only,
        l2=l2,
        drop_block=None if drop_block is None else DropBlock.model_validate(drop_block),
        options=family_options,
    )
    if weights is not None:
        load_weights(model, weights)
    return model
