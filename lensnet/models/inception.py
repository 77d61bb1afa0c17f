"""What the Inception networks share: units of convolution, normalisation and ReLU, and branches.

A branch is a row of units, each given as (filters, kernel size). Maps that are smaller than a
window see zeros around them, so that the networks take images down to 32 pixels, where those that
they were published for have 299.

With a symmetry a convolution of 1x7 pixels becomes one whose filters turn with the group's
elements: half of the field's channels see 1x7 pixels, the other half 7x1, as a row of pixels
rotated by 90 degrees is a column. (1x7, 7x1), the two convolutions that stand for 7x7, so become
that pair and its rotated twin, side by side: elements that see a row first see a column next, and
the other way round. Where features are scalar (rot4), the maximum over the rotated filters is over
both shapes. Groups that turn by less than 90 degrees have 5x5 pixels there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lensnet.models.kit import Kit

__all__ = [
    "NORMALIZATION_EPSILON",
    "STEP",
    "Unit",
    "add_branch",
    "add_pooled_branch",
    "add_stem",
    "add_unit",
]

Unit = tuple[int, int | tuple[int, int]]
"""Filters, and the side of the filters or (height, width)."""

NORMALIZATION_EPSILON = 1e-3

STEP: dict[str, Any] = {"strides": 2, "padding": "valid"}
"""How the networks halve their maps."""


def add_stem(kit: Kit, image: Any, names: tuple[str, str, str]) -> Any:
    """Adds the three units that the networks begin with, which halve the image.

    Args:
        kit: supplies the layers.
        image: tensor (batch, height, width, channels).
        names: of the units.
    """
    lifted, narrow, wide = names
    x = kit.lift(image, 32, 3, **STEP, name=f"{lifted}.conv")
    x = _norm_relu(kit, x, lifted)
    x = add_unit(kit, x, 32, 3, padding="valid", name=narrow)
    return add_unit(kit, x, 64, 3, name=wide)


def add_unit(
    kit: Kit, x: Any, filters: int, kernel_size: int | tuple[int, int], *, name: str, **options: Any
) -> Any:
    """Adds a convolution, batch normalisation and ReLU.

    Args:
        kit: supplies the layers.
        x: features.
        filters: channels of the plain network.
        kernel_size: of the convolution.
        name: of the unit; its layers are "<name>.conv" and "<name>.bn".
        **options: of `Kit.conv`.
    """
    x = kit.conv(x, filters, kernel_size, **options, name=f"{name}.conv")
    return _norm_relu(kit, x, name)


def add_branch(
    kit: Kit, x: Any, units: tuple[Unit, ...], prefix: str, *, first: int = 0, **last: Any
) -> Any:
    """Adds units one after the other, named by the prefix and their number.

    Args:
        kit: supplies the layers.
        x: features.
        units: of the branch.
        prefix: of the names, with the character before the number.
        first: number of the first unit.
        **last: options of the last convolution, such as `STEP`.
    """
    for number, (filters, kernel_size) in enumerate(units, start=1):
        options = last if number == len(units) else {}
        name = f"{prefix}{first + number - 1}"
        x = add_unit(kit, x, filters, kernel_size, name=name, **options)
    return x


def add_pooled_branch(
    kit: Kit, x: Any, filters: int, name: str, *, pool_name: str, count_padding: bool
) -> Any:
    """Adds means over 3x3 pixels and a pointwise unit.

    Args:
        kit: supplies the layers.
        x: features.
        filters: of the unit.
        name: of the unit.
        pool_name: of the means' layer.
        count_padding: whether zeros around the map count as pixels.
    """
    x = kit.avg_pool(x, 3, strides=1, padding="same", count_padding=count_padding, name=pool_name)
    return add_unit(kit, x, filters, 1, name=name)


def _norm_relu(kit: Kit, x: Any, name: str) -> Any:
    x = kit.norm(x, name=f"{name}.bn")
    return kit.activation(x, "relu", name=f"{name}.relu")
