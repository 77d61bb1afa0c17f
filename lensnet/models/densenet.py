"""DenseNet.

Huang, Liu, van der Maaten & Weinberger 2017, "Densely Connected Convolutional Networks"
(arXiv:1608.06993), the DenseNet-BC of table 1: each layer adds `growth` channels to those of all
layers before it, by way of a bottleneck of four times as many, and transitions between the blocks
halve them. `densenet264d` is timm's: 161's growth in 264 layers, with the three 3x3 convolutions
of "Bag of Tricks" (He et al. 2019, arXiv:1812.01187, section 4.2, ResNet-C) in place of the first
7x7. Layers carry the names of timm's parameters.

With a symmetry the channels are fields throughout: where a layer's are put beside those before it,
fields stay whole. Every layer adds one field at least, so that narrow networks of a large group
grow a little faster than the plain ones.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lensnet.config.backbone import BackboneSpec

if TYPE_CHECKING:
    from lensnet.models.kit import Kit

__all__ = ["SPECS", "build"]

_BOTTLENECK = 4
"""Channels of a layer's bottleneck for each that it adds."""

_VARIANTS: dict[str, dict[str, Any]] = {
    "densenet121": {"depths": (6, 12, 24, 16), "growth": 32, "stem_channels": 64},
    "densenet161": {"depths": (6, 12, 36, 24), "growth": 48, "stem_channels": 96},
    "densenet169": {"depths": (6, 12, 32, 32), "growth": 32, "stem_channels": 64},
    "densenet201": {"depths": (6, 12, 48, 32), "growth": 32, "stem_channels": 64},
    "densenet264d": {
        "depths": (6, 12, 64, 48),
        "growth": 48,
        "stem_channels": 96,
        "deep_stem": True,
    },
}

SPECS = tuple(
    BackboneSpec(
        name=name,
        family="densenet",
        build="lensnet.models.densenet:build",
        variant=variant,
        options={"dropout": 0.0},
        source="Huang et al. 2017, arXiv:1608.06993",
        minimum_size=32,
        classifier="classifier",
    )
    for name, variant in _VARIANTS.items()
)


def build(
    kit: Kit,
    image: Any,
    *,
    depths: tuple[int, ...],
    growth: int,
    stem_channels: int,
    deep_stem: bool = False,
    dropout: float = 0.0,
) -> Any:
    """Builds the stem, the dense blocks with transitions between them, and the last normalisation.

    Args:
        kit: supplies the layers.
        image: tensor (batch, height, width, channels).
        depths: layers in each block.
        growth: channels that a layer adds.
        stem_channels: channels before the first block.
        deep_stem: begin with three 3x3 convolutions instead of one 7x7.
        dropout: of each layer's new channels. The paper takes 0.2 for small data sets without
            augmentation.

    Returns:
        the last block's map, normalised, at 1/32 of the image's size.
    """
    x = _stem(kit, image, stem_channels, deep_stem)
    channels = stem_channels
    for block, depth in enumerate(depths, start=1):
        for layer in range(1, depth + 1):
            name = f"features.denseblock{block}.denselayer{layer}"
            x = _dense_layer(kit, x, growth, dropout, name)
        channels += depth * growth
        if block < len(depths):
            x = kit.stage(x, f"denseblock{block}")
            channels //= 2
            x = _transition(kit, x, channels, f"features.transition{block}")
    x = _norm_relu(kit, x, "features.norm5")
    return kit.stage(x, f"denseblock{len(depths)}")


def _stem(kit: Kit, image: Any, channels: int, deep: bool) -> Any:
    if deep:
        x = kit.lift(image, channels // 2, 3, strides=2, name="features.conv0")
        for number, filters in ((1, channels // 2), (2, channels)):
            x = _norm_relu(kit, x, f"features.norm{number - 1}")
            x = kit.conv(x, filters, 3, name=f"features.conv{number}")
        x = _norm_relu(kit, x, "features.norm2")
    else:
        x = kit.lift(image, channels, 7, strides=2, name="features.conv0")
        x = _norm_relu(kit, x, "features.norm0")
    return kit.max_pool(x, 3, strides=2, padding="same", name="features.pool0")


def _dense_layer(kit: Kit, x: Any, growth: int, dropout: float, name: str) -> Any:
    added = _norm_relu(kit, x, f"{name}.norm1")
    added = kit.conv(added, _BOTTLENECK * growth, 1, name=f"{name}.conv1")
    added = _norm_relu(kit, added, f"{name}.norm2")
    added = kit.conv(added, growth, 3, name=f"{name}.conv2")
    added = kit.dropout(added, dropout, name=f"{name}.dropout")
    return kit.concatenate([x, added], name=name)


def _transition(kit: Kit, x: Any, channels: int, name: str) -> Any:
    x = _norm_relu(kit, x, f"{name}.norm")
    x = kit.conv(x, channels, 1, name=f"{name}.conv")
    return kit.avg_pool(x, 2, strides=2, name=f"{name}.pool")


def _norm_relu(kit: Kit, x: Any, name: str) -> Any:
    x = kit.norm(x, name=name)
    return kit.activation(x, "relu", name=f"{name}.relu")
