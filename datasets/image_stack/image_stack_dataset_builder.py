"""The user's own images, all in one array."""

from __future__ import annotations

import tensorflow_datasets as tfds

from lensnet.data.records.builder import LensDatasetBuilder
from lensnet.datasets.image_stack.options import SPECS

__all__ = ["Builder"]


class Builder(LensDatasetBuilder):
    """An HDF5 or Parquet file, or `X.npy` with `y.npy` or a table; see README.md."""

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "First release."}
    SPECS = SPECS
