"""Inception-v3.

Szegedy et al. 2016, "Rethinking the Inception Architecture for Computer Vision"
(arXiv:1512.00567), table 1 and figures 5 to 7 and 10, as published with TensorFlow and carried
over to PyTorch. The auxiliary classifier, which plays no part once trained, is left out. Means
over a map's edge count the zeros around it. Layers carry the names of timm's parameters.

The first units and every filter of 1x7, 7x1, 1x3 and 3x1 pixels, and what becomes of these under
a symmetry, are described in `lensnet.models.inception`.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from lensnet.config.backbone import BackboneSpec
from lensnet.models.inception import (
    NORMALIZATION_EPSILON,
    STEP,
    add_branch,
    add_pooled_branch,
    add_stem,
    add_unit,
)

if TYPE_CHECKING:
    from lensnet.models.kit import Kit

__all__ = ["SPECS", "build"]

SPECS = (
    BackboneSpec(
        name="inception_v3",
        family="inception_v3",
        build="lensnet.models.inception_v3:build",
        source="Szegedy et al. 2016, arXiv:1512.00567",
        minimum_size=32,
    ),
)

_INITIALIZER = {"class_name": "TruncatedNormal", "config": {"stddev": 0.1}}
"""Of the authors' code: cut at two standard deviations."""


def build(kit: Kit, image: Any) -> Any:
    """Builds the stem and the modules 5b to 7c.

    Args:
        kit: supplies the layers.
        image: tensor (batch, height, width, channels).

    Returns:
        the last module's map, at about 1/32 of the image's size.
    """
    kit = kit.replace(normalization_epsilon=NORMALIZATION_EPSILON, kernel_initializer=_INITIALIZER)
    x = add_stem(kit, image, ("Conv2d_1a_3x3", "Conv2d_2a_3x3", "Conv2d_2b_3x3"))
    x = kit.stage(x, "Conv2d_2b_3x3")
    x = kit.max_pool(x, 3, strides=2, name="Pool1")
    x = add_unit(kit, x, 80, 1, name="Conv2d_3b_1x1")
    x = add_unit(kit, x, 192, 3, padding="valid", name="Conv2d_4a_3x3")
    x = kit.stage(x, "Conv2d_4a_3x3")
    x = kit.max_pool(x, 3, strides=2, name="Pool2")
    for name, pooled in (("Mixed_5b", 32), ("Mixed_5c", 64), ("Mixed_5d", 64)):
        x = _module_5(kit, x, pooled, name)
    x = kit.stage(x, "Mixed_5d")
    x = _reduction_6a(kit, x, "Mixed_6a")
    for name, filters in (
        ("Mixed_6b", 128),
        ("Mixed_6c", 160),
        ("Mixed_6d", 160),
        ("Mixed_6e", 192),
    ):
        x = _module_6(kit, x, filters, name)
    x = kit.stage(x, "Mixed_6e")
    x = _reduction_7a(kit, x, "Mixed_7a")
    for name in ("Mixed_7b", "Mixed_7c"):
        x = _module_7(kit, x, name)
    return kit.stage(x, "Mixed_7c")


_add_pooled = functools.partial(add_pooled_branch, count_padding=True)


def _module_5(kit: Kit, x: Any, pooled: int, name: str) -> Any:
    """Figure 5, with 5x5 kept in one branch."""
    branches = [
        add_unit(kit, x, 64, 1, name=f"{name}.branch1x1"),
        add_branch(kit, x, ((48, 1), (64, 5)), f"{name}.branch5x5_", first=1),
        add_branch(kit, x, ((64, 1), (96, 3), (96, 3)), f"{name}.branch3x3dbl_", first=1),
        _add_pooled(kit, x, pooled, f"{name}.branch_pool", pool_name=f"{name}.pool"),
    ]
    return kit.concatenate(branches, name=name)


def _reduction_6a(kit: Kit, x: Any, name: str) -> Any:
    """Figure 10."""
    deep = ((64, 1), (96, 3), (96, 3))
    branches = [
        add_unit(kit, x, 384, 3, **STEP, name=f"{name}.branch3x3"),
        add_branch(kit, x, deep, f"{name}.branch3x3dbl_", first=1, **STEP),
        kit.max_pool(x, 3, strides=2, name=f"{name}.pool"),
    ]
    return kit.concatenate(branches, name=name)


def _module_6(kit: Kit, x: Any, filters: int, name: str) -> Any:
    """Figure 6 with n = 7."""
    single = ((filters, 1), (filters, (1, 7)), (192, (7, 1)))
    double = (
        (filters, 1),
        (filters, (7, 1)),
        (filters, (1, 7)),
        (filters, (7, 1)),
        (192, (1, 7)),
    )
    branches = [
        add_unit(kit, x, 192, 1, name=f"{name}.branch1x1"),
        add_branch(kit, x, single, f"{name}.branch7x7_", first=1),
        add_branch(kit, x, double, f"{name}.branch7x7dbl_", first=1),
        _add_pooled(kit, x, 192, f"{name}.branch_pool", pool_name=f"{name}.pool"),
    ]
    return kit.concatenate(branches, name=name)


def _reduction_7a(kit: Kit, x: Any, name: str) -> Any:
    deep = ((192, 1), (192, (1, 7)), (192, (7, 1)), (192, 3))
    branches = [
        add_branch(kit, x, ((192, 1), (320, 3)), f"{name}.branch3x3_", first=1, **STEP),
        add_branch(kit, x, deep, f"{name}.branch7x7x3_", first=1, **STEP),
        kit.max_pool(x, 3, strides=2, name=f"{name}.pool"),
    ]
    return kit.concatenate(branches, name=name)


def _module_7(kit: Kit, x: Any, name: str) -> Any:
    """Figure 7: 1x3 and 3x1 side by side."""
    single = add_unit(kit, x, 384, 1, name=f"{name}.branch3x3_1")
    double = add_branch(kit, x, ((448, 1), (384, 3)), f"{name}.branch3x3dbl_", first=1)
    branches = [
        add_unit(kit, x, 320, 1, name=f"{name}.branch1x1"),
        add_unit(kit, single, 384, (1, 3), name=f"{name}.branch3x3_2a"),
        add_unit(kit, single, 384, (3, 1), name=f"{name}.branch3x3_2b"),
        add_unit(kit, double, 384, (1, 3), name=f"{name}.branch3x3dbl_3a"),
        add_unit(kit, double, 384, (3, 1), name=f"{name}.branch3x3dbl_3b"),
        _add_pooled(kit, x, 192, f"{name}.branch_pool", pool_name=f"{name}.pool"),
    ]
    return kit.concatenate(branches, name=name)
