"""The user's folders as a source of examples."""

from __future__ import annotations

from pathlib import Path

from lensnet.config.folder_layout import ClassFolder
from lensnet.csv_tables import name_from_text
from lensnet.data.sources.folder_source import FolderSource
from lensnet.datasets.image_folder.options import Options, inspect, split_folders

__all__ = ["folder_source"]


def folder_source(source_dir: Path, options: Options) -> FolderSource:
    """Returns the source of the images in a user's folders.

    Raises:
        DataError: as `inspect`.
    """
    classes = inspect(source_dir, options).classes
    splits: dict[str, str | None] = dict(split_folders(source_dir, options.classes))
    folders = [
        ClassFolder(f"{folder}/{name}" if folder else name, label, split)
        for folder, split in (splits or {"": None}).items()
        for label in classes
        for name in [name_from_text(label)]
    ]
    return FolderSource(source_dir, options, folders, classes=classes)
