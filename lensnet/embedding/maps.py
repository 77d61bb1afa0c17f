"""Maps of features in two dimensions."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from typing import Any

import numpy as np

from lensnet.errors import ConfigurationError

__all__ = ["FeatureMap", "Sample", "check_umap", "principal_components", "umap_map"]

# UMAP needs some neighbours, and two components need three points.
_LEAST_IMAGES = 3
_UMAP_NEIGHBOURS = 15


@dataclass(frozen=True)
class FeatureMap:
    """Features in two dimensions.

    Args:
        points: (N, 2).
        axes: what the axes are called.
        method: how the map was made.
    """

    points: np.ndarray
    axes: tuple[str, str]
    method: str


class Sample:
    """A random sample of all rows that go by, each as likely as any other, and the same each time.

    Args:
        count: how many to keep.
    """

    def __init__(self, count: int):
        self.count = count
        self.seen = 0
        self._rng = np.random.default_rng(0)
        self._keys = np.empty(0)
        self._columns: list[np.ndarray] = []

    def add(self, *columns: np.ndarray) -> None:
        """Looks at some more rows, the same number in each column."""
        keys = self._rng.random(len(columns[0]))
        self.seen += len(keys)
        before = self._columns or [column[:0] for column in columns]
        self._keys = np.concatenate([self._keys, keys])
        self._columns = [np.concatenate(pair, axis=0) for pair in zip(before, columns, strict=True)]
        if len(self._keys) > 2 * self.count:
            self._prune()

    def columns(self) -> list[np.ndarray]:
        """Returns the columns of the sample, its rows in the order in which they came."""
        if len(self._keys) > self.count:
            self._prune()
        return self._columns

    def _prune(self) -> None:
        kept = np.sort(np.argpartition(self._keys, self.count)[: self.count])
        self._keys = self._keys[kept]
        self._columns = [column[kept] for column in self._columns]


def principal_components(features: np.ndarray) -> FeatureMap:
    """Returns the first two principal components of features (N, D).

    Raises:
        ValueError: there are fewer than three images or two features, or all are equal.

    Example:

    >>> principal_components(np.diag([3.0, 2.0, 1.0])).axes[0]
    'First principal component (no unit; 75 % of the variance)'
    """
    from sklearn.decomposition import PCA

    values = _checked(features)
    solver = PCA(n_components=2, svd_solver="full" if len(values) < 500 else "covariance_eigh")
    points = solver.fit_transform(values)
    shares = 100 * solver.explained_variance_ratio_
    axes = (
        f"First principal component (no unit; {shares[0]:.0f} % of the variance)",
        f"Second principal component (no unit; {shares[1]:.0f} %)",
    )
    return FeatureMap(points, axes, "principal components")


def check_umap() -> None:
    """Checks that the package of the extra `umap` is installed.

    Raises:
        ConfigurationError: it is missing.
    """
    if importlib.util.find_spec("umap") is None:
        raise ConfigurationError(
            "A map by UMAP needs umap-learn, which is not installed: pip install 'lensnet[umap]'. "
            "Without --umap the map is made of principal components."
        )


def umap_map(features: np.ndarray) -> FeatureMap:
    """Returns the map of features (N, D) by UMAP (McInnes et al. 2018, arXiv:1802.03426).

    It keeps neighbours together; distances between groups, and axes, mean nothing.

    Raises:
        ConfigurationError: umap-learn is not installed.
        ValueError: as `principal_components`.
    """
    check_umap()
    import warnings

    values = _checked(features)
    umap: Any = importlib.import_module("umap")
    with warnings.catch_warnings():
        # That a fixed seed means one thread.
        warnings.simplefilter("ignore")
        reducer = umap.UMAP(
            n_components=2,
            n_neighbors=min(_UMAP_NEIGHBOURS, len(values) - 1),
            random_state=0,
            init="spectral" if len(values) > 2 * _UMAP_NEIGHBOURS else "random",
        )
        points = np.asarray(reducer.fit_transform(values))
    return FeatureMap(points, ("UMAP 1 (no unit)", "UMAP 2 (no unit)"), "UMAP")


def _checked(features: np.ndarray) -> np.ndarray:
    values = np.asarray(features, np.float64)
    if len(values) < _LEAST_IMAGES or values.shape[1] < 2:
        raise ValueError(
            f"a map needs at least {_LEAST_IMAGES} images and two features; there are "
            f"{len(values)} and {values.shape[1]}"
        )
    if not np.ptp(values, axis=0).any():
        raise ValueError("all images have the same features")
    return values
