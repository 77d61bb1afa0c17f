"""Building a network from its specification, a kit and a head; its weights are random."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping, Sequence
from typing import Any

import keras

from lensnet import registry
from lensnet.config.backbone import BackboneSpec
from lensnet.config.sections import DropBlock, Head
from lensnet.errors import ConfigurationError, did_you_mean
from lensnet.models.heads import add_head
from lensnet.models.kit import Kit
from lensnet.models.kit.drop_block import drop_block_places, with_drop_block
from lensnet.models.stages import stage_outputs

__all__ = ["build_network"]


def build_network(
    spec: BackboneSpec,
    kit: Kit,
    *,
    input_shape: tuple[int | None, int | None, int],
    num_outputs: int,
    head: Head | Mapping[str, Any] | None = None,
    activation: str | None = None,
    features_only: bool | Sequence[str] = False,
    l2: float = 0.0,
    drop_block: DropBlock | None = None,
    options: Mapping[str, Any] | None = None,
) -> keras.Model:
    """Builds a network.

    Args:
        spec: of the zoo.
        kit: of the network's symmetry and width.
        input_shape, num_outputs, head, activation, features_only, l2, drop_block: as of
            `lensnet.models.create`.
        options: of the family.

    Returns:
        as `lensnet.models.create`.

    Raises:
        ConfigurationError: an unknown option, images that are too small or, with a symmetry, not
            square or of a size that is not known, or no such stage; or a head without outputs.
    """
    options = options or {}
    for option in options:
        if option not in spec.options:
            raise ConfigurationError(
                f'"{spec.name}" takes no option "{option}".{did_you_mean(option, spec.options)} '
                f"Allowed: {', '.join(spec.options) or 'none'}."
            )
    _check_image(input_shape, spec, kit)
    _check_outputs(num_outputs, head, activation)
    height, width, channels = input_shape
    image = keras.Input((height, width, channels), name="image")
    build = functools.partial(registry.load_object(spec.build), **{**spec.variant, **options})
    if drop_block is not None:
        kit = _dropping(spec, kit, drop_block, build, input_shape)
    features = build(kit.with_weight_decay(l2), image)
    if features_only:
        return _stages_model(image, features, features_only, spec.name)
    features = kit.invariant(features, name="global_pool")
    outputs = add_head(features, num_outputs, head, activation, l2) if num_outputs else features
    # The name of a preset may be a path.
    return keras.Model(image, outputs, name=re.sub(r"[^\w.-]", "_", spec.name))


def _dropping(
    spec: BackboneSpec,
    kit: Kit,
    section: DropBlock,
    build: Any,
    shape: tuple[int | None, int | None, int],
) -> Any:
    """The kit with DropBlock in the last stages."""
    height, width, channels = shape
    if height is None or width is None:
        raise ConfigurationError(
            "model.drop_block needs the size of the maps: give input_shape a height and a width."
        )
    try:
        places = drop_block_places(build, kit, (height, width, channels), section.stages)
    except ValueError as error:
        raise ConfigurationError(f'model.drop_block: "{spec.name}" takes none: {error}.') from None
    return with_drop_block(kit, section, places)


def _check_image(
    input_shape: tuple[int | None, int | None, int], spec: BackboneSpec, kit: Kit
) -> None:
    if len(input_shape) != 3 or not input_shape[2]:
        raise ConfigurationError(
            "input_shape is (height, width, channels), of which height and width may be None; got "
            f"{input_shape}."
        )
    height, width, _ = input_shape
    if min(side for side in (height, width, spec.minimum_size) if side is not None) < (
        spec.minimum_size
    ):
        raise ConfigurationError(
            f'"{spec.name}" needs images of {spec.minimum_size} x {spec.minimum_size} pixels or '
            f"more; got {height} x {width}."
        )
    if kit.symmetry.kind == "none":
        return
    if height is None or width is None:
        raise ConfigurationError(
            f"A symmetric network ({kit.symmetry}) is built for images of one size, on which its "
            "strides depend: give input_shape a height and a width."
        )
    if height != width:
        raise ConfigurationError(
            f"A symmetric network needs square images; got {height} x {width} pixels."
        )


def _check_outputs(
    num_outputs: int, head: Head | Mapping[str, Any] | None, activation: str | None
) -> None:
    if num_outputs < 0:
        raise ConfigurationError(f"num_outputs is 0 (pooled features) or more; got {num_outputs}.")
    if not num_outputs and (activation is not None or (head is not None and head != Head())):
        raise ConfigurationError(
            "num_outputs=0 gives the pooled features, without head and activation: leave these out."
        )


def _stages_model(
    image: Any, features: Any, wanted: bool | Sequence[str], name: str
) -> keras.Model:
    """The model that gives the maps of the stages."""
    maps = stage_outputs(keras.Model(image, features))
    if not isinstance(wanted, bool):
        for stage in wanted:
            if stage not in maps:
                raise ConfigurationError(
                    f'"{name}" has no stage "{stage}".{did_you_mean(stage, maps)} Stages: '
                    f"{', '.join(maps)}."
                )
        maps = {stage: maps[stage] for stage in wanted}
    return keras.Model(image, maps, name=name)
