"""Loading the user's files: in preparation and in prediction by the same road."""

from __future__ import annotations

import abc
import os
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from pathlib import Path

from lensnet.config.dataset import FileOptions
from lensnet.data.files.bad_file import BadFileError
from lensnet.data.files.decoding import DecodedImage
from lensnet.data.files.file_reader import FileReader
from lensnet.data.sources.folder_listing import Example, Listing
from lensnet.data.sources.reading_ahead import read_ahead
from lensnet.data.sources.source import FILLED, ORIENTATION, Loaded, Shape
from lensnet.data.sources.splits import SplitPlan

__all__ = ["FileLoader", "FileSource"]


class FileLoader:
    """Loads examples whose images lie in files.

    Args:
        reader: how files are read.
        root: the directory from which files are named; None where they are named by their path.
        numbers: the names, with units, of the numbers that stand beside an image in its file.
    """

    def __init__(self, reader: FileReader, root: Path | None = None, numbers: Sequence[str] = ()):
        self.reader = reader
        self.root = root
        self.numbers = tuple(numbers)

    def load(
        self, examples: Iterable[Example], *, ahead: int = 128
    ) -> Generator[Loaded, None, None]:
        """Loads examples, in order, several at a time.

        Args:
            examples: taken as they are needed.
            ahead: how many may wait.
        """
        return read_ahead(self.load_one, examples, ahead=ahead)

    def load_one(
        self, example: Example, read: Callable[[Example], DecodedImage] | None = None
    ) -> Loaded:
        """Loads an example: reads it, and adds what else is known; whatever is bad is said in it.

        Args:
            example: what to load.
            read: what reads it; by default `read`.
        """
        if example.problem is not None:
            return _bad(example, example.problem)
        try:
            return self._finished(example, (read or self.read)(example))
        except BadFileError as error:
            return Loaded(example, error=BadFileError(self._named(error.path), error.reason))

    def read(self, example: Example) -> DecodedImage:
        """Returns an example's image and what its files say of it.

        Raises:
            BadFileError: it cannot be read.
        """
        # As strings: making a path takes longer than opening it.
        root = self.root or ""
        return self.reader.read([os.path.join(root, file) for file in example.files])

    def target(self, example: Example, decoded: DecodedImage) -> float | None:
        """Returns what a regression predicts of an example; by default what its listing says.

        Raises:
            ValueError: there is none; the message is a reason for the quarantine.
        """
        return example.target

    def _finished(self, example: Example, decoded: DecodedImage) -> Loaded:
        """Returns an example that has been read, with all that is known of it."""
        try:
            target = self.target(example, decoded)
        except ValueError as error:
            return _bad(example, str(error))
        known = dict(example.metadata)
        for place, number in enumerate(decoded.extras):
            named = self.numbers[place : place + 1]
            known[named[0] if named else f"value_{place}"] = number
        if decoded.filled:
            known[FILLED] = decoded.filled
        if decoded.orientation != 1:
            known[ORIENTATION] = decoded.orientation
        return Loaded(example, image=decoded.image, target=target, metadata=known)

    def _named(self, path: str) -> str:
        """Returns a file's name from the root."""
        return path if self.root is None else Path(os.path.relpath(path, self.root)).as_posix()


class FileSource(FileLoader, abc.ABC):
    """Base of the sources that read the user's files.

    Args:
        root: the directory below which they lie.
        options: the data set's options.
        classes: the classes in label order; () for a regression.
        splits: the splits that the files themselves name.
        numbers: the names, with units, of the numbers that stand beside an image in its file.
    """

    root: Path

    def __init__(
        self,
        root: Path,
        options: FileOptions,
        *,
        classes: Sequence[str] = (),
        splits: Sequence[str] = (),
        numbers: Sequence[str] = (),
    ):
        super().__init__(FileReader.from_options(options), root, numbers)
        self.classes = tuple(classes)
        self.splits = tuple(splits)
        self.max_bad = options.max_bad

    @abc.abstractmethod
    def list(self) -> Listing:
        """Lists the examples; see `Source`."""

    def splits_of(self, examples: Sequence[Example], plan: SplitPlan) -> Sequence[str]:
        """Returns the split of each example; see `Source`."""
        return plan.assign(examples)

    def known_shape(self) -> Shape | None:
        """Returns None, for only the images tell their shape; see `Source`."""
        return None

    def named_files(self) -> Iterator[Sequence[Path]]:
        """Yields the files of each example, where the user has named them in a table.

        Nothing, where listing folders has found them.
        """
        return iter(())

    def fingerprint_entries(self, listing: Listing) -> Iterator[str]:
        """Yields the directory, and the name, size and time of each file."""
        yield str(self.root.resolve())
        for example in listing.examples:
            for name in example.files:
                yield self.fingerprint_entry(name)

    def fingerprint_entry(self, name: str) -> str:
        """Returns the name, size and time of a file below the root."""
        try:
            status = os.stat(self.root / name)
        except (OSError, ValueError):
            return f"{name}\0unreadable"
        return f"{name}\0{status.st_size}\0{status.st_mtime_ns}"


def _bad(example: Example, reason: str) -> Loaded:
    """Returns an example that is bad by what its listing or its target says."""
    return Loaded(example, error=BadFileError(Loaded(example).file, reason))
