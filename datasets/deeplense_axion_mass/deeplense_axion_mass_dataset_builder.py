"""Lenses with the vortex of an axion condensate, and the axion's mass."""

from __future__ import annotations

import tensorflow_datasets as tfds

from lensnet.data.records.builder import LensDatasetBuilder
from lensnet.datasets.deeplense_axion_mass.options import SPECS

__all__ = ["Builder"]


class Builder(LensDatasetBuilder):
    """The axion files of DeepLense's simulations, as a regression; see README.md."""

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "First release."}
    SPECS = SPECS
