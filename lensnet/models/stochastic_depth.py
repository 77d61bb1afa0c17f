"""The rates of stochastic depth, which every residual family of the zoo shares."""

from __future__ import annotations

from collections.abc import Sequence

from lensnet.errors import ConfigurationError

__all__ = ["rates_by_stage"]


def rates_by_stage(last: float, depths: Sequence[int]) -> list[list[float]]:
    """The rate at which each residual block is dropped, rising linearly over the network.

    From 0 in the first block to `last` in the last one (Huang et al. 2016, arXiv:1603.09382,
    equation 4, where the first block is already dropped a little; here it never is, as in timm).

    Args:
        last: the probability that the last block is dropped, in [0, 1).
        depths: residual blocks in each stage.

    Returns:
        for each stage, the rate of each of its blocks.

    Raises:
        ConfigurationError: `last` is not a probability below 1.

    Example:

    >>> rates_by_stage(0.5, (1, 2))
    [[0.0], [0.25, 0.5]]
    """
    if not 0 <= last < 1:
        raise ConfigurationError(f"drop_path is a probability below 1; got {last!r}.")
    blocks = sum(depths)
    rates = [last * block / max(1, blocks - 1) for block in range(blocks)]
    stages = []
    for depth in depths:
        stages.append(rates[:depth])
        rates = rates[depth:]
    return stages
