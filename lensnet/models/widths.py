"""How wide a symmetric network is: what it has in common with the plain network of its name."""

from __future__ import annotations

import functools
from typing import Literal, get_args

from lensnet import registry
from lensnet.errors import ConfigurationError, did_you_mean
from lensnet.models.kit.counting import count
from lensnet.symmetry import Symmetry

__all__ = ["REFERENCE_SHAPE", "WidthPolicy", "width_factor"]

WidthPolicy = Literal["flops", "parameters", "fields"]

REFERENCE_SHAPE = (128, 128, 3)
"""The image at which costs are compared, whatever a network is built for: so that a network has
the same layers, and weights fit, at every image size."""


def width_factor(name: str, symmetry: str | Symmetry, policy: WidthPolicy = "flops") -> float:
    """The multiplier of the plain network's channels, before `width`.

    - `flops`: the multiply-adds of the plain network. Of c4, d4 and their subgroups that is a
      factor of 1: as many channels, of which each filter has |G| times fewer weights. (Strided
      first and depthwise filters, which see means on even maps, cost a little more: of ResNet-50
      1 % of the whole.) Of c8 and others, whose filters are 5x5 where the plain ones are 3x3, and
      of rot<n>, which convolves n times, it is less than 1.
    - `parameters`: the parameters of the plain network, the output layer left out: about the root
      of |G|, at about |G| times the cost. For rot<n> it is 1.
    - `fields`: as many fields as the plain network has channels: |G|, at |G|^2 times the cost. For
      rot<n>, whose features are scalar, it is 1.

    Counted at `REFERENCE_SHAPE`, with the family's default options, and rounded to hundredths.

    Args:
        name: a backbone of the zoo.
        symmetry: its symmetry; for `none` the factor is 1.
        policy: what to keep.

    Raises:
        ConfigurationError: no such policy, or the network cannot have the symmetry.

    Example:

    >>> width_factor("resnet18", "c4"), width_factor("resnet18", "c4", "fields")
    (1.0, 4.0)
    >>> width_factor("resnet18", "rot4")
    0.48
    """
    policies = get_args(WidthPolicy)
    if policy not in policies:
        raise ConfigurationError(
            f'There is no width policy "{policy}".{did_you_mean(str(policy), policies)} '
            f"Allowed: {', '.join(policies)}."
        )
    parsed = Symmetry.parse(symmetry)
    if policy == "fields":
        return float(parsed.order)
    if policy == "parameters" and parsed.order == 1:
        return 1.0
    if policy == "flops" and (parsed.kind == "none" or _costs_as_much(parsed)):
        return 1.0
    return _solve(name, parsed, "parameters" if policy == "parameters" else "multiply_adds")


def _costs_as_much(symmetry: Symmetry) -> bool:
    """Whether a network of as many channels has the plain network's multiply-adds."""
    group = symmetry.group
    return symmetry.kind == "regular" and group is not None and group.exact_on_grid


@functools.cache
def _solve(name: str, symmetry: Symmetry, quantity: str) -> float:
    """The width at which a symmetric network has the plain one's `quantity`."""
    spec = registry.backbones.get(name)

    def of(symmetry: Symmetry, width: float) -> int:
        counts = count(
            spec, input_shape=REFERENCE_SHAPE, num_outputs=1, symmetry=symmetry, width=width
        )
        return getattr(counts, quantity)

    goal = of(Symmetry(), 1.0)
    low, high = 1 / 16, 16.0
    while high - low > 0.001:
        middle = (low + high) / 2
        low, high = (middle, high) if of(symmetry, middle) <= goal else (low, middle)
    return round(low, 2)
