"""What the folders of a data set are called, and what the images in each are."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path

from lensnet.errors import DataError

__all__ = ["ClassFolder", "FolderLayout", "TargetNumber", "split_of_folder"]

# What people call a split, and the name it has in lensnet.
_SPLITS = {
    "train": "train",
    "training": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "validate": "validation",
    "dev": "validation",
    "development": "validation",
    "eval": "validation",
    "evaluation": "validation",
    "test": "test",
    "testing": "test",
    "holdout": "test",
}
_KINDS = "images?|imgs?|pictures|cutouts|datasets?|data|sets?|splits?|samples?|files|folder"
_WITH_WORDS = re.compile(f"^({_KINDS})|({_KINDS})$")


def split_of_folder(name: str) -> str | None:
    """Returns the split that a folder's name says, with or without words such as "set" and "data".

    >>> [split_of_folder(name) for name in ("train_set", "TestData", "dev", "set-val", "lens")]
    ['train', 'test', 'validation', 'validation', None]
    """
    word, shorter = "", re.sub(r"[\W_]+", "", name.lower())
    while shorter != word:
        word = shorter
        if word in _SPLITS:
            return _SPLITS[word]
        shorter = _WITH_WORDS.sub("", word, count=1)
    return None


@dataclass(frozen=True)
class ClassFolder:
    """One folder of images.

    Args:
        path: below the source directory, in POSIX form.
        label: the class of its images; None for a regression.
        split: the split they belong to; None where the folder does not say.
    """

    path: str
    label: str | None = None
    split: str | None = None


@dataclass(frozen=True)
class TargetNumber:
    """The number beside an image in its file, as the target of a regression.

    Args:
        name: what it is, with its unit, such as `axion_mass_ev`.
        log10: whether the target is its decadic logarithm. A number that has none makes a bad file.
    """

    name: str
    log10: bool = False


@dataclass(frozen=True)
class FolderLayout:
    """Folders whose names and meaning a publication has fixed.

    Args:
        folders: all of them; each must be there.
        numbers: the names, with units, of the numbers that stand beside an image in its file. They
            become metadata.
        target: the one of them to predict; None for a classification.

    >>> layout = FolderLayout((ClassFolder("no_sub", "no_sub"), ClassFolder("cdm", "cdm")))
    >>> layout.classes
    ('no_sub', 'cdm')
    """

    folders: tuple[ClassFolder, ...]
    numbers: tuple[str, ...] = ()
    target: TargetNumber | None = None

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes in label order; () for a regression."""
        return tuple(dict.fromkeys(folder.label for folder in self.folders if folder.label))

    @property
    def splits(self) -> tuple[str, ...]:
        """The splits that the folders name."""
        return tuple(dict.fromkeys(folder.split for folder in self.folders if folder.split))

    def found_in(self, source_dir: Path) -> tuple[Path, FolderLayout]:
        """Returns the directory that holds the folders, and the folders that it holds.

        Where the publication names no splits, but comes as one archive to train on and one to test
        on, the user may unpack them as `train` and `test`, each with all the folders. Where there
        is one folder alone, the user may name that one, too; the ids of the examples, and with
        them the splits, are the same either way.

        Raises:
            DataError: a folder is missing.
        """
        if not source_dir.is_dir():
            what = "is a file, not a directory" if source_dir.exists() else "does not exist"
            raise DataError(f"The data directory {source_dir} {what}. {self._wanted}")
        missing = self._missing(source_dir)
        if not missing:
            return source_dir, self
        only = self.folders[0].path if len(self.folders) == 1 else None
        if source_dir.resolve().name == only:
            return source_dir.resolve().parent, self
        layout = self.unpacked_apart
        if not self.splits and all((source_dir / name).is_dir() for name in ("train", "test")):
            missing = layout._missing(source_dir)
            if not missing:
                return source_dir, layout
        raise DataError(f"{source_dir} lacks {', '.join(missing)}. {self._wanted}")

    @property
    def unpacked_apart(self) -> FolderLayout:
        """The same folders, once below `train` and once below `test`."""
        return replace(
            self,
            folders=tuple(
                ClassFolder(f"{split}/{folder.path}", folder.label, split)
                for split in ("train", "test")
                for folder in self.folders
            ),
        )

    def _missing(self, directory: Path) -> list[str]:
        return [f.path for f in self.folders if not (directory / f.path).is_dir()]

    @property
    def _wanted(self) -> str:
        names = ", ".join(folder.path for folder in self.folders)
        plural = "s" if len(self.folders) > 1 else ""
        return f"data.source_dir is the directory that holds the folder{plural} {names}."
