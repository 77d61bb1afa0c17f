"""Backbones of KerasHub, by the name of a preset: `hub:resnet_50_imagenet`.

They are wrapped as they come: pretrained, of one width and without symmetry (to make one
invariant, average it over a group: `evaluation.average_over`). KerasHub is optional; it finds
presets by its own names, by addresses such as `hf://…` and in folders.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lensnet.config.backbone import BackboneSpec
from lensnet.errors import ConfigurationError

if TYPE_CHECKING:
    from lensnet.models.kit import Kit

__all__ = ["PREFIX", "build", "spec"]

PREFIX = "hub:"


def spec(name: str) -> BackboneSpec:
    """The specification of `hub:<preset>`."""
    return BackboneSpec(
        name=name,
        family="hub",
        build="lensnet.models.hub:build",
        variant={"preset": name.removeprefix(PREFIX)},
        source="KerasHub",
        minimum_size=8,
        built_by_kit=False,
    )


def build(kit: Kit, image: Any, *, preset: str) -> Any:
    """Applies the preset's backbone.

    Images of other than three bands first go through a pointwise convolution that starts as the
    mean of the bands in each colour.

    Args:
        kit: of symmetry `none`, width 1.
        image: tensor (batch, height, width, channels).
        preset: KerasHub's name, or a folder.

    Returns:
        the backbone's map; of a transformer's tokens the mean, as a map of one pixel.

    Raises:
        ConfigurationError: a symmetry or a width is asked for, KerasHub is not installed, or it
            cannot load the preset.
    """
    import keras

    if kit.symmetry.kind != "none":
        raise ConfigurationError(
            f'"{PREFIX}{preset}" has no version of symmetry {kit.symmetry}: it is built by '
            "KerasHub. Use model.symmetry: none with evaluation.average_over: d4, or a backbone "
            "of `lensnet models`."
        )
    if kit.width != 1:
        raise ConfigurationError(f'"{PREFIX}{preset}" has one width; got width {kit.width:g}.')
    backbone = _load(preset)
    colours = backbone.input_shape[-1]
    if image.shape[-1] != colours:
        image = keras.layers.Conv2D(
            colours,
            1,
            use_bias=False,
            kernel_initializer=keras.initializers.Constant(1 / image.shape[-1]),
            name="colours",
        )(image)
    features = backbone(image)
    if not hasattr(features, "shape") or len(features.shape) not in (3, 4):
        raise ConfigurationError(
            f'"{PREFIX}{preset}" gives no map of features that a head could be put on.'
        )
    if len(features.shape) == 3:
        features = keras.layers.GlobalAveragePooling1D(name="tokens")(features)
        features = keras.layers.Reshape((1, 1, features.shape[-1]), name="map")(features)
    return kit.stage(features, "backbone")


def _load(preset: str) -> Any:
    try:
        import keras_hub
    except ImportError:
        raise ConfigurationError(
            f'"{PREFIX}{preset}" needs KerasHub: pip install keras-hub.'
        ) from None
    try:
        return keras_hub.models.Backbone.from_preset(preset)
    except Exception as error:  # of whatever it downloads with
        reason = (str(error).strip().splitlines() or [""])[0]
        raise ConfigurationError(
            f'KerasHub cannot load the preset "{preset}": {type(error).__name__}: {reason}. '
            "Without a network, give the folder of a preset that was saved elsewhere."
        ) from None
