"""ResNet.

He, Zhang, Ren & Sun 2016, "Deep Residual Learning for Image Recognition" (arXiv:1512.03385),
in the form that PyTorch's libraries share: the stride lies in a bottleneck's 3x3 convolution, and
the last normalisation of each block starts at zero (Goyal et al. 2017, arXiv:1706.02677, section
5.1). Layers carry the names of timm's parameters.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lensnet.config.backbone import BackboneSpec

if TYPE_CHECKING:
    from lensnet.layers.kit import Kit

__all__ = ["SPECS", "build"]

_STAGE_CHANNELS = (64, 128, 256, 512)

_VARIANTS: dict[str, dict[str, Any]] = {
    "resnet18": {"depths": (2, 2, 2, 2), "bottleneck": False},
    "resnet34": {"depths": (3, 4, 6, 3), "bottleneck": False},
    "resnet50": {"depths": (3, 4, 6, 3), "bottleneck": True},
}

SPECS = tuple(
    BackboneSpec(
        name=name,
        family="resnet",
        build="lensnet.models.resnet:build",
        variant=variant,
        source="He et al. 2016, arXiv:1512.03385",
        minimum_size=32,
    )
    for name, variant in _VARIANTS.items()
)


def build(kit: Kit, image: Any, *, depths: tuple[int, ...], bottleneck: bool) -> Any:
    """Builds the stem and the four stages.

    Args:
        kit: supplies the layers.
        image: tensor (batch, height, width, channels).
        depths: blocks in each stage.
        bottleneck: blocks of 1x1, 3x3, 1x1 convolutions instead of two 3x3.

    Returns:
        the last stage's map, at 1/32 of the image's size.
    """
    x = kit.lift(image, 64, 7, strides=2, name="conv1")
    x = kit.norm(x, name="bn1")
    x = kit.activation(x, "relu", name="act1")
    x = kit.max_pool(x, 3, strides=2, padding="same", name="maxpool")
    block = _bottleneck_block if bottleneck else _basic_block
    for stage, (depth, channels) in enumerate(zip(depths, _STAGE_CHANNELS, strict=True), start=1):
        for index in range(depth):
            strides = 2 if stage > 1 and index == 0 else 1
            x = block(kit, x, channels, strides, project=index == 0, name=f"layer{stage}.{index}")
    return x


def _basic_block(kit: Kit, x: Any, channels: int, strides: int, *, project: bool, name: str) -> Any:
    shortcut = x
    if project and (strides > 1 or x.shape[-1] != kit.channels(channels)):
        shortcut = _projection(kit, x, channels, strides, name)
    x = _conv_norm(kit, x, channels, 3, strides, name, 1)
    x = kit.activation(x, "relu", name=f"{name}.act1")
    x = _conv_norm(kit, x, channels, 3, 1, name, 2, gamma_initializer="zeros")
    x = kit.add([x, shortcut], name=f"{name}.add")
    return kit.activation(x, "relu", name=f"{name}.act2")


def _bottleneck_block(
    kit: Kit, x: Any, channels: int, strides: int, *, project: bool, name: str
) -> Any:
    shortcut = _projection(kit, x, 4 * channels, strides, name) if project else x
    x = _conv_norm(kit, x, channels, 1, 1, name, 1)
    x = kit.activation(x, "relu", name=f"{name}.act1")
    x = _conv_norm(kit, x, channels, 3, strides, name, 2)
    x = kit.activation(x, "relu", name=f"{name}.act2")
    x = _conv_norm(kit, x, 4 * channels, 1, 1, name, 3, gamma_initializer="zeros")
    x = kit.add([x, shortcut], name=f"{name}.add")
    return kit.activation(x, "relu", name=f"{name}.act3")


def _projection(kit: Kit, x: Any, channels: int, strides: int, name: str) -> Any:
    x = kit.conv(x, channels, 1, strides=strides, name=f"{name}.downsample.0")
    return kit.norm(x, name=f"{name}.downsample.1")


def _conv_norm(
    kit: Kit,
    x: Any,
    channels: int,
    kernel_size: int,
    strides: int,
    name: str,
    number: int,
    **norm_options: Any,
) -> Any:
    x = kit.conv(x, channels, kernel_size, strides=strides, name=f"{name}.conv{number}")
    return kit.norm(x, name=f"{name}.bn{number}", **norm_options)
