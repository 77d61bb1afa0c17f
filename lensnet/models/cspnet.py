"""CSPNet: half of each stage's channels pass the residual blocks by.

Wang et al. 2020, "CSPNet: A New Backbone that can Enhance Learning Capability of CNN"
(arXiv:1911.11929), in timm's form: a 1x1 convolution expands the channels, one half goes through
the blocks, and both are joined by a 1x1 convolution. Layers carry the names of timm's parameters.
In a network of fields the halves are halves of the fields.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lensnet.config.backbone import BackboneSpec
from lensnet.models.stochastic_depth import rates_by_stage

if TYPE_CHECKING:
    from lensnet.models.kit import Kit

__all__ = ["SPECS", "build"]

_STEM_CHANNELS = 64

_VARIANTS: dict[str, dict[str, Any]] = {
    "cspresnet50": {"depths": (3, 3, 5, 2), "channels": (128, 256, 512, 1024)},
}

SPECS = tuple(
    BackboneSpec(
        name=name,
        family="cspnet",
        build="lensnet.models.cspnet:build",
        variant=variant,
        options={"drop_path": 0.0},
        source="Wang et al. 2020, arXiv:1911.11929",
        minimum_size=32,
        classifier="head.fc",
    )
    for name, variant in _VARIANTS.items()
)


def build(
    kit: Kit,
    image: Any,
    *,
    depths: tuple[int, ...],
    channels: tuple[int, ...],
    drop_path: float = 0.0,
) -> Any:
    """Builds the stem and the four stages, `stages.0` to `stages.3`.

    Args:
        kit: supplies the layers.
        image: tensor (batch, height, width, channels).
        depths: blocks in each stage.
        channels: of each stage's output, and of its half that goes through the blocks.
        drop_path: probability that the last block's branch is dropped for an example in training;
            0 in the first block, rising linearly.

    Returns:
        the last stage's map, at 1/32 of the image's size.
    """
    x = kit.lift(image, _STEM_CHANNELS, 7, strides=2, name="stem.conv1.conv")
    x = kit.norm(x, name="stem.conv1.bn")
    x = kit.activation(x, "leaky_relu", name="stem.conv1.act")
    x = kit.max_pool(x, 3, strides=2, padding="same", name="stem.pool")
    channels_in = _STEM_CHANNELS
    stages = zip(channels, rates_by_stage(drop_path, depths), strict=True)
    for number, (stage_channels, rates) in enumerate(stages):
        name = f"stages.{number}"
        if number > 0:
            x = _conv(kit, x, channels_in, 3, strides=2, name=f"{name}.conv_down")
        x = _cross_stage(kit, x, stage_channels, rates, name=name)
        x = kit.stage(x, name)
        channels_in = stage_channels
    return x


def _cross_stage(kit: Kit, x: Any, channels: int, rates: list[float], *, name: str) -> Any:
    x = _conv(kit, x, 2 * channels, 1, divisible_by=2, activate=False, name=f"{name}.conv_exp")
    passed_by, x = kit.split(x, 2, name=f"{name}.split")
    for index, rate in enumerate(rates):
        x = _block(kit, x, channels, rate, name=f"{name}.blocks.{index}")
    x = _conv(kit, x, channels, 1, name=f"{name}.conv_transition_b")
    x = kit.concatenate([passed_by, x], name=f"{name}.concatenate")
    return _conv(kit, x, channels, 1, name=f"{name}.conv_transition")


def _block(kit: Kit, x: Any, channels: int, rate: float, *, name: str) -> Any:
    shortcut = x
    x = _conv(kit, x, channels // 2, 1, name=f"{name}.conv1")
    x = _conv(kit, x, channels // 2, 3, name=f"{name}.conv2")
    x = _conv(kit, x, channels, 1, activate=False, first_gamma="zeros", name=f"{name}.conv3")
    x = kit.drop_path(x, rate, name=f"{name}.drop_path")
    x = kit.add([x, shortcut], name=f"{name}.add")
    return kit.activation(x, "leaky_relu", name=f"{name}.act3")


def _conv(
    kit: Kit,
    x: Any,
    channels: int,
    kernel_size: int,
    *,
    activate: bool = True,
    first_gamma: str = "ones",
    name: str,
    **options: Any,
) -> Any:
    x = kit.conv(x, channels, kernel_size, name=f"{name}.conv", **options)
    x = kit.norm(x, gamma_initializer=first_gamma, name=f"{name}.bn")
    return kit.activation(x, "leaky_relu", name=f"{name}.act") if activate else x
