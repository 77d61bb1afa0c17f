"""EfficientNet and EfficientNetV2.

Tan & Le 2019, "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks"
(arXiv:1905.11946), table 1, and 2021, "EfficientNetV2: Smaller Models and Faster Training"
(arXiv:2104.00298), table 4. B1 to B8 scale B0's channels and depths (section 3.3; the factors are
the authors'). Lite0 has neither gates nor swish, but ReLU6, which is kinder to integers; its stem
and head are not scaled. V2-M's stages are those of the authors' code; the paper names V2-S's.

The `tf_` networks are padded and normalised as the authors' are (TensorFlow's "same" padding, an
epsilon of 1e-3), those without as PyTorch's libraries do it. Layers carry the names of timm's
parameters. A symmetric network pads both sides alike, so that there the two differ in epsilon
alone. Its squeeze-and-excitation acts on fields: the gate turns with the image.
"""

from __future__ import annotations

import math
from dataclasses import replace
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

_V1_STAGES = (
    Blocks("separable", 1, 16, squeeze_excite=True),
    Blocks("inverted", 2, 24, strides=2, expansion=6, squeeze_excite=True),
    Blocks("inverted", 2, 40, kernel_size=5, strides=2, expansion=6, squeeze_excite=True),
    Blocks("inverted", 3, 80, strides=2, expansion=6, squeeze_excite=True),
    Blocks("inverted", 3, 112, kernel_size=5, expansion=6, squeeze_excite=True),
    Blocks("inverted", 4, 192, kernel_size=5, strides=2, expansion=6, squeeze_excite=True),
    Blocks("inverted", 1, 320, expansion=6, squeeze_excite=True),
)

_V2_S_STAGES = (
    Blocks("plain", 2, 24),
    Blocks("fused", 4, 48, strides=2, expansion=4),
    Blocks("fused", 4, 64, strides=2, expansion=4),
    Blocks("inverted", 6, 128, strides=2, expansion=4, squeeze_excite=True),
    Blocks("inverted", 9, 160, expansion=6, squeeze_excite=True),
    Blocks("inverted", 15, 256, strides=2, expansion=6, squeeze_excite=True),
)

_V2_M_STAGES = (
    Blocks("plain", 3, 24),
    Blocks("fused", 5, 48, strides=2, expansion=4),
    Blocks("fused", 5, 80, strides=2, expansion=4),
    Blocks("inverted", 7, 160, strides=2, expansion=4, squeeze_excite=True),
    Blocks("inverted", 14, 176, expansion=6, squeeze_excite=True),
    Blocks("inverted", 18, 304, strides=2, expansion=6, squeeze_excite=True),
    Blocks("inverted", 5, 512, expansion=6, squeeze_excite=True),
)

_SQUEEZE_EXCITE = SqueezeExcite(reduced=lambda channels, gated: round(channels / 4))


def _scaled(width: float, depth: float) -> dict[str, Any]:
    """A network of the first version, B0's channels times `width` and its depths times `depth`."""
    return {
        "stages": tuple(
            replace(
                blocks,
                depth=math.ceil(blocks.depth * depth),
                channels=round_channels(blocks.channels * width),
            )
            for blocks in _V1_STAGES
        ),
        "stem_channels": round_channels(32 * width),
        "head_channels": round_channels(1280 * width),
    }


_VARIANTS: dict[str, dict[str, Any]] = {
    "efficientnet_b0": _scaled(1.0, 1.0),
    "efficientnet_b1": _scaled(1.0, 1.1),
    "efficientnet_b2": _scaled(1.1, 1.2),
    "efficientnet_b3": _scaled(1.2, 1.4),
    "efficientnet_b4": _scaled(1.4, 1.8),
    "efficientnet_b5": _scaled(1.6, 2.2),
    "efficientnet_b6": _scaled(1.8, 2.6),
    "efficientnet_b7": _scaled(2.0, 3.1),
    "efficientnet_b8": _scaled(2.2, 3.6),
    "efficientnet_lite0": {
        "stages": tuple(replace(blocks, squeeze_excite=False) for blocks in _V1_STAGES),
        "activation": "relu6",
    },
    "efficientnetv2_s": {"stages": _V2_S_STAGES, "stem_channels": 24},
    "efficientnetv2_m": {"stages": _V2_M_STAGES, "stem_channels": 24},
}

_TENSORFLOW = {"padding": "tensorflow", "epsilon": 1e-3}


def _spec(name: str, variant: dict[str, Any]) -> BackboneSpec:
    return BackboneSpec(
        name=name,
        family="efficientnet",
        build="lensnet.models.efficientnet:build",
        variant=variant,
        options={"drop_path": 0.0},
        source=(
            "Tan & Le 2021, arXiv:2104.00298" if "v2" in name else "Tan & Le 2019, arXiv:1905.11946"
        ),
        minimum_size=32,
        classifier="classifier",
    )


SPECS = tuple(
    _spec(prefix + name, {**variant, **padding})
    for prefix, padding in (("", {}), ("tf_", _TENSORFLOW))
    for name, variant in _VARIANTS.items()
)


def build(
    kit: Kit,
    image: Any,
    *,
    stages: tuple[Blocks, ...],
    stem_channels: int = 32,
    head_channels: int = 1280,
    activation: str = "silu",
    padding: str = "same",
    epsilon: float = 1e-5,
    drop_path: float = 0.0,
) -> Any:
    """Builds the stem, the stages "blocks.0" and so on, and the last convolution, "conv_head".

    Args:
        kit: supplies the layers.
        image: tensor (batch, height, width, channels).
        stages: a row of the papers' tables each.
        stem_channels: of the first convolution.
        head_channels: of the last.
        activation: throughout.
        padding: as in `Kit.conv`.
        epsilon: of batch normalisation.
        drop_path: probability that the last block's branch is dropped for an example in training;
            0 in the first block, rising linearly. The authors train with 0.2.

    Returns:
        the last convolution's map, at 1/32 of the image's size.
    """
    kit = kit.replace(
        kernel_initializer=FAN_OUT, depthwise_initializer=FAN_OUT, normalization_epsilon=epsilon
    )
    x = kit.lift(image, stem_channels, 3, strides=2, padding=padding, name="conv_stem")
    x = kit.norm(x, name="bn1")
    x = kit.activation(x, activation, name="bn1.act")
    style = Style(activation, squeeze_excite=_SQUEEZE_EXCITE, padding=padding, drop_path=drop_path)
    x = add_stages(kit, x, tuple((blocks,) for blocks in stages), style, channels=stem_channels)
    x = kit.conv(x, head_channels, 1, name="conv_head")
    x = kit.norm(x, name="bn2")
    x = kit.activation(x, activation, name="bn2.act")
    return kit.stage(x, "conv_head")
