"""ConvNeXt.

Liu, Mao, Wu, Feichtenhofer, Darrell & Xie 2022, "A ConvNet for the 2020s" (arXiv:2201.03545):
patches of 4x4 pixels, depthwise 7x7 convolutions, layer normalisation, few activations. `atto` to
`nano` are timm's. Layers carry the names of timm's parameters.

With a symmetry, patches are symmetric too: where 4x4 or 2x2 pixels do not tile the map, it is first
averaged to the nearest size at which they do (`lensnet.models.kit`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lensnet.config.backbone import BackboneSpec
from lensnet.models.stochastic_depth import rates_by_stage

if TYPE_CHECKING:
    from lensnet.models.kit import Kit

__all__ = ["SPECS", "build"]

_VARIANTS: dict[str, dict[str, Any]] = {
    "convnext_atto": {"depths": (2, 2, 6, 2), "channels": (40, 80, 160, 320)},
    "convnext_femto": {"depths": (2, 2, 6, 2), "channels": (48, 96, 192, 384)},
    "convnext_pico": {"depths": (2, 2, 6, 2), "channels": (64, 128, 256, 512)},
    "convnext_nano": {"depths": (2, 2, 8, 2), "channels": (80, 160, 320, 640)},
    "convnext_tiny": {"depths": (3, 3, 9, 3), "channels": (96, 192, 384, 768)},
    "convnext_small": {"depths": (3, 3, 27, 3), "channels": (96, 192, 384, 768)},
    "convnext_base": {"depths": (3, 3, 27, 3), "channels": (128, 256, 512, 1024)},
}

SPECS = tuple(
    BackboneSpec(
        name=name,
        family="convnext",
        build="lensnet.models.convnext:build",
        variant=variant,
        options={"drop_path": 0.0, "layer_scale": 1e-6},
        source="Liu et al. 2022, arXiv:2201.03545",
        minimum_size=32,
        classifier="head.fc",
    )
    for name, variant in _VARIANTS.items()
)

# The paper's truncated normal distribution is cut off at +-2, a hundred standard deviations.
_INITIALIZER = {"class_name": "RandomNormal", "config": {"mean": 0.0, "stddev": 0.02}}


def build(
    kit: Kit,
    image: Any,
    *,
    depths: tuple[int, ...],
    channels: tuple[int, ...],
    drop_path: float = 0.0,
    layer_scale: float = 1e-6,
) -> Any:
    """Builds the stem, the four stages, `stages.0` to `stages.3`, and what follows the pooling.

    Args:
        kit: supplies the layers.
        image: tensor (batch, height, width, channels).
        depths: blocks in each stage.
        channels: of each stage.
        drop_path: probability that the last block's branch is dropped for an example in training;
            0 in the first block, rising linearly.
        layer_scale: the factor that each branch starts with.

    Returns:
        a map of one pixel, (batch, 1, 1, channels): the mean over the last stage's map, which has
        1/32 of the image's size, normalised.
    """
    kit = kit.replace(kernel_initializer=_INITIALIZER, depthwise_initializer=_INITIALIZER)
    x = kit.lift(image, channels[0], 4, strides=4, padding="valid", use_bias=True, name="stem.0")
    x = kit.layer_norm(x, name="stem.1")
    stages = zip(channels, rates_by_stage(drop_path, depths), strict=True)
    for number, (stage_channels, rates) in enumerate(stages):
        name = f"stages.{number}"
        if number > 0:
            x = _downsample(kit, x, stage_channels, name=f"{name}.downsample")
        for index, rate in enumerate(rates):
            x = _block(kit, x, stage_channels, rate, layer_scale, name=f"{name}.blocks.{index}")
        x = kit.stage(x, name)
    x = kit.global_pool(x, name="head.global_pool")
    return kit.layer_norm(x, name="head.norm")


def _downsample(kit: Kit, x: Any, channels: int, *, name: str) -> Any:
    x = kit.layer_norm(x, name=f"{name}.0")
    return kit.conv(x, channels, 2, strides=2, padding="valid", use_bias=True, name=f"{name}.1")


def _block(kit: Kit, x: Any, channels: int, rate: float, layer_scale: float, *, name: str) -> Any:
    shortcut = x
    x = kit.depthwise(x, 7, use_bias=True, name=f"{name}.conv_dw")
    x = kit.layer_norm(x, name=f"{name}.norm")
    x = kit.conv(x, 4 * channels, 1, use_bias=True, name=f"{name}.mlp.fc1")
    x = kit.activation(x, "gelu", name=f"{name}.mlp.act")
    x = kit.conv(x, channels, 1, use_bias=True, name=f"{name}.mlp.fc2")
    x = kit.scale(x, initial=layer_scale, name=f"{name}.gamma")
    x = kit.drop_path(x, rate, name=f"{name}.drop_path")
    return kit.add([x, shortcut], name=f"{name}.add")
