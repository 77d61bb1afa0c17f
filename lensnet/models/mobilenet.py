"""MobileNetV2 and MobileNetV3.

Sandler et al. 2018, "MobileNetV2: Inverted Residuals and Linear Bottlenecks" (arXiv:1801.04381),
table 2, and Howard et al. 2019, "Searching for MobileNetV3" (arXiv:1905.02244), tables 1 and 2, in
the form that PyTorch's libraries share. MobileNetV3 takes the mean over the map before its last
convolution, which has a bias and no normalisation. In its gates the sigmoid is a hard one, and
they are reduced to a quarter of the channels that they scale. Layers carry the names of timm's
parameters.

In a symmetric network the gates act on fields, and turn with the image. What follows the mean is
a convolution of the group on a map of one pixel; only then are the group's elements pooled.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lensnet.config.backbone import BackboneSpec
from lensnet.models.inverted_residual import (
    FAN_OUT,
    Blocks,
    SqueezeExcite,
    Style,
    add_stages,
    round_channels,
)

if TYPE_CHECKING:
    from lensnet.models.kit import Kit

__all__ = ["SPECS", "build"]

_V2_STAGES = (
    (Blocks("separable", 1, 16),),
    (Blocks("inverted", 2, 24, strides=2, expansion=6),),
    (Blocks("inverted", 3, 32, strides=2, expansion=6),),
    (Blocks("inverted", 4, 64, strides=2, expansion=6),),
    (Blocks("inverted", 3, 96, expansion=6),),
    (Blocks("inverted", 3, 160, strides=2, expansion=6),),
    (Blocks("inverted", 1, 320, expansion=6),),
)

_V3_SMALL_STAGES = (
    (Blocks("separable", 1, 16, strides=2, squeeze_excite=True, activation="relu"),),
    (
        Blocks("inverted", 1, 24, strides=2, expansion=4.5, activation="relu"),
        Blocks("inverted", 1, 24, expansion=3.67, activation="relu"),
    ),
    (
        Blocks("inverted", 1, 40, kernel_size=5, strides=2, expansion=4, squeeze_excite=True),
        Blocks("inverted", 2, 40, kernel_size=5, expansion=6, squeeze_excite=True),
    ),
    (Blocks("inverted", 2, 48, kernel_size=5, expansion=3, squeeze_excite=True),),
    (Blocks("inverted", 3, 96, kernel_size=5, strides=2, expansion=6, squeeze_excite=True),),
    (Blocks("plain", 1, 576, kernel_size=1),),
)

_V3_LARGE_STAGES = (
    (Blocks("separable", 1, 16, activation="relu"),),
    (
        Blocks("inverted", 1, 24, strides=2, expansion=4, activation="relu"),
        Blocks("inverted", 1, 24, expansion=3, activation="relu"),
    ),
    (
        Blocks(
            "inverted",
            3,
            40,
            kernel_size=5,
            strides=2,
            expansion=3,
            squeeze_excite=True,
            activation="relu",
        ),
    ),
    (
        Blocks("inverted", 1, 80, strides=2, expansion=6),
        Blocks("inverted", 1, 80, expansion=2.5),
        Blocks("inverted", 2, 80, expansion=2.3),
    ),
    (Blocks("inverted", 2, 112, expansion=6, squeeze_excite=True),),
    (Blocks("inverted", 3, 160, kernel_size=5, strides=2, expansion=6, squeeze_excite=True),),
    (Blocks("plain", 1, 960, kernel_size=1),),
)

_V3_SQUEEZE_EXCITE = SqueezeExcite(
    reduced=lambda channels, gated: round_channels(gated / 4),
    activation="relu",
    gate_activation="hard_sigmoid",
)

_V2 = {"stem_channels": 32, "activation": "relu6", "head_channels": 1280}
_V3 = {"stem_channels": 16, "activation": "hard_silu", "pools_before_head": True}

_VARIANTS: dict[str, dict[str, Any]] = {
    "mobilenetv2_100": {**_V2, "stages": _V2_STAGES},
    "mobilenetv3_small_100": {**_V3, "stages": _V3_SMALL_STAGES, "head_channels": 1024},
    "mobilenetv3_large_100": {**_V3, "stages": _V3_LARGE_STAGES, "head_channels": 1280},
}

SPECS = tuple(
    BackboneSpec(
        name=name,
        family="mobilenet",
        build="lensnet.models.mobilenet:build",
        variant=variant,
        options={"drop_path": 0.0},
        source=(
            "Sandler et al. 2018, arXiv:1801.04381"
            if "v2" in name
            else "Howard et al. 2019, arXiv:1905.02244"
        ),
        minimum_size=32,
        classifier="classifier",
    )
    for name, variant in _VARIANTS.items()
)


def build(
    kit: Kit,
    image: Any,
    *,
    stages: tuple[tuple[Blocks, ...], ...],
    stem_channels: int,
    head_channels: int,
    activation: str,
    pools_before_head: bool = False,
    drop_path: float = 0.0,
) -> Any:
    """Builds the stem, the stages "blocks.0" and so on, and the last convolution.

    The last convolution's map is the stage "conv_head" of MobileNetV2; that of MobileNetV3 has
    one pixel and is not a stage.

    Args:
        kit: supplies the layers.
        image: tensor (batch, height, width, channels).
        stages: the rows of the papers' tables.
        stem_channels: of the first convolution.
        head_channels: of the last.
        activation: of all blocks that name no other, and of stem and head.
        pools_before_head: takes the mean over the map before the last convolution, which then
            has a bias and no normalisation, as in MobileNetV3.
        drop_path: probability that the last block's branch is dropped for an example in training;
            0 in the first block, rising linearly.

    Returns:
        the last convolution's map: at 1/32 of the image's size, or of one pixel.
    """
    kit = kit.replace(kernel_initializer=FAN_OUT, depthwise_initializer=FAN_OUT)
    x = kit.lift(image, stem_channels, 3, strides=2, name="conv_stem")
    x = kit.norm(x, name="bn1")
    x = kit.activation(x, activation, name="bn1.act")
    style = Style(activation, squeeze_excite=_V3_SQUEEZE_EXCITE, drop_path=drop_path)
    x = add_stages(kit, x, stages, style, channels=stem_channels)
    if pools_before_head:
        x = kit.global_pool(x, name="pool_before_head")
        x = kit.conv(x, head_channels, 1, use_bias=True, name="conv_head")
        return kit.activation(x, activation, name="conv_head.act")
    x = kit.conv(x, head_channels, 1, name="conv_head")
    x = kit.norm(x, name="bn2")
    x = kit.activation(x, activation, name="bn2.act")
    return kit.stage(x, "conv_head")
