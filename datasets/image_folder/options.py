"""What `data.options` may hold for a folder of images, and what such a folder offers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pydantic import Field, model_validator

from lensnet.config.dataset import DatasetOptions, DatasetSpec, FileOptions, HduOrList, SourceLayout
from lensnet.config.folder_layout import split_of_folder
from lensnet.csv_tables import name_as_text
from lensnet.errors import DataError, did_you_mean

__all__ = ["SPECS", "Options", "inspect", "split_folders"]


class Options(FileOptions):
    """Options of `image_folder`."""

    classes: list[str] | None = Field(
        None,
        description="Class folders in label order; for a binary task the second is the positive "
        "class. Default: every class folder, by name.",
    )
    bands: list[str] | None = Field(
        None,
        min_length=1,
        description="Bands to stack as channels where each band has a file of its own, in this "
        "order.",
    )
    file_pattern: str = Field(
        "{id}_{band}",
        description="With bands: how a file's name, without its ending, is made.",
    )
    hdu: HduOrList | None = Field(
        None,
        description="Number or name of the FITS extension that holds the image; a list where each "
        "band is an extension of one file, or, with bands, one for each of them. Default: the "
        "first that holds one.",
    )

    @model_validator(mode="after")
    def _pattern_names_band_and_id(self) -> Options:
        if self.bands is not None and not (
            self.file_pattern.count("{id}") == 1 and self.file_pattern.count("{band}") == 1
        ):
            raise ValueError(
                f'file_pattern must hold {{id}} and {{band}} once each; got "{self.file_pattern}"'
            )
        return self

    @model_validator(mode="after")
    def _an_extension_for_each_band(self) -> Options:
        if self.bands and isinstance(self.hdu, list) and len(self.hdu) != len(self.bands):
            raise ValueError(
                f"hdu lists {len(self.hdu)} extensions, and there are {len(self.bands)} bands"
            )
        return self


def inspect(source_dir: Path, options: DatasetOptions) -> SourceLayout:
    """Finds the classes and splits of `[split/]class/image` folders by listing directories.

    Where there are folders of splits, all three splits are on offer: one that has no folder is
    cut from the training folder (`lensnet.data.sources.splits.SplitPlan`).

    Raises:
        DataError: there is no such directory, it holds no class folders, one of `options.classes`
            is not among them, or folders of splits and of classes stand side by side.
    """
    if not source_dir.is_dir():
        what = "is a file, not a directory" if source_dir.exists() else "does not exist"
        raise DataError(
            f"The data directory {source_dir} {what}. data.source_dir is the directory that "
            "holds a folder of images for each class."
        )
    chosen = options.classes if isinstance(options, Options) else None
    splits = split_folders(source_dir, chosen)
    if splits:
        names = {name for split in splits for name in _folders(source_dir / split)}
    else:
        names = set(_folders(source_dir))
    classes = sorted(map(name_as_text, names))
    if not classes:
        raise DataError(
            f"The data directory {source_dir} holds no class folders. Put the images of each "
            "class in a folder named after it: class/image.npy, or split/class/image.npy."
        )
    for name in chosen or ():
        if name not in classes:
            raise DataError(
                f'{source_dir} holds no class folder "{name}".{did_you_mean(name, classes)} '
                f"It holds: {', '.join(classes)}."
            )
    return SourceLayout(
        classes=tuple(chosen or classes),
        splits=("train", "validation", "test") if splits else (),
    )


def split_folders(source_dir: Path, classes: Sequence[str] | None = None) -> dict[str, str]:
    """Returns the folders of splits and the name of each split; {} where there are none.

    Args:
        source_dir: the user's directory.
        classes: `options.classes`: a folder that it names is one of a class.

    Raises:
        DataError: some folders are of splits and some are not, or none is the training split's.
    """
    folders = _folders(source_dir)
    found = {name: split for name in folders if (split := split_of_folder(name))}
    if not found or (classes and set(classes) <= set(map(name_as_text, folders))):
        return {}
    others = [name_as_text(name) for name in folders if name not in found]
    if others:
        raise DataError(
            f"{source_dir} holds folders of splits ({', '.join(found)}) beside others "
            f"({', '.join(others)}). Move the others away; or, if all are classes, name them in "
            "data.options.classes."
        )
    if "train" not in found.values():
        raise DataError(
            f'{source_dir} holds no folder "train" beside {", ".join(found)}. Name the folder of '
            "the training images so."
        )
    return found


def _folders(directory: Path) -> list[str]:
    return sorted(
        entry.name for entry in directory.iterdir() if entry.is_dir() and entry.name[0] != "."
    )


SPECS = (
    DatasetSpec(
        name="image_folder",
        summary="Your own .npy, .npz, .fits, .png or .jpg images, a folder for each class.",
        source="lensnet.datasets.image_folder.folders:folder_source",
        options=Options,
        offers=("classes",),
        inspect=inspect,
    ),
)
