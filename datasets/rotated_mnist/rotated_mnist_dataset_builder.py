"""Handwritten digits, rotated."""

from __future__ import annotations

import tensorflow_datasets as tfds

from lensnet.data.records.builder import LensDatasetBuilder
from lensnet.datasets.rotated_mnist.options import SPECS

__all__ = ["Builder"]


class Builder(LensDatasetBuilder):
    """12,000 digits to train on and 50,000 to test on, from mnist.npz; see README.md."""

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "First release."}
    SPECS = SPECS
