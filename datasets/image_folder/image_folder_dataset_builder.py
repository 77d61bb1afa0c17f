"""The user's own images, a folder for each class."""

from __future__ import annotations

from pathlib import Path

import tensorflow_datasets as tfds

from lensnet.data.builder import LensConfig, LensDatasetBuilder
from lensnet.data.sources import FolderSource
from lensnet.datasets.image_folder.options import Options, inspect, split_folders
from lensnet.errors import DataError

__all__ = ["Builder"]


class Builder(LensDatasetBuilder):
    """`[split/]class/*.{npy,fits,png}`; see README.md."""

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "First release."}

    @classmethod
    def make_source(cls, config: LensConfig) -> FolderSource:
        """Returns the user's folder as a source of examples."""
        root, options = cls._root(config), cls._options(config)
        layout = inspect(root, options)
        return FolderSource(root, options, layout.classes, split_folders(root, options.classes))

    @classmethod
    def own_splits(cls, config: LensConfig) -> tuple[str, ...]:
        """Returns the splits that the folders name."""
        folders = split_folders(cls._root(config), cls._options(config).classes)
        return tuple(sorted(set(folders.values())))

    @staticmethod
    def _root(config: LensConfig) -> Path:
        if config is None or config.source_dir is None:
            raise DataError(
                "image_folder reads your own files: say where they are, with data.source_dir or "
                "with Builder.configure(source_dir=...)."
            )
        return Path(config.source_dir)

    @staticmethod
    def _options(config: LensConfig) -> Options:
        return config.options if isinstance(config.options, Options) else Options()
