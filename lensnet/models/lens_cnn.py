"""The convolutional network of the lens-finding study.

A plain stack in the manner of the networks that the first CNN lens searches used (Jacobs et al.
2017, arXiv:1704.02744; Davies, Serjeant & Bromley 2019, arXiv:1905.04303): wide filters first,
max pooling, dense layers with dropout, and weight decay on every kernel. 26.9 million parameters
at 101 x 101 pixels with one channel, nearly all of them in the first dense layer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lensnet.config.backbone import BackboneSpec

if TYPE_CHECKING:
    from lensnet.models.kit import Kit

__all__ = ["SPECS", "build"]

_DENSE_UNITS = (1024, 256)

SPECS = (
    BackboneSpec(
        name="lens_cnn",
        family="lens_cnn",
        build="lensnet.models.lens_cnn:build",
        options={"dropout": 0.5, "weight_decay": 1e-4},
        source="after Jacobs et al. 2017, arXiv:1704.02744",
        minimum_size=32,
    ),
)


def build(kit: Kit, image: Any, *, dropout: float = 0.5, weight_decay: float = 1e-4) -> Any:
    """Builds convolutions and dense layers; the output layer is the head's.

    Stages end with the poolings, `pool1`, `pool2` and `pool4`, and the dense layers, `dense1` and
    `dense2`.

    Args:
        kit: supplies the layers.
        image: tensor (batch, height, width, channels).
        dropout: after each dense layer.
        weight_decay: factor of the sum of squared kernel weights in the loss.

    Returns:
        a map of one pixel, (batch, 1, 1, channels).
    """
    kit = kit.with_weight_decay(weight_decay)
    x = kit.lift(image, 32, 11, use_bias=True, name="conv1")
    x = kit.activation(x, "relu", name="conv1.relu")
    x = kit.max_pool(x, 2, strides=2, name="pool1")
    x = kit.stage(x, "pool1")
    x = kit.conv(x, 64, 5, use_bias=True, name="conv2")
    x = kit.activation(x, "relu", name="conv2.relu")
    x = kit.max_pool(x, 2, strides=2, name="pool2")
    x = kit.stage(x, "pool2")
    x = kit.conv(x, 128, 3, padding="valid", use_bias=True, name="conv3")
    x = kit.activation(x, "relu", name="conv3.relu")
    x = kit.conv(x, 256, 3, padding="valid", use_bias=True, name="conv4")
    x = kit.activation(x, "relu", name="conv4.relu")
    x = kit.max_pool(x, 2, strides=2, name="pool4")
    x = kit.stage(x, "pool4")
    for number, units in enumerate(_DENSE_UNITS, start=1):
        name = f"dense{number}"
        x = kit.full_map_conv(x, units, name=name)
        x = kit.activation(x, "relu", name=f"{name}.relu")
        x = kit.dropout(x, dropout, name=f"{name}.dropout")
        x = kit.stage(x, name)
    return x
