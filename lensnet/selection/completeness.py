"""The share of painted arcs that are found, over what was painted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from lensnet.evaluation.bootstrap import exact_interval

__all__ = ["Bin", "completeness_by", "completeness_over_both", "quantiles_passed"]

QUANTITIES = ("einstein_radius_arcsec", "source_magnitude", "arc_magnitude", "signal_to_noise")
"""Over what completeness is told."""

_LOGARITHMIC = ("einstein_radius_arcsec", "signal_to_noise")


@dataclass(frozen=True)
class Bin:
    """Arcs that are alike, and how many of them are found.

    Attributes:
        quantity: in which they are alike.
        low: the least of it.
        high: the greatest.
        criterion: by which they are found.
        arcs: how many there are.
        found: how many of them are found.
    """

    quantity: str
    low: float
    high: float
    criterion: str
    arcs: int
    found: int

    @property
    def completeness(self) -> float | None:
        """The share found; None where there is none."""
        return self.found / self.arcs if self.arcs else None

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval of the share by Clopper and Pearson 1934."""
        return exact_interval(self.found, self.arcs) if self.arcs else (0.0, 1.0)


def completeness_by(
    quantity: str, values: np.ndarray, found: Mapping[str, np.ndarray], bins: int
) -> list[Bin]:
    """Returns completeness in bins of one quantity.

    Args:
        quantity: its name.
        values: of each arc, (N,), finite.
        found: whether each arc is found, (N,) bool, by the name of the criterion.
        bins: how many, of equal width, in the logarithm where the quantity is one of size.

    Example:

    >>> one, two = completeness_by("x", np.array([0, 0.4, 1]), {"s": np.array([1, 0, 1]) > 0}, 2)
    >>> one.arcs, one.completeness, two.completeness
    (2, 0.5, 1.0)
    """
    edges = _edges(quantity, values, bins)
    at = np.clip(np.digitize(values, edges[1:-1]), 0, bins - 1)
    return [
        Bin(
            quantity,
            float(edges[place]),
            float(edges[place + 1]),
            criterion,
            int(np.sum(at == place)),
            int(np.sum(is_found[at == place])),
        )
        for criterion, is_found in found.items()
        for place in range(bins)
    ]


def completeness_over_both(
    truth: Mapping[str, np.ndarray], names: tuple[str, str], found: np.ndarray, bins: int
) -> Iterator[dict[str, Any]]:
    """Yields completeness in cells of two quantities, a mapping a cell.

    Args:
        truth: the quantities, (N,) each.
        names: of the two.
        found: whether each arc is found, (N,) bool.
        bins: along each.
    """
    edges = [_edges(name, truth[name], bins) for name in names]
    at = [
        np.clip(np.digitize(truth[name], of[1:-1]), 0, bins - 1)
        for name, of in zip(names, edges, strict=True)
    ]
    for row in range(bins):
        for column in range(bins):
            inside = (at[0] == row) & (at[1] == column)
            number, of_these = int(inside.sum()), int(found[inside].sum())
            low, high = exact_interval(of_these, number) if number else (0.0, 1.0)
            yield {
                f"{names[0]}_low": float(edges[0][row]),
                f"{names[0]}_high": float(edges[0][row + 1]),
                f"{names[1]}_low": float(edges[1][column]),
                f"{names[1]}_high": float(edges[1][column + 1]),
                "arcs": number,
                "found": of_these,
                "completeness": of_these / number if number else None,
                "completeness_low": low,
                "completeness_high": high,
            }


def quantiles_passed(scores: np.ndarray, shares: tuple[float, ...]) -> dict[str, float]:
    """Returns the scores that given shares of the galaxies themselves reach, by a name for each.

    A share of which not ten galaxies make one is left out: it would be that of a few.

    Args:
        scores: of galaxies without arcs, (N,).
        shares: such as 0.01.

    Example:

    >>> quantiles_passed(np.linspace(0, 1, 1001), (0.01, 0.001))
    {'1 % of galaxies': 0.99}
    """
    return {
        f"{100 * share:g} % of galaxies": float(np.quantile(scores, 1 - share, method="higher"))
        for share in shares
        if share * len(scores) >= 10
    }


def _edges(quantity: str, values: np.ndarray, bins: int) -> np.ndarray:
    low, high = float(values.min()), float(values.max())
    if not high > low:
        low, high = low - 0.5, high + 0.5
    elif quantity in _LOGARITHMIC and low > 0:
        return np.geomspace(low, high, bins + 1)
    return np.linspace(low, high, bins + 1)
