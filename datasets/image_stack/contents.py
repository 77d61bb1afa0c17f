"""What a stack of images consists of: where the images lie, and what is known of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lensnet.data.files.catalogues import TEXT_ENDINGS, label_name, number_of, open_catalogue
from lensnet.data.files.image_stacks import (
    ENDINGS,
    HDF5_ENDINGS,
    StoredArray,
    arrays_in,
    find_array,
)
from lensnet.data.tables.image_columns import ImageColumn
from lensnet.data.tables.parquet_table import ENDINGS as PARQUET
from lensnet.datasets.image_stack.stack_options import Options
from lensnet.datasets.image_stack.table_columns import (
    IMAGES,
    LABELS,
    KnownOfColumn,
    find_column,
    is_parquet,
)
from lensnet.errors import DataError

__all__ = ["Contents", "contents_of", "find_images"]

# What may stand behind the name that an option gives a file of one array.
_FILES = ("", ".npy")


@dataclass(frozen=True)
class Contents:
    """A stack of N images, and what is known of each.

    Args:
        images: the array, or the column, of the images.
        classes: the classes in label order; () for a regression.
        labels: (N,) texts; "" where one is missing; None for a regression.
        targets: (N,) texts, likewise; None for a classification.
        ids: (N,) texts, likewise; None where images are known by their numbers.
        groups: (N,) texts, likewise; None where no images belong together.
        problems: what is wrong with the rows of the table, by the image's number.
        files: all files that say any of it.
    """

    images: StoredArray | ImageColumn
    classes: tuple[str, ...]
    labels: Sequence[str] | None
    targets: Sequence[str] | None
    ids: Sequence[str] | None
    groups: Sequence[str] | None
    problems: dict[int, str]
    files: tuple[Path, ...]

    def class_of(self, label: str) -> str | None:
        """Returns the class that a label says, by its name or by its number; None for neither."""
        names = {label_name(name): name for name in self.classes}
        if label_name(label) in names:
            return names[label_name(label)]
        number = label_name(label)
        if number.isdecimal() and not any(name.isdecimal() for name in names):
            return self.classes[int(number)] if int(number) < len(self.classes) else None
        return None


def contents_of(source_dir: Path, options: Options, *, labelled: bool = True) -> Contents:
    """Finds out what a stack consists of.

    Args:
        source_dir: the file of the images, or the directory that holds it.
        options: what is called how.
        labelled: whether it must be said what is to be learned.

    Raises:
        DataError: it lacks something, or its parts are of different lengths.
    """
    images = find_images(source_dir, options)
    root = images.path.parent if source_dir.is_file() else source_dir
    known: _Known | KnownOfColumn
    if isinstance(images, ImageColumn):
        known = KnownOfColumn(images)
    else:
        known = _Known(root, images, options)
    labels = known.cells("labels", options.labels)
    targets = known.cells("targets", options.targets)
    if labelled and labels is None and targets is None:
        labels = known.usual_labels()
        if labels is not None and options.classes is None and not _are_labels(labels):
            labels, targets = None, labels
    if labelled and labels is None and targets is None:
        raise DataError(
            f"What is to be learned from {images.path}? Set data.options.labels or targets to one "
            f"of: {', '.join(known.choices) or 'none is there'}. data.options.table names a table "
            "that says it."
        )
    return Contents(
        images=images,
        classes=() if labels is None else tuple(options.classes or _classes(labels)),
        labels=labels,
        targets=targets,
        ids=known.cells("ids", options.ids),
        groups=known.cells("groups", options.groups),
        problems=known.problems,
        files=tuple(dict.fromkeys(known.files)),
    )


def find_images(source_dir: Path, options: Options) -> StoredArray | ImageColumn:
    """Returns the array, or the column, of the images.

    Raises:
        DataError: there is none, or it is not clear which it is.
    """
    if not source_dir.exists():
        raise DataError(
            f"The data directory {source_dir} does not exist. data.source_dir is the file of the "
            "stack, or the directory that holds it."
        )
    if source_dir.is_file():
        _refuse_npz(source_dir)
        if is_parquet(source_dir):
            return find_column(source_dir, options)
        _refuse_shape(source_dir, options)
        if not source_dir.name.lower().endswith(ENDINGS):
            raise DataError(f"{source_dir} is not one of {', '.join((*ENDINGS, *PARQUET))}.")
        return _array_of(source_dir, options)
    if options.images is not None and (source_dir / options.images).is_file():
        _refuse_shape(source_dir, options)
        return _array_of(source_dir / options.images, options)
    files = sorted(p for p in source_dir.iterdir() if p.name.lower().endswith(ENDINGS))
    if not files and is_parquet(source_dir):
        return find_column(source_dir, options)
    _refuse_shape(source_dir, options)
    stacks = [path for path in files if path.name.lower().endswith(HDF5_ENDINGS)]
    if not stacks:
        arrays = [array for path in files for array in arrays_in(path)]
        many = [array.path for array in arrays if len(array.shape) >= 3]
        stacks = _usual(many, [path.stem for path in many], IMAGES)
    if not files:
        for path in sorted(source_dir.iterdir()):
            _refuse_npz(path)
    if len(stacks) != 1:
        listed = f": {', '.join(path.name for path in files)}" if files else ""
        raise DataError(
            f"{source_dir} holds {len(stacks)} stacks of images{listed}. Name one by "
            "data.options.images, or let data.source_dir be the file."
        )
    return _array_of(stacks[0], options)


def _refuse_shape(source_dir: Path, options: Options) -> None:
    """Says that arrays have a shape of their own."""
    if options.shape is not None:
        raise DataError(
            f"{source_dir}: arrays have a shape of their own, and data.options.shape is for lists "
            "of numbers in a Parquet file. Leave it out."
        )


def _refuse_npz(path: Path) -> None:
    """Says what to do with an .npz file, none of whose arrays can be read in parts."""
    if path.name.lower().endswith(".npz"):
        raise DataError(
            f"{path} packs each array as a whole: unpack them once, in Python by "
            "`for name, array in np.load(FILE).items(): np.save(name, array)`."
        )


def _array_of(path: Path, options: Options) -> StoredArray:
    """Returns the images of a file."""
    arrays = arrays_in(path)
    if path.name.lower().endswith(HDF5_ENDINGS) and options.images not in (None, path.name):
        chosen = find_array(arrays, str(options.images), "data.options.images")
    else:
        many = [array for array in arrays if len(array.shape) >= 3]
        found = _usual(many, [array.name.rpartition("/")[2] for array in many], IMAGES)
        if len(found) != 1:
            raise DataError(
                f"{path} holds {len(found)} arrays that could be the images, out of: "
                f"{', '.join(array.words for array in arrays) or 'none'}. data.options.images "
                "says which one to take."
            )
        chosen = found[0]
    if len(chosen.shape) not in (3, 4) or chosen.dtype.kind not in "buif":
        raise DataError(
            f"{path}: {chosen.words} of {chosen.dtype} is not a stack of images: three axes, or "
            "four with the channels, of numbers."
        )
    return chosen


def _usual(items: list, names: Sequence[str], usual: Sequence[str]) -> list:  # type: ignore[type-arg]
    """Returns the one item that is called as usual; all of them if none or more than one is."""
    for wanted in usual:
        found = [item for item, name in zip(items, names, strict=True) if name.lower() == wanted]
        if len(found) == 1:
            return found
    return items


class _Known:
    """What is known of each image, from wherever it is said.

    Args:
        root: where files and the table lie.
        images: the images.
        options: what is called how.
    """

    def __init__(self, root: Path, images: StoredArray, options: Options):
        self.root = root
        self.images = images
        self.files = [images.path]
        self.problems: dict[int, str] = {}
        self._rows = None
        named = (options.labels, options.targets, options.ids, options.groups)
        names = [name for name in named if name is not None]
        table = options.table or self._only_table(names)
        if table is not None:
            path = root / table
            self._table = open_catalogue(path, names)
            self._rows = list(self._table.rows())
            self._check(path.name, len(self._rows))
            self.files.append(path)
            self.problems = {
                place: f"{row.place}: {row.problem}"
                for place, row in enumerate(self._rows)
                if row.problem
            }

    def _only_table(self, names: Sequence[str]) -> str | None:
        """Returns the only table beside an .npy file where what is asked for is in no file."""
        in_files = any((self.root / f"{name}{end}").is_file() for name in names for end in _FILES)
        if not names or in_files or self.images.name:
            return None
        tables = [path.name for path in self.root.iterdir() if path.suffix.lower() in TEXT_ENDINGS]
        return tables[0] if len(tables) == 1 else None

    @property
    def choices(self) -> list[str]:
        """What could say something of each image, by name."""
        if self._rows is not None:
            return [name for name in self._table.columns if name]
        count = self.images.shape[0]
        fitting = [array for array in self._arrays() if array.shape[0] == count]
        return [array.name or array.path.name for array in fitting]

    def cells(self, option: str, name: str | None) -> list[str] | None:
        """Returns what an option names as a text for each image; None for no name.

        Raises:
            DataError: there is nothing of that name, or not a value for each image.
        """
        if name is None:
            return None
        option = f"data.options.{option}"
        if self._rows is not None:
            self._table.need(name, option)
            return [row.cell(name) for row in self._rows]
        paths = [self.root / f"{name}{ending}" for ending in _FILES]
        path = next((path for path in paths if path.is_file()), None)
        if path is None:
            if self.images.name:
                return self._read(find_array(arrays_in(self.images.path), name, option))
            raise DataError(f"{self.root} holds no file {name}, which {option} names.")
        if not path.name.lower().endswith(ENDINGS):
            raise DataError(
                f"{path}, which {option} names, is not one of {', '.join(ENDINGS)}. A table is "
                f"named by data.options.table, and its column by {option}."
            )
        arrays = arrays_in(path)
        if len(arrays) != 1:
            raise DataError(f"{path}, which {option} names, holds {len(arrays)} arrays, not one.")
        return self._read(arrays[0])

    def usual_labels(self) -> list[str] | None:
        """Returns what is called as labels usually are; None if nothing is."""
        if self._rows is not None:
            return None
        found = self._arrays()
        names = [array.name.rpartition("/")[2] or array.path.stem for array in found]
        usual = [name for name in LABELS if name in map(str.lower, names)]
        return self._read(_usual(found, names, usual[:1])[0]) if usual else None

    def _arrays(self) -> list[StoredArray]:
        """Returns the arrays beside the images that may have a value for each."""
        if self.images.name:
            found = arrays_in(self.images.path)
        else:
            paths = sorted(p for p in self.root.iterdir() if p.name.lower().endswith(".npy"))
            found = [array for path in paths for array in arrays_in(path)]
        return [a for a in found if a != self.images and 0 < len(a.shape) < 3]

    def _read(self, array: StoredArray) -> list[str]:
        cells = array.cells()
        self._check(array.name or array.path.name, len(cells))
        self.files.append(array.path)
        return cells

    def _check(self, name: str, count: int) -> None:
        if count != self.images.shape[0]:
            raise DataError(
                f"{name} says something of {count} images, and {self.images.path} holds "
                f"{self.images.shape[0]}: {self.images.words}."
            )


def _are_labels(cells: Sequence[str]) -> bool:
    """Returns whether texts are words or whole numbers, and so more likely labels than targets."""
    for cell in cells:
        try:
            if not number_of(cell).is_integer():
                return False
        except ValueError:
            continue
    return True


def _classes(labels: Sequence[str]) -> list[str]:
    """Returns the classes that there are: numbers by size, words by the alphabet."""
    names = {label_name(label) for label in labels} - {""}
    try:
        return sorted(names, key=number_of)
    except ValueError:
        return sorted(names)
