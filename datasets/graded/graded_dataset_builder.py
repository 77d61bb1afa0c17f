"""Another data set, and candidates that people have graded."""

from __future__ import annotations

import tensorflow_datasets as tfds

from lensnet.data.records.builder import LensDatasetBuilder
from lensnet.datasets.graded.options import SPECS

__all__ = ["Builder"]


class Builder(LensDatasetBuilder):
    """The examples of another data set and graded candidates; see README.md."""

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "First release."}
    SPECS = SPECS
