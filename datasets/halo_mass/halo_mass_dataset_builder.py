"""Lenses whose main haloes, or what is in them, have one of many masses."""

from __future__ import annotations

import tensorflow_datasets as tfds

from lensnet.data.records.builder import LensDatasetBuilder
from lensnet.datasets.halo_mass.options import SPECS

__all__ = ["Builder"]


class Builder(LensDatasetBuilder):
    """DeepLense's images for regression, or simulated ones; see README.md."""

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "First release."}
    SPECS = SPECS
