"""ResNet V2: residual blocks that normalise before they convolve.

He, Zhang, Ren & Sun 2016, "Identity Mappings in Deep Residual Networks" (arXiv:1603.05027), with
batch normalisation and the stride in the 3x3 convolution, as timm has it. Layers carry the names
of timm's parameters. No activation stands between the blocks, nor before the stem's max pooling,
which therefore sees negative values.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lensnet.config.backbone import BackboneSpec
from lensnet.models.stochastic_depth import rates_by_stage

if TYPE_CHECKING:
    from lensnet.models.kit import Kit

__all__ = ["SPECS", "build"]

_STAGE_CHANNELS = (256, 512, 1024, 2048)

_VARIANTS: dict[str, dict[str, Any]] = {
    "resnetv2_50": {"depths": (3, 4, 6, 3)},
    "resnetv2_101": {"depths": (3, 4, 23, 3)},
    "resnetv2_152": {"depths": (3, 8, 36, 3)},
}

SPECS = tuple(
    BackboneSpec(
        name=name,
        family="resnetv2",
        build="lensnet.models.resnetv2:build",
        variant=variant,
        options={"drop_path": 0.0},
        source="He et al. 2016, arXiv:1603.05027",
        minimum_size=32,
        classifier="head.fc",
    )
    for name, variant in _VARIANTS.items()
)


def build(kit: Kit, image: Any, *, depths: tuple[int, ...], drop_path: float = 0.0) -> Any:
    """Builds the stem and the four stages, `stages.0` to `stages.3`.

    Args:
        kit: supplies the layers.
        image: tensor (batch, height, width, channels).
        depths: blocks in each stage.
        drop_path: probability that the last block's branch is dropped for an example in training;
            0 in the first block, rising linearly.

    Returns:
        the last stage's map, normalised and activated, at 1/32 of the image's size.
    """
    x = kit.lift(image, 64, 7, strides=2, name="stem.conv")
    x = kit.max_pool(x, 3, strides=2, padding="same", name="stem.pool")
    stages = zip(_STAGE_CHANNELS, rates_by_stage(drop_path, depths), strict=True)
    for number, (channels, rates) in enumerate(stages):
        if number > 0:
            x = kit.stage(x, f"stages.{number - 1}")
        for index, rate in enumerate(rates):
            name = f"stages.{number}.blocks.{index}"
            strides = 2 if number > 0 and index == 0 else 1
            x = _block(kit, x, channels, strides, rate, project=index == 0, name=name)
    x = _normalize(kit, x, "norm")
    return kit.stage(x, f"stages.{len(depths) - 1}")


def _block(
    kit: Kit, x: Any, channels: int, strides: int, rate: float, *, project: bool, name: str
) -> Any:
    shortcut = x
    x = _normalize(kit, x, f"{name}.norm1")
    if project:
        shortcut = kit.conv(x, channels, 1, strides=strides, name=f"{name}.downsample.conv")
    x = kit.conv(x, channels // 4, 1, name=f"{name}.conv1")
    x = _normalize(kit, x, f"{name}.norm2")
    x = kit.conv(x, channels // 4, 3, strides=strides, name=f"{name}.conv2")
    x = _normalize(kit, x, f"{name}.norm3")
    x = kit.conv(x, channels, 1, name=f"{name}.conv3")
    x = kit.drop_path(x, rate, name=f"{name}.drop_path")
    return kit.add([x, shortcut], name=f"{name}.add")


def _normalize(kit: Kit, x: Any, name: str) -> Any:
    return kit.activation(kit.norm(x, name=name), "relu", name=f"{name}.act")
