"""The user's own images, as a table names them."""

from __future__ import annotations

import tensorflow_datasets as tfds

from lensnet.data.records.builder import LensDatasetBuilder
from lensnet.datasets.fits_catalog.options import SPECS

__all__ = ["Builder"]


class Builder(LensDatasetBuilder):
    """Files named in a CSV or FITS table, or cut out of mosaics; see README.md."""

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "First release."}
    SPECS = SPECS
