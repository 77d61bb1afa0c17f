"""The user's own images, a folder for each class."""

from __future__ import annotations

import tensorflow_datasets as tfds

from lensnet.data.records.builder import LensDatasetBuilder
from lensnet.datasets.image_folder.options import SPECS

__all__ = ["Builder"]


class Builder(LensDatasetBuilder):
    """`[split/]class/*.{npy,npz,fits,png,jpg}`; see README.md."""

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "First release."}
    SPECS = SPECS
