"""What a user should know of folders of images, though none of it is a fault."""

from __future__ import annotations

import contextlib
import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from lensnet.config.folder_layout import ClassFolder, split_of_folder
from lensnet.csv_tables import name_as_text
from lensnet.data.files.decoding import image_kind

__all__ = ["counted", "folder_remarks", "unread_kinds"]


def folder_remarks(
    root: Path, names_in: Mapping[ClassFolder, Sequence[str]], unread: Mapping[str, int]
) -> tuple[str, ...]:
    """Returns what is odd about folders of images, in sentences.

    Args:
        root: the source directory.
        names_in: the images below each folder.
        unread: how many files there are of each ending that is no image's.
    """
    remarks = (
        _loose(root, names_in),
        _kinds(root, names_in),
        unread_kinds(root, unread),
        _nested(root, names_in),
    )
    return tuple(filter(None, remarks))


def _loose(root: Path, folders: Iterable[ClassFolder]) -> str | None:
    """Says how many images are of no class because they lie beside the class folders."""
    parents = {folder.path.rpartition("/")[0] for folder in folders if folder.label is not None}
    loose: list[str] = []
    for parent in sorted(parents):
        # Whoever may read the class folders may not list what is beside them.
        with contextlib.suppress(OSError), os.scandir(root / parent) as entries:
            for entry in entries:
                if image_kind(entry.name) and entry.is_file():
                    loose.append(f"{parent}/{entry.name}" if parent else entry.name)
    if not loose:
        return None
    first = name_as_text(min(loose))
    return f"{len(loose)} image files lie in no class folder of {root}, such as {first}: left out."


def counted(kinds: Mapping[str, int]) -> str:
    """Returns counts in words, the largest first."""
    ordered = sorted(kinds.items(), key=lambda pair: (-pair[1], pair[0]))
    return ", ".join(f"{count} {kind or 'without an ending'}" for kind, count in ordered)


def _kinds(root: Path, names_in: Mapping[ClassFolder, Sequence[str]]) -> str | None:
    """Says where images are of more than one kind: by that a network may tell classes apart."""
    kinds = {
        folder: Counter(image_kind(name) or "" for name in names)
        for folder, names in names_in.items()
    }
    together = sum(kinds.values(), Counter())
    if len(together) < 2:
        return None
    words = f"The images in {root} are of more than one kind: {counted(together)}."
    of_label: dict[str, set[str]] = {}
    for folder, of_folder in kinds.items():
        of_label.setdefault(folder.label or "", set()).update(of_folder)
    if len({frozenset(of_class) for of_class in of_label.values()}) > 1:
        words += " Not every class has each, so that a network may tell the kinds apart instead."
    return words


def unread_kinds(root: Path, unread: Mapping[str, int]) -> str | None:
    """Says how many files of other kinds there are.

    Args:
        root: where they are.
        unread: how many there are of each ending.
    """
    if not unread:
        return None
    return (
        f"Files in {root} that are not read, because of their endings: {counted(unread)}. Images "
        "are .npy, .npz, FITS, .png and .jpg files."
    )


def _nested(root: Path, names_in: Mapping[ClassFolder, Sequence[str]]) -> str | None:
    """Says where all class folders hold the same folders, as folders of splits do."""
    below = [
        {name.partition("/")[0] for name in names if "/" in name} for names in names_in.values()
    ]
    if len(below) < 2 or not below[0] or any(folders != below[0] for folders in below):
        return None
    outer = ", ".join(name_as_text(folder.path) for folder in names_in)
    inner = ", ".join(name_as_text(name) for name in sorted(below[0]))
    words = f"All class folders in {root} ({outer}) hold the same folders ({inner})"
    if all(map(split_of_folder, below[0])):
        return f"{words}, which no split follows: folders of splits hold those of the classes."
    return (
        f"{words}, which are taken as parts of the classes. If they are the classes, and the "
        "folders around them splits, name those train, validation and test."
    )
