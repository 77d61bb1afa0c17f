"""The images of one array as a source of examples."""

from __future__ import annotations

import contextlib
import functools
import os
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from lensnet.csv_tables import name_as_text
from lensnet.data.files.catalogues import label_name, number_of, written
from lensnet.data.files.decoding import DecodedImage
from lensnet.data.files.image_stacks import ImageStack
from lensnet.data.files.pixels import channels_last
from lensnet.data.files.stored_images import StoredImage, decode_stored
from lensnet.data.sources.file_source import FileSource
from lensnet.data.sources.folder_listing import Example, Listing
from lensnet.data.sources.reading_ahead import read_ahead
from lensnet.data.sources.source import Loaded, Shape
from lensnet.data.tables.image_columns import ColumnImages, ImageColumn
from lensnet.datasets.image_stack.contents import Contents, contents_of
from lensnet.datasets.image_stack.stack_options import Options
from lensnet.errors import DataError

__all__ = ["StackSource"]


class StackSource(FileSource):
    """The images of one array, or of a column of a table.

    Args:
        source_dir: the file of the images, or the directory that holds it.
        options: what is called how.
        labelled: whether it must be said what is to be learned.

    Raises:
        DataError: something is missing, or its parts are of different lengths.
    """

    def __init__(self, source_dir: Path, options: Options, *, labelled: bool = True):
        contents = contents_of(source_dir, options, labelled=labelled)
        # A table in a folder of parts is named as a file would be.
        is_whole = source_dir.is_file() or contents.images.path == source_dir
        root = source_dir.parent if is_whole else source_dir
        super().__init__(root, options, classes=contents.classes)
        self.array = contents.images
        self.files = tuple(os.path.relpath(path, root) for path in contents.files)
        self._contents: Contents | None = contents
        self._open = functools.partial(contents_of, source_dir, options, labelled=labelled)

    # --- listing ------------------------------------------------------------------------------

    def list(self) -> Listing:
        """Lists the images; see `Source`."""
        examples: dict[str, Example] = {}
        for index, example in enumerate(self.examples()):
            if example.id in examples:
                problem = f'the id "{example.id}" is that of another image, too'
                name = f"{example.id} (image {index})"
                example = Example(name, example.files, label=example.label, problem=problem)
            examples[example.id] = example
        return Listing(tuple(examples.values()))

    def examples(self) -> Iterator[Example]:
        """Yields the images one by one, whether or not they share an id."""
        contents = self._contents or self._open()
        name = os.path.relpath(contents.images.path, self.root)
        for index in range(self.array.shape[0]):
            problem = contents.problems.get(index)
            known = contents.ids[index] if contents.ids is not None else str(index)
            label = target = None
            group = contents.groups[index] if contents.groups is not None else ""
            if contents.labels is not None:
                label = contents.class_of(contents.labels[index])
                problem = problem or _problem_of_label(contents.labels[index], label, self.classes)
            if contents.targets is not None:
                try:
                    target = number_of(contents.targets[index])
                except ValueError as error:
                    missing = not contents.targets[index]
                    problem = problem or (
                        "it has no target" if missing else f"its target is {error}"
                    )
            if not known:
                problem = problem or "it has no id"
            if contents.groups is not None and not group:
                problem = problem or "it has no group"
            yield Example(
                id=name_as_text(known) or f"image {index}",
                files=(f"{name}[{index}]",),
                label=label,
                target=target,
                group=written(group),
                problem=problem,
            )

    def fingerprint_entries(self, listing: Listing) -> Iterator[str]:
        """Yields the name, size and time of the files of the images and of what is known."""
        yield str(self.root.resolve())
        for name in self.files:
            yield self.fingerprint_entry(name)

    # --- reading ------------------------------------------------------------------------------

    def known_shape(self) -> Shape | None:
        """Returns the shape of the images; see `Source`.

        Pictures, and numbers in nested lists, tell it themselves.

        Raises:
            DataError: their channels cannot be told.
        """
        array = self.array
        if isinstance(array, ImageColumn):
            if array.image_shape is None:
                return None
            stored = np.zeros((), np.float32), array.image_shape
        else:
            stored = np.zeros((), array.dtype), array.shape[1:]
        try:
            image = channels_last(np.broadcast_to(*stored))
        except ValueError as error:
            raise DataError(f"{array.path}: {array.words}: an image's {error}.") from None
        height, width, channels = image.shape
        return height, width, channels

    def load(
        self, examples: Iterable[Example], *, ahead: int = 128
    ) -> Generator[Loaded, None, None]:
        """Loads examples, in order; see `Source`.

        From a file that unpacks many images at once, what lies together is read together.
        """
        # Opened for this alone, so that it is closed however many others read of the same file.
        with contextlib.closing(self.array.open()) as stack:
            if stack.images_together == 1:
                read = functools.partial(self._read_from, stack)
                yield from read_ahead(lambda e: self.load_one(e, read), examples, ahead=ahead)
            else:
                items = self._stored(stack, list(examples))
                yield from read_ahead(lambda item: self.load_one(*item), items, ahead=ahead)

    def _stored(
        self, stack: ImageStack | ColumnImages, examples: Sequence[Example]
    ) -> Iterator[tuple[Example, Callable[[Example], DecodedImage] | None]]:
        """Yields examples, and what makes images of what is stored of them."""
        good = [_index_of(example) for example in examples if example.problem is None]
        images = stack.images(good)
        for example in examples:
            if example.problem is not None:
                yield example, None
            else:
                yield example, functools.partial(self._decoded, stored=next(images))

    def read(self, example: Example) -> DecodedImage:
        """Returns an image of the stack; see `FileLoader`."""
        with contextlib.closing(self.array.open()) as stack:
            return self._read_from(stack, example)

    def _read_from(self, stack: ImageStack | ColumnImages, example: Example) -> DecodedImage:
        (stored,) = stack.images([_index_of(example)])
        return self._decoded(example, stored)

    def _decoded(self, example: Example, stored: StoredImage) -> DecodedImage:
        return decode_stored(self.root / example.files[0], stored, self.reader)

    def __getstate__(self) -> dict[str, object]:
        """Leaves out what is known of each image: a worker is given the examples."""
        return {**self.__dict__, "_contents": None}


def _index_of(example: Example) -> int:
    """Returns the number of an example's image in the stack."""
    return int(example.files[0].rpartition("[")[2].rstrip("]"))


def _problem_of_label(cell: str, label: str | None, classes: tuple[str, ...]) -> str | None:
    if not cell:
        return "it has no label"
    if label is None:
        return f'its label is "{label_name(cell)}", none of {", ".join(classes)}'
    return None
