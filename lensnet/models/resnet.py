"""ResNet and its kin: ResNeXt, SE-ResNet and ECA-ResNet-D.

He, Zhang, Ren & Sun 2016, "Deep Residual Learning for Image Recognition" (arXiv:1512.03385),
in the form that PyTorch's libraries share: the stride lies in a bottleneck's 3x3 convolution, and
the last normalisation of each block starts at zero (Goyal et al. 2017, arXiv:1706.02677, section
5.1). Layers carry the names of timm's parameters.

- ResNeXt (Xie et al. 2017, arXiv:1611.05431): the 3x3 convolution in groups. In a network of
  fields, fields are what is grouped; where there are fewer fields than groups, groups are merged.
- SE-ResNet (Hu et al. 2018, arXiv:1709.01507): each block's branch ends in a gate by way of a
  sixteenth of its channels.
- ECA-ResNet (Wang et al. 2020, arXiv:1910.03151): the gate sees a few neighbouring channels. In a
  network of fields it sees neighbouring fields, as many as it sees channels in the plain network.
- D (He et al. 2019, arXiv:1812.01187, section 4): three 3x3 convolutions in place of the first
  7x7, and shortcuts that take means before they project, instead of every second pixel.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from lensnet.config.backbone import BackboneSpec
from lensnet.models.stochastic_depth import rates_by_stage

if TYPE_CHECKING:
    from lensnet.models.kit import Kit

__all__ = ["SPECS", "build"]

_STAGE_CHANNELS = (64, 128, 256, 512)

_RESNET = "He et al. 2016, arXiv:1512.03385"
_RESNEXT = "Xie et al. 2017, arXiv:1611.05431"
_SE_RESNET = "Hu et al. 2018, arXiv:1709.01507"
_ECA_RESNET = "Wang et al. 2020, arXiv:1910.03151; D: He et al. 2019, arXiv:1812.01187"

_VARIANTS: dict[str, tuple[str, dict[str, Any]]] = {
    "resnet18": (_RESNET, {"depths": (2, 2, 2, 2), "bottleneck": False}),
    "resnet34": (_RESNET, {"depths": (3, 4, 6, 3), "bottleneck": False}),
    "resnet50": (_RESNET, {"depths": (3, 4, 6, 3)}),
    "resnet101": (_RESNET, {"depths": (3, 4, 23, 3)}),
    "resnet152": (_RESNET, {"depths": (3, 8, 36, 3)}),
    # The depths are those of He et al. 2016, arXiv:1603.05027, which has them pre-activated.
    "resnet200": (_RESNET, {"depths": (3, 24, 36, 3)}),
    "resnext50_32x4d": (_RESNEXT, {"depths": (3, 4, 6, 3), "groups": 32, "group_channels": 4}),
    "resnext101_32x4d": (_RESNEXT, {"depths": (3, 4, 23, 3), "groups": 32, "group_channels": 4}),
    "resnext101_64x4d": (_RESNEXT, {"depths": (3, 4, 23, 3), "groups": 64, "group_channels": 4}),
    "seresnet50": (_SE_RESNET, {"depths": (3, 4, 6, 3), "attention": "se"}),
    "ecaresnet50d": (_ECA_RESNET, {"depths": (3, 4, 6, 3), "attention": "eca", "deep": True}),
    "ecaresnet200d": (_ECA_RESNET, {"depths": (3, 24, 36, 3), "attention": "eca", "deep": True}),
}

SPECS = tuple(
    BackboneSpec(
        name=name,
        family="resnet",
        build="lensnet.models.resnet:build",
        variant=variant,
        options={"drop_path": 0.0},
        source=source,
        minimum_size=32,
    )
    for name, (source, variant) in _VARIANTS.items()
)


def build(
    kit: Kit,
    image: Any,
    *,
    depths: tuple[int, ...],
    bottleneck: bool = True,
    groups: int = 1,
    group_channels: int = 64,
    attention: str | None = None,
    deep: bool = False,
    drop_path: float = 0.0,
) -> Any:
    """Builds the stem and the four stages, `layer1` to `layer4`.

    Args:
        kit: supplies the layers.
        image: tensor (batch, height, width, channels).
        depths: blocks in each stage.
        bottleneck: blocks of 1x1, 3x3, 1x1 convolutions instead of two 3x3.
        groups, group_channels: of the bottlenecks' 3x3 convolutions in the first stage; the
            channels double from stage to stage.
        attention: the gate at the end of each branch: `"se"`, `"eca"` or none.
        deep: the D form: three convolutions in the stem, means before the projections.
        drop_path: probability that the last block's branch is dropped for an example in training;
            0 in the first block, rising linearly.

    Returns:
        the last stage's map, at 1/32 of the image's size.
    """
    x = _deep_stem(kit, image) if deep else kit.lift(image, 64, 7, strides=2, name="conv1")
    x = kit.norm(x, name="bn1")
    x = kit.activation(x, "relu", name="act1")
    x = kit.max_pool(x, 3, strides=2, padding="same", name="maxpool")
    stages = zip(_STAGE_CHANNELS, rates_by_stage(drop_path, depths), strict=True)
    for number, (channels, rates) in enumerate(stages, start=1):
        channels_out = 4 * channels if bottleneck else channels
        channels_within = channels * groups * group_channels // 64
        for index, rate in enumerate(rates):
            name = f"layer{number}.{index}"
            strides = 2 if number > 1 and index == 0 else 1
            shortcut = x
            if index == 0 and (strides > 1 or bottleneck):
                shortcut = _projection(kit, x, channels_out, strides, deep=deep, name=name)
            if bottleneck:
                x = _bottleneck(kit, x, channels_within, channels_out, strides, groups, name)
            else:
                x = _two_convolutions(kit, x, channels, strides, name)
            x = _attend(kit, x, channels_out, attention, name=f"{name}.se")
            x = kit.drop_path(x, rate, name=f"{name}.drop_path")
            x = kit.add([x, shortcut], name=f"{name}.add")
            x = kit.activation(x, "relu", name=f"{name}.act")
        x = kit.stage(x, f"layer{number}")
    return x


def _deep_stem(kit: Kit, image: Any) -> Any:
    x = kit.lift(image, 32, 3, strides=2, name="conv1.0")
    x = kit.activation(kit.norm(x, name="conv1.1"), "relu", name="conv1.2")
    x = kit.conv(x, 32, 3, name="conv1.3")
    x = kit.activation(kit.norm(x, name="conv1.4"), "relu", name="conv1.5")
    return kit.conv(x, 64, 3, name="conv1.6")


def _projection(kit: Kit, x: Any, channels: int, strides: int, *, deep: bool, name: str) -> Any:
    """The shortcut where the branch has another shape than its input."""
    if not deep:
        x = kit.conv(x, channels, 1, strides=strides, name=f"{name}.downsample.0")
        return kit.norm(x, name=f"{name}.downsample.1")
    if strides > 1:
        x = kit.downsample(x, strides, name=f"{name}.downsample.0")
    x = kit.conv(x, channels, 1, name=f"{name}.downsample.1")
    return kit.norm(x, name=f"{name}.downsample.2")


def _two_convolutions(kit: Kit, x: Any, channels: int, strides: int, name: str) -> Any:
    x = kit.conv(x, channels, 3, strides=strides, name=f"{name}.conv1")
    x = kit.norm(x, name=f"{name}.bn1")
    x = kit.activation(x, "relu", name=f"{name}.act1")
    x = kit.conv(x, channels, 3, name=f"{name}.conv2")
    return kit.norm(x, gamma_initializer="zeros", name=f"{name}.bn2")


def _bottleneck(
    kit: Kit, x: Any, channels: int, channels_out: int, strides: int, groups: int, name: str
) -> Any:
    x = kit.conv(x, channels, 1, name=f"{name}.conv1")
    x = kit.norm(x, name=f"{name}.bn1")
    x = kit.activation(x, "relu", name=f"{name}.act1")
    x = kit.conv(x, channels, 3, strides=strides, groups=groups, name=f"{name}.conv2")
    x = kit.norm(x, name=f"{name}.bn2")
    x = kit.activation(x, "relu", name=f"{name}.act2")
    x = kit.conv(x, channels_out, 1, name=f"{name}.conv3")
    return kit.norm(x, gamma_initializer="zeros", name=f"{name}.bn3")


def _attend(kit: Kit, x: Any, channels: int, attention: str | None, *, name: str) -> Any:
    match attention:
        case None:
            return x
        case "se":
            return kit.squeeze_excite(x, channels // 16, layer_names=("fc1", "fc2"), name=name)
        case "eca":
            return kit.channel_attention(x, _neighbours(channels), name=name)
    raise ValueError(f'A ResNet\'s attention is "se", "eca" or None; got {attention!r}.')


def _neighbours(channels: int) -> int:
    """The channels that a gate of efficient channel attention sees (its equation 12), odd."""
    number = int((math.log2(channels) + 1) / 2)
    return max(3, number + 1 - number % 2)
