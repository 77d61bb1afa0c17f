"""Lenses, and galaxies that look like them."""

from __future__ import annotations

import tensorflow_datasets as tfds

from lensnet.data.records.builder import LensDatasetBuilder
from lensnet.datasets.lens_finding.options import SPECS

__all__ = ["Builder"]


class Builder(LensDatasetBuilder):
    """The Bologna challenges, DeepLense's lenses, or simulated ones; see README.md."""

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "First release."}
    SPECS = SPECS
