"""Inception-ResNet-v2.

Szegedy, Ioffe, Vanhoucke & Alemi 2017, "Inception-v4, Inception-ResNet and the Impact of Residual
Connections on Learning" (arXiv:1602.07261), figures 15 to 20, in the form that the authors
published with their code: the stem of Inception-v3, ten, twenty and ten residual modules, whose
branches are multiplied by 0.17, 0.1 and 0.2 before they are added (section 3.3); the very last is
neither scaled nor activated. Means over a map's edge leave out what lies beyond it. Layers carry
the names of timm's parameters.

Every filter of 1x7, 7x1, 1x3 and 3x1 pixels, and what becomes of these under a symmetry, is
described in `lensnet.models.inception`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from lensnet.config.backbone import BackboneSpec
from lensnet.models.inception import (
    NORMALIZATION_EPSILON,
    STEP,
    Unit,
    add_branch,
    add_pooled_branch,
    add_stem,
    add_unit,
)
from lensnet.models.stochastic_depth import rates_by_stage

if TYPE_CHECKING:
    from lensnet.models.kit import Kit

__all__ = ["SPECS", "build"]

SPECS = (
    BackboneSpec(
        name="inception_resnet_v2",
        family="inception_resnet_v2",
        build="lensnet.models.inception_resnet_v2:build",
        options={"drop_path": 0.0},
        source="Szegedy et al. 2017, arXiv:1602.07261",
        minimum_size=32,
        classifier="classif",
    ),
)


@dataclass(frozen=True)
class _Residual:
    """A kind of residual module.

    Args:
        branches: the units of each, the first pointwise.
        channels: of the map that they are added to.
        scale: that they are multiplied by.
    """

    branches: tuple[tuple[Unit, ...], ...]
    channels: int
    scale: float


_BLOCK_35 = _Residual((((32, 1),), ((32, 1), (32, 3)), ((32, 1), (48, 3), (64, 3))), 320, 0.17)
_BLOCK_17 = _Residual((((192, 1),), ((128, 1), (160, (1, 7)), (192, (7, 1)))), 1088, 0.1)
_BLOCK_8 = _Residual((((192, 1),), ((192, 1), (224, (1, 3)), (256, (3, 1)))), 2080, 0.2)
_LAST_BLOCK = replace(_BLOCK_8, scale=1.0)

_DEPTHS = (10, 20, 10)


def build(
    kit: Kit, image: Any, *, depths: tuple[int, int, int] = _DEPTHS, drop_path: float = 0.0
) -> Any:
    """Builds the stem, the three kinds of residual modules with reductions between them.

    Args:
        kit: supplies the layers.
        image: tensor (batch, height, width, channels).
        depths: residual modules of each kind; the last one of all differs.
        drop_path: probability that the last module's branches are dropped for an example in
            training; 0 in the first module, rising linearly.

    Returns:
        the last convolution's map, at about 1/32 of the image's size.
    """
    kit = kit.replace(normalization_epsilon=NORMALIZATION_EPSILON)
    rates_35, rates_17, (*rates_8, last_rate) = rates_by_stage(drop_path, depths)
    x = add_stem(kit, image, ("conv2d_1a", "conv2d_2a", "conv2d_2b"))
    x = kit.stage(x, "conv2d_2b")
    x = kit.max_pool(x, 3, strides=2, name="maxpool_3a")
    x = add_unit(kit, x, 80, 1, name="conv2d_3b")
    x = add_unit(kit, x, 192, 3, padding="valid", name="conv2d_4a")
    x = kit.stage(x, "conv2d_4a")
    x = kit.max_pool(x, 3, strides=2, name="maxpool_5a")
    x = _module_5b(kit, x, "mixed_5b")
    for index, rate in enumerate(rates_35):
        x = _residual_module(kit, x, _BLOCK_35, rate, f"repeat.{index}")
    x = kit.stage(x, "repeat")
    x = _reduction_6a(kit, x, "mixed_6a")
    for index, rate in enumerate(rates_17):
        x = _residual_module(kit, x, _BLOCK_17, rate, f"repeat_1.{index}")
    x = kit.stage(x, "repeat_1")
    x = _reduction_7a(kit, x, "mixed_7a")
    for index, rate in enumerate(rates_8):
        x = _residual_module(kit, x, _BLOCK_8, rate, f"repeat_2.{index}")
    x = _residual_module(kit, x, _LAST_BLOCK, last_rate, "block8", activated=False)
    x = add_unit(kit, x, 1536, 1, name="conv2d_7b")
    return kit.stage(x, "conv2d_7b")


def _module_5b(kit: Kit, x: Any, name: str) -> Any:
    branches = [
        add_unit(kit, x, 96, 1, name=f"{name}.branch0"),
        add_branch(kit, x, ((48, 1), (64, 5)), f"{name}.branch1."),
        add_branch(kit, x, ((64, 1), (96, 3), (96, 3)), f"{name}.branch2."),
        add_pooled_branch(
            kit,
            x,
            64,
            f"{name}.branch3.1",
            pool_name=f"{name}.branch3.0",
            count_padding=False,
        ),
    ]
    return kit.concatenate(branches, name=name)


def _residual_module(
    kit: Kit, x: Any, kind: _Residual, rate: float, name: str, *, activated: bool = True
) -> Any:
    """Figures 16, 17 and 19."""
    ((pointwise,), *deep) = kind.branches
    branches = [add_unit(kit, x, *pointwise, name=f"{name}.branch0")]
    for number, units in enumerate(deep, start=1):
        branches.append(add_branch(kit, x, units, f"{name}.branch{number}."))
    branch = kit.concatenate(branches, name=f"{name}.branches")
    # In a narrow network the channels of x are a sum of parts that were rounded each.
    branch = kit.conv(branch, kind.channels, 1, like=x, use_bias=True, name=f"{name}.conv2d")
    if kind.scale != 1:
        branch = kit.rescale(branch, kind.scale, name=f"{name}.scale")
    branch = kit.drop_path(branch, rate, name=f"{name}.drop_path")
    x = kit.add([branch, x], name=name)
    return kit.activation(x, "relu", name=f"{name}.relu") if activated else x


def _reduction_6a(kit: Kit, x: Any, name: str) -> Any:
    """Figure 7 with the filters of table 1."""
    branches = [
        add_unit(kit, x, 384, 3, **STEP, name=f"{name}.branch0"),
        add_branch(kit, x, ((256, 1), (256, 3), (384, 3)), f"{name}.branch1.", **STEP),
        kit.max_pool(x, 3, strides=2, name=f"{name}.branch2"),
    ]
    return kit.concatenate(branches, name=name)


def _reduction_7a(kit: Kit, x: Any, name: str) -> Any:
    """Figure 18."""
    branches = [
        add_branch(kit, x, ((256, 1), (384, 3)), f"{name}.branch0.", **STEP),
        add_branch(kit, x, ((256, 1), (288, 3)), f"{name}.branch1.", **STEP),
        add_branch(kit, x, ((256, 1), (288, 3), (320, 3)), f"{name}.branch2.", **STEP),
        kit.max_pool(x, 3, strides=2, name=f"{name}.branch3"),
    ]
    return kit.concatenate(branches, name=name)
