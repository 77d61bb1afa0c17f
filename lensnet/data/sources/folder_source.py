"""The user's folders of images as a source of examples."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from lensnet.config.dataset import FileOptions
from lensnet.config.folder_layout import ClassFolder, TargetNumber
from lensnet.data.files.decoding import DecodedImage
from lensnet.data.sources.file_source import FileSource
from lensnet.data.sources.folder_listing import Example, Listing, list_folders

__all__ = ["FolderSource"]


class FolderSource(FileSource):
    """The user's files in folders that say class and split.

    Args:
        root: the source directory.
        options: the data set's options.
        folders: the folders.
        classes: the classes in label order; by default in the order of the folders.
        numbers: the names of the numbers that stand beside an image in its file.
        target: for a regression, the one of them to predict.
    """

    def __init__(
        self,
        root: Path,
        options: FileOptions,
        folders: Sequence[ClassFolder],
        *,
        classes: Sequence[str] | None = None,
        numbers: Sequence[str] = (),
        target: TargetNumber | None = None,
    ):
        labels = dict.fromkeys(folder.label for folder in folders if folder.label)
        super().__init__(
            root,
            options,
            classes=tuple(labels) if classes is None else classes,
            splits=tuple(dict.fromkeys(folder.split for folder in folders if folder.split)),
            numbers=numbers,
        )
        self.folders = tuple(folders)
        self.target_number = target

    def list(self) -> Listing:
        """Lists the examples; see `Source`."""
        return list_folders(self.root, self.folders, self.reader.bands)

    def target(self, example: Example, decoded: DecodedImage) -> float | None:
        """Returns the number beside the image, or its logarithm; None for a classification.

        Raises:
            ValueError: there is no such number, or it has no logarithm.
        """
        wanted = self.target_number
        if wanted is None:
            return None
        if len(decoded.extras) != len(self.numbers):
            raise ValueError(
                f"{len(decoded.extras)} numbers stand beside the image, and not "
                f"{len(self.numbers)} ({', '.join(self.numbers)})"
            )
        number = decoded.extras[self.numbers.index(wanted.name)]
        if not math.isfinite(number):
            raise ValueError(f"its {wanted.name} is {number}, which is not a target")
        if not wanted.log10:
            return number
        if number <= 0:
            raise ValueError(f"its {wanted.name} is {number:g}, which has no logarithm")
        return math.log10(number)
