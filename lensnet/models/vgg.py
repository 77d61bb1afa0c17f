"""VGG.

Simonyan & Zisserman 2015, "Very Deep Convolutional Networks for Large-Scale Image Recognition"
(arXiv:1409.1556), configurations D and E of table 1, without batch normalisation as published.
Layers carry the names of timm's parameters: convolutions are numbered among all layers, as
PyTorch's `Sequential` counts them.

The first dense layer sees a map of 7 x 7 pixels, which at the paper's 224 pixels is what the
convolutions leave. As in timm, a smaller map is resized to that by means, so that the network
takes images of any size: 64 pixels give a map of 2 x 2. Of an image of 256 pixels and more the
layer is a 7x7 convolution, and its map is averaged. 102.8 of 134.3 million parameters lie in it.

With a symmetry the flattened map and the dense layers become group convolutions, the first as
large as the map and the second pointwise, which are exact: a dense layer sees all pixels, and the
group turns its weights as an image. The means are symmetric, as their windows are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lensnet.config.backbone import BackboneSpec

if TYPE_CHECKING:
    from lensnet.models.kit import Kit

__all__ = ["SPECS", "build"]

_BLOCK_CHANNELS = (64, 128, 256, 512, 512)
_DENSE_UNITS = 4096
_DENSE_SIZE = 7
"""Pixels along the map that the first dense layer sees."""

_VARIANTS: dict[str, dict[str, Any]] = {
    "vgg16": {"depths": (2, 2, 3, 3, 3)},
    "vgg19": {"depths": (2, 2, 4, 4, 4)},
}

SPECS = tuple(
    BackboneSpec(
        name=name,
        family="vgg",
        build="lensnet.models.vgg:build",
        variant=variant,
        options={"dropout": 0.5},
        source="Simonyan & Zisserman 2015, arXiv:1409.1556",
        minimum_size=32,
        classifier="head.fc",
    )
    for name, variant in _VARIANTS.items()
)


def build(kit: Kit, image: Any, *, depths: tuple[int, ...], dropout: float = 0.5) -> Any:
    """Builds five blocks of 3x3 convolutions and the dense layers before the output.

    Args:
        kit: supplies the layers.
        image: tensor (batch, height, width, channels).
        depths: convolutions in each block.
        dropout: after the first dense layer, as in section 3.1 of the paper. After the second it
            is the head's, `model.head.dropout`.

    Returns:
        a map of 4096 channels, of one pixel up to images of 255 pixels.
    """
    x = image
    number = 0
    for block, (depth, channels) in enumerate(zip(depths, _BLOCK_CHANNELS, strict=True), start=1):
        for _ in range(depth):
            convolution = kit.conv if number else kit.lift
            x = convolution(x, channels, 3, use_bias=True, name=f"features.{number}")
            x = kit.activation(x, "relu", name=f"features.{number + 1}")
            number += 2
        x = kit.max_pool(x, 2, strides=2, name=f"features.{number}")
        number += 1
        x = kit.stage(x, f"block{block}")
    return _dense_layers(kit, x, dropout)


def _dense_layers(kit: Kit, x: Any, dropout: float) -> Any:
    size = kit.map_size(x, name="pre_logits.fc1")
    height, width = (max(pixels, _DENSE_SIZE) for pixels in size)
    if (height, width) != size:
        x = kit.adaptive_pool(x, (height, width), name="pre_logits.pool")
    x = kit.conv(
        x, _DENSE_UNITS, _DENSE_SIZE, padding="valid", use_bias=True, name="pre_logits.fc1"
    )
    x = kit.activation(x, "relu", name="pre_logits.act1")
    x = kit.dropout(x, dropout, name="pre_logits.drop")
    x = kit.conv(x, _DENSE_UNITS, 1, use_bias=True, name="pre_logits.fc2")
    return kit.activation(x, "relu", name="pre_logits.act2")
