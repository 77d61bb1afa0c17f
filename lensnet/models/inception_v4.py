"""Inception-v4.

Szegedy, Ioffe, Vanhoucke & Alemi 2017, "Inception-v4, Inception-ResNet and the Impact of Residual
Connections on Learning" (arXiv:1602.07261), figures 3 to 9. Means over a map's edge leave out
what lies beyond it. Layers carry the names of timm's parameters, which number the modules.

Every filter of 1x7, 7x1, 1x3 and 3x1 pixels, and what becomes of these under a symmetry, is
described in `lensnet.models.inception`.
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
        name="inception_v4",
        family="inception_v4",
        build="lensnet.models.inception_v4:build",
        source="Szegedy et al. 2017, arXiv:1602.07261",
        minimum_size=32,
        classifier="last_linear",
    ),
)


def build(kit: Kit, image: Any, *, depths: tuple[int, int, int] = (4, 7, 3)) -> Any:
    """Builds the stem, and the modules A, B and C with reductions between them.

    Args:
        kit: supplies the layers.
        image: tensor (batch, height, width, channels).
        depths: modules of each kind.

    Returns:
        the last module's map, at about 1/32 of the image's size.
    """
    kit = kit.replace(normalization_epsilon=NORMALIZATION_EPSILON)
    x = add_stem(kit, image, ("features.0", "features.1", "features.2"))
    x = kit.stage(x, "features.2")
    x = _pool_beside_step(kit, x, 96, "features.3")
    x = kit.stage(x, "features.3")
    x = _stem_branches(kit, x, "features.4")
    x = _pool_beside_step(kit, x, 192, "features.5")
    number = 6
    modules = (_module_a, _module_b, _module_c)
    reductions = (None, _reduction_a, _reduction_b)
    for module, reduction, depth in zip(modules, reductions, depths, strict=True):
        if reduction is not None:
            x = reduction(kit, x, f"features.{number}")
            number += 1
        for _ in range(depth):
            x = module(kit, x, f"features.{number}")
            number += 1
        x = kit.stage(x, f"features.{number - 1}")
    return x


_add_pooled = functools.partial(add_pooled_branch, count_padding=False)


def _pool_beside_step(kit: Kit, x: Any, filters: int, name: str) -> Any:
    """Halves a map in two ways; the order of the two is timm's."""
    pooled = kit.max_pool(x, 3, strides=2, name=f"{name}.maxpool")
    stepped = add_unit(kit, x, filters, 3, **STEP, name=f"{name}.conv")
    both = [pooled, stepped] if name == "features.3" else [stepped, pooled]
    return kit.concatenate(both, name=name)


def _stem_branches(kit: Kit, x: Any, name: str) -> Any:
    deep = ((64, 1), (64, (1, 7)), (64, (7, 1)), (96, 3))
    branches = [
        add_branch(kit, x, ((64, 1), (96, 3)), f"{name}.branch0.", padding="valid"),
        add_branch(kit, x, deep, f"{name}.branch1.", padding="valid"),
    ]
    return kit.concatenate(branches, name=name)


def _module_a(kit: Kit, x: Any, name: str) -> Any:
    """Figure 4."""
    branches = [
        add_unit(kit, x, 96, 1, name=f"{name}.branch0"),
        add_branch(kit, x, ((64, 1), (96, 3)), f"{name}.branch1."),
        add_branch(kit, x, ((64, 1), (96, 3), (96, 3)), f"{name}.branch2."),
        _add_pooled(kit, x, 96, f"{name}.branch3.1", pool_name=f"{name}.branch3.0"),
    ]
    return kit.concatenate(branches, name=name)


def _reduction_a(kit: Kit, x: Any, name: str) -> Any:
    """Figure 7 with the filters of table 1."""
    branches = [
        add_unit(kit, x, 384, 3, **STEP, name=f"{name}.branch0"),
        add_branch(kit, x, ((192, 1), (224, 3), (256, 3)), f"{name}.branch1.", **STEP),
        kit.max_pool(x, 3, strides=2, name=f"{name}.branch2"),
    ]
    return kit.concatenate(branches, name=name)


def _module_b(kit: Kit, x: Any, name: str) -> Any:
    """Figure 5, with the order of 1x7 and 7x1 as in the authors' code."""
    single = ((192, 1), (224, (1, 7)), (256, (7, 1)))
    double = ((192, 1), (192, (7, 1)), (224, (1, 7)), (224, (7, 1)), (256, (1, 7)))
    branches = [
        add_unit(kit, x, 384, 1, name=f"{name}.branch0"),
        add_branch(kit, x, single, f"{name}.branch1."),
        add_branch(kit, x, double, f"{name}.branch2."),
        _add_pooled(kit, x, 128, f"{name}.branch3.1", pool_name=f"{name}.branch3.0"),
    ]
    return kit.concatenate(branches, name=name)


def _reduction_b(kit: Kit, x: Any, name: str) -> Any:
    """Figure 8."""
    deep = ((256, 1), (256, (1, 7)), (320, (7, 1)), (320, 3))
    branches = [
        add_branch(kit, x, ((192, 1), (192, 3)), f"{name}.branch0.", **STEP),
        add_branch(kit, x, deep, f"{name}.branch1.", **STEP),
        kit.max_pool(x, 3, strides=2, name=f"{name}.branch2"),
    ]
    return kit.concatenate(branches, name=name)


def _module_c(kit: Kit, x: Any, name: str) -> Any:
    """Figure 6: 1x3 and 3x1 side by side."""
    single = add_unit(kit, x, 384, 1, name=f"{name}.branch1_0")
    double = add_branch(kit, x, ((384, 1), (448, (3, 1)), (512, (1, 3))), f"{name}.branch2_")
    branches = [
        add_unit(kit, x, 256, 1, name=f"{name}.branch0"),
        add_unit(kit, single, 256, (1, 3), name=f"{name}.branch1_1a"),
        add_unit(kit, single, 256, (3, 1), name=f"{name}.branch1_1b"),
        add_unit(kit, double, 256, (1, 3), name=f"{name}.branch2_3a"),
        add_unit(kit, double, 256, (3, 1), name=f"{name}.branch2_3b"),
        _add_pooled(kit, x, 256, f"{name}.branch3.1", pool_name=f"{name}.branch3.0"),
    ]
    return kit.concatenate(branches, name=name)
