"""Where examples come from: the user's files, a simulator, or whatever a data set brings.

A source lists its examples without reading any, and then loads those it is asked for, in order.
The TFDS builders differ in their source alone. A source is a plain value that can be pickled: it
travels to the workers that prepare a part each.
"""

from __future__ import annotations

import abc
import math
import os
from collections import Counter
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np

from lensnet.config.dataset import FileOptions
from lensnet.config.folder_layout import ClassFolder, TargetNumber
from lensnet.data.files.bad_file import BadFileError
from lensnet.data.files.decoding import Examined
from lensnet.data.files.file_reader import FileReader
from lensnet.data.sources.folder_listing import Example, Listing, list_folders
from lensnet.data.sources.reading_ahead import read_ahead
from lensnet.data.sources.splits import SplitPlan
from lensnet.errors import DataError

__all__ = ["FILLED", "FileReader", "FileSource", "FolderSource", "Loaded", "Shape", "Source"]

Shape = tuple[int, int, int]

FILLED = "filled_pixels"
"""Name in an example's metadata of how many pixels were gaps and have been filled."""

# Images read to find out the shape of the others.
_SHAPE_SAMPLE = 200


@dataclass(frozen=True, slots=True)
class Loaded:
    """An example with its pixels, or with the reason why it has none.

    Args:
        example: as it was listed.
        image: (H, W, C) float32; None for a bad file.
        error: what is wrong with it; None for a good one.
        target: what a regression predicts; None for classification.
        metadata: what else is known of the image, such as the mass beside it in its file.
    """

    example: Example
    image: np.ndarray | None = None
    error: BadFileError | None = None
    target: float | None = None
    metadata: Mapping[str, float] = field(default_factory=dict)


class Source(Protocol):
    """Where the examples of a data set come from."""

    @property
    def classes(self) -> tuple[str, ...]:
        """The class names in label order; () for regression."""
        ...

    @property
    def splits(self) -> tuple[str, ...]:
        """The splits that the source itself names; () if it names none."""
        ...

    @property
    def max_bad(self) -> float:
        """Share of the examples that may be bad."""
        ...

    def list(self) -> Listing:
        """Lists the examples without reading any.

        Raises:
            DataError: there are none, or they cannot be listed.
        """
        ...

    def split_of(self, example: Example, plan: SplitPlan) -> str:
        """Returns the split that an example is prepared in."""
        ...

    def image_shape(self, training: Sequence[Example]) -> Shape:
        """Returns the shape (H, W, C) that the images have, or most of them.

        Args:
            training: the training examples.

        Raises:
            DataError: no image can be read.
        """
        ...

    def load(self, examples: Sequence[Example]) -> Generator[Loaded, None, None]:
        """Loads examples, in order, several at a time."""
        ...

    def stamp(self, listing: Listing) -> Iterator[str]:
        """Yields what the images depend on besides the options, for the fingerprint."""
        ...


class FileSource(abc.ABC):
    """Base of the sources that read the user's files.

    Args:
        root: the directory below which they lie.
        options: the data set's options.
        classes: the classes in label order; () for a regression.
        splits: the splits that the files themselves name.
        numbers: the names, with units, of the numbers that stand beside an image in its file.
    """

    def __init__(
        self,
        root: Path,
        options: FileOptions,
        *,
        classes: Sequence[str] = (),
        splits: Sequence[str] = (),
        numbers: Sequence[str] = (),
    ):
        self.root = root
        self.classes = tuple(classes)
        self.splits = tuple(splits)
        self.max_bad = options.max_bad
        self.reader = FileReader.from_options(options)
        self.numbers = tuple(numbers)

    @abc.abstractmethod
    def list(self) -> Listing:
        """Lists the examples; see `Source`."""

    def read(self, example: Example) -> Examined:
        """Returns an example's image and what its files say of it.

        Raises:
            BadFileError: it cannot be read.
        """
        # As strings: making a path takes longer than opening it.
        return self.reader.read([os.path.join(self.root, file) for file in example.files])

    def target(self, example: Example, found: Examined) -> float | None:
        """Returns what a regression predicts of an example; by default what its listing says.

        Raises:
            ValueError: there is none; the message is a reason for the quarantine.
        """
        return example.target

    def split_of(self, example: Example, plan: SplitPlan) -> str:
        """Returns the split of an example; see `Source`."""
        return plan.assign(example)

    def image_shape(self, training: Sequence[Example]) -> Shape:
        """Returns the shape of most of the training images, judged by 200 of them.

        Raises:
            DataError: not one of them can be read.
        """
        readable = [example for example in training if example.problem is None]
        step = max(1, len(readable) // _SHAPE_SAMPLE)
        counts: Counter[Shape] = Counter()
        errors = []
        for loaded in self.load(readable[::step]):
            if loaded.image is not None:
                counts[loaded.image.shape] += 1  # type: ignore[index]
            else:
                errors.append(loaded.error)
        if not counts:
            problems = [example for example in training if example.problem is not None]
            if not errors and problems:
                errors = [BadFileError(_file_of(problems[0]), problems[0].problem or "")]
            first = f" The first: {errors[0]}" if errors else ""
            raise DataError(f"Of the training images in {self.root} none can be read.{first}")
        # Among shapes equally frequent the same one wins in every run.
        return max(sorted(counts), key=counts.__getitem__)

    def load(self, examples: Sequence[Example]) -> Generator[Loaded, None, None]:
        """Loads examples by threads; see `Source`."""
        return read_ahead(self._load, examples)

    def stamp(self, listing: Listing) -> Iterator[str]:
        """Yields the directory, and the name, size and time of each file."""
        yield str(self.root.resolve())
        for example in listing.examples:
            for name in example.files:
                yield self.stamp_of(name)

    def stamp_of(self, name: str) -> str:
        """Returns the name, size and time of a file below the root."""
        try:
            status = os.stat(self.root / name)
        except (OSError, ValueError):
            return f"{name}\0unreadable"
        return f"{name}\0{status.st_size}\0{status.st_mtime_ns}"

    def bad(self, example: Example, error: BadFileError) -> Loaded:
        """Returns an example that cannot be read, its file named from the root."""
        relative = os.path.relpath(error.path, self.root)
        return Loaded(example, error=BadFileError(Path(relative).as_posix(), error.reason))

    def good(self, example: Example, found: Examined) -> Loaded:
        """Returns an example that has been read, with all that is known of it."""
        try:
            target = self.target(example, found)
        except ValueError as error:
            return Loaded(example, error=BadFileError(_file_of(example), str(error)))
        known = dict(example.metadata)
        for place, number in enumerate(found.extras):
            named = self.numbers[place : place + 1]
            known[named[0] if named else f"value_{place}"] = number
        if found.filled:
            known[FILLED] = found.filled
        return Loaded(example, image=found.image, target=target, metadata=known)

    def _load(self, example: Example) -> Loaded:
        if example.problem is not None:
            return Loaded(example, error=BadFileError(_file_of(example), example.problem))
        try:
            found = self.read(example)
        except BadFileError as error:
            return self.bad(example, error)
        return self.good(example, found)


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

    def target(self, example: Example, found: Examined) -> float | None:
        """Returns the number beside the image, or its logarithm; None for a classification.

        Raises:
            ValueError: there is no such number, or it has no logarithm.
        """
        wanted = self.target_number
        if wanted is None:
            return None
        if len(found.extras) != len(self.numbers):
            raise ValueError(
                f"{len(found.extras)} numbers stand beside the image, and not "
                f"{len(self.numbers)} ({', '.join(self.numbers)})"
            )
        number = found.extras[self.numbers.index(wanted.name)]
        if not math.isfinite(number):
            raise ValueError(f"its {wanted.name} is {number}, which is no target")
        if not wanted.log10:
            return number
        if number <= 0:
            raise ValueError(f"its {wanted.name} is {number:g}, which has no logarithm")
        return math.log10(number)


def _file_of(example: Example) -> str:
    """The file that stands for an example in messages."""
    return example.files[0] if example.files else example.id
