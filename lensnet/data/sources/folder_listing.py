"""What there is to read: the examples of a folder, found by listing directories alone.

>>> import pathlib, tempfile
>>> root = pathlib.Path(tempfile.mkdtemp())
>>> for name in ("no/1.npy", "no/2.npy", "vort/1.npy"):
...     (root / name).parent.mkdir(exist_ok=True)
...     _ = (root / name).write_bytes(b"")
>>> [example.id for example in list_folder(root, classes=("no", "vort")).examples]
['no/1', 'no/2', 'vort/1']
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lensnet.config.folder_layout import ClassFolder
from lensnet.csv_tables import name_as_text
from lensnet.data.files.band_pattern import BandPattern
from lensnet.data.files.decoding import image_ending
from lensnet.data.sources.folder_remarks import counted, folder_remarks
from lensnet.errors import DataError

__all__ = [
    "Example",
    "Listing",
    "group_bands",
    "images_below",
    "list_folder",
    "list_folders",
    "walk_files",
    "walk_images",
]

# Id, files and problem of an example.
_Found = tuple[str, tuple[str, ...], str | None]


@dataclass(frozen=True, slots=True)
class Example:
    """One thing to learn from, before any of its files is read.

    Args:
        id: its name: for files, their path below the source directory without band and ending,
            in POSIX form. No two examples of a listing share one.
        files: its files relative to the source directory, one a band; () for a simulated image.
        label: the name of its class; None for regression, and where nobody knows.
        target: what a regression predicts; None where it is not known before the image is made.
        split: the split whose folder it lies in; None where the folders name none.
        group: what it shares a split with; by default nothing but itself.
        problem: why it cannot be read, where the listing alone shows that.
        position: right ascension and declination in degrees, for an image that is cut out of a
            larger one.
        metadata: what else is known of it, as (name with unit, value).
    """

    id: str
    files: tuple[str, ...] = ()
    label: str | None = None
    target: float | None = None
    split: str | None = None
    group: str = ""
    problem: str | None = None
    position: tuple[float, float] | None = None
    metadata: tuple[tuple[str, float], ...] = ()

    @property
    def split_key(self) -> str:
        """What decides the split: the group, or the example's own id."""
        return self.group or self.id


@dataclass(frozen=True)
class Listing:
    """The examples of a source, and the image files that are not part of any.

    Args:
        examples: in a stable order.
        left_out: those image files, relative to the source.
        left_out_because: why they are part of none, after "they".
        remarks: what else the user should know of how the source was understood, in sentences.
    """

    examples: tuple[Example, ...]
    left_out: tuple[str, ...] = ()
    left_out_because: str = "are of none of the bands asked for"
    remarks: tuple[str, ...] = ()


def list_folder(
    root: Path,
    classes: Sequence[str],
    split_folders: Mapping[str, str] | None = None,
    bands: BandPattern | None = None,
) -> Listing:
    """Lists `class/image` folders, or `split/class/image` ones, without opening a file.

    Args:
        root: the source directory.
        classes: the class folders to list.
        split_folders: for `split/class/image`, the folder of each split and the split's name.
        bands: for images whose bands have a file each, how these are named.

    Raises:
        DataError: as `list_folders`.
    """
    folders: Mapping[str, str | None] = split_folders or {"": None}
    return list_folders(
        root,
        [
            ClassFolder(f"{folder}/{label}" if folder else label, label, split)
            for folder, split in folders.items()
            for label in classes
        ],
        bands,
    )


def list_folders(
    root: Path, folders: Sequence[ClassFolder], bands: BandPattern | None = None
) -> Listing:
    """Lists folders of images without opening a file.

    Folders below a class's folder count as part of the class. What starts with a dot is hidden.
    A folder named like an image is listed, and will be found to be none when it is read. A folder
    that is not there is one without images: a split may lack a class.

    Args:
        root: the source directory.
        folders: the folders to list.
        bands: for images whose bands have a file each, how these are named.

    Raises:
        DataError: a class has no image at all, or a directory cannot be listed.
    """
    examples: list[Example] = []
    left_out: list[str] = []
    names_in: dict[ClassFolder, list[str]] = {}
    unread: Counter[str] = Counter()
    empty = {folder.label: folder.path for folder in reversed(folders)}
    for folder in folders:
        path, label, split = folder.path, folder.label, folder.split
        if not (root / path).is_dir():
            continue
        names = names_in[folder] = list(images_below(root / path, unread))
        found, others = _list_class(path, names, bands)
        left_out += others
        examples += [
            Example(name_as_text(name), files, label=label, split=split, problem=problem)
            for name, files, problem in found
        ]
        if found:
            empty.pop(label, None)
    for folder in folders:
        if folder.label in empty:
            name = folder.label or folder.path
            raise DataError(_empty_class(root, name, bands, left_out, unread))
    remarks = folder_remarks(root, names_in, unread)
    return Listing(tuple(examples), tuple(left_out), remarks=remarks)


def images_below(folder: Path, unread: Counter[str]) -> Iterator[str]:
    """Yields the image files below a folder, and counts the others.

    Args:
        folder: the folder.
        unread: how many files there are of each ending that is no image's; added to.
    """
    for name in walk_files(folder):
        if image_ending(name):
            yield name
        else:
            unread[os.path.splitext(name)[1].lower()] += 1


def _empty_class(
    root: Path,
    label: str,
    bands: BandPattern | None,
    left_out: Sequence[str],
    unread: Mapping[str, int],
) -> str:
    where = f'The class folder "{label}" in {root}'
    if bands is not None and any(f"{label}/" in name for name in left_out):
        return (
            f"{where} holds no image of the bands {', '.join(bands.bands)} by the pattern "
            f'"{bands.file_pattern}" (a file there: {next(n for n in left_out if label in n)}). '
            "Set data.options.bands and file_pattern to the names of the files."
        )
    others = f" In all folders lie {counted(unread)}." if unread else ""
    return (
        f"{where} holds no image.{others} Put .npy, FITS, .png or .jpg files into it; image_folder "
        "can leave a class out, with data.options.classes."
    )


def _list_class(
    below: str, images: Sequence[str], bands: BandPattern | None
) -> tuple[list[_Found], list[str]]:
    """Returns (id, files, problem) for each image of a class folder, and the files left out."""
    names = [f"{below}/{name}" for name in images]
    if bands is not None:
        return group_bands(names, bands)
    found: list[_Found] = []
    first_of: dict[str, str] = {}
    for name in names:
        stem = name[: -len(image_ending(name) or "")]
        first = first_of.setdefault(stem, name)
        if first == name:
            found.append((stem, (name,), None))
        else:
            # Two files of one name are two forms of one object, which may not count twice.
            found.append((name, (name,), f"named like {first.rsplit('/')[-1]}, but for the ending"))
    return found, []


def group_bands(names: Sequence[str], bands: BandPattern) -> tuple[list[_Found], list[str]]:
    """Puts the files of one object together.

    Args:
        names: paths of image files, in POSIX form.
        bands: how they are named.

    Returns:
        (id, files, problem) for each object, in the order in which each first appears, its files
        in the order of the bands; and the paths that are of none of the bands.
    """
    objects: dict[str, dict[str, str]] = {}
    doubled: dict[str, str] = {}
    others = []
    for name in names:
        directory, slash, file_name = name.rpartition("/")
        parsed = bands.parse(file_name[: -len(image_ending(file_name) or "")])
        if parsed is None:
            others.append(name)
            continue
        key = parsed[0] if bands.apart else directory + slash + parsed[0]
        of_band = objects.setdefault(key, {})
        if parsed[1] in of_band:
            doubled[key] = parsed[1]
        of_band.setdefault(parsed[1], name)
    found = []
    for key, of_band in objects.items():
        missing = [band for band in bands.bands if band not in of_band]
        problem = None
        if missing:
            problem = (
                f"band {missing[0]} is missing"
                if len(missing) == 1
                else f"bands {', '.join(missing)} are missing"
            )
        elif key in doubled:
            problem = f"band {doubled[key]} has more than one file"
        found.append((key, tuple(of_band[b] for b in bands.bands if b in of_band), problem))
    return found, others


def walk_images(directory: Path, *, through_links: bool = True) -> Iterator[str]:
    """Yields the image files below a directory; see `walk_files`."""
    files = walk_files(directory, through_links=through_links)
    return (name for name in files if image_ending(name))


def walk_files(directory: Path, *, through_links: bool = True) -> Iterator[str]:
    """Yields the files below a directory, by name, relative to it in POSIX form.

    Directories are listed as they are come to, so that a tree of millions of files is never held
    at once. Files, and folders that are named like images, stand before the directories beside
    them. A linked directory is gone through like any other, but none twice: where a link leads
    back into the tree, or to above it, what it leads to has its place already.

    Args:
        directory: the directory.
        through_links: whether to go through linked directories.

    Raises:
        DataError: the directory cannot be listed.
    """
    real = os.path.realpath(directory)
    return _walk(os.fspath(directory), real, real, {real} if through_links else None)


def _walk(directory: str, real: str, top: str, taken: set[str] | None) -> Iterator[str]:
    """Yields the files below a directory.

    Args:
        directory: its path.
        real: the same without links.
        top: where it all began, without links.
        taken: the trees that are gone through, by their real paths; linked ones are added. None
            where no linked one is gone through.
    """
    try:
        with os.scandir(directory) as entries:
            listed = sorted(
                (entry.name, _is_directory(entry), entry.is_symlink()) for entry in entries
            )
    except OSError as error:
        path = name_as_text(directory)
        raise DataError(f"{path} cannot be listed: {error.strerror or error}.") from None
    listed = [entry for entry in listed if not entry[0].startswith(".")]
    for name, is_dir, _ in listed:
        if image_ending(name) or not is_dir:
            yield name
    for name, is_dir, is_link in listed:
        if not is_dir or image_ending(name):
            continue
        path = os.path.join(directory, name)
        real_path = os.path.realpath(path) if is_link else os.path.join(real, name)
        if is_link:
            if taken is None or _lies_in(top, real_path):
                continue
            if any(_lies_in(real_path, tree) for tree in taken):
                continue
            taken.add(real_path)
        elif taken is not None and real_path in taken:
            continue
        for below in _walk(path, real_path, top, taken):
            yield f"{name}/{below}"


def _lies_in(path: str, tree: str) -> bool:
    return path == tree or path.startswith(tree.rstrip(os.sep) + os.sep)


def _is_directory(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        # A link that leads in a circle, or to where one may not look: reading it will say so.
        return False
