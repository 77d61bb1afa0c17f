"""Lenses whose haloes hold nothing, cold subhaloes, or an axion vortex."""

from __future__ import annotations

import tensorflow_datasets as tfds

from lensnet.data.records.builder import LensDatasetBuilder
from lensnet.datasets.deeplense_substructure.options import SPECS

__all__ = ["Builder"]


class Builder(LensDatasetBuilder):
    """DeepLense's published images, or images simulated as they were; see README.md."""

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "First release."}
    SPECS = SPECS
