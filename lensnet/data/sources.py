"""Where examples come from: the user's files, or a simulator.

A source lists its examples without reading any, and then loads those it is asked for, in order.
The TFDS builders differ in their source alone.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Generator, Iterator, Mapping, Sequence
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from lensnet.config.dataset import FileOptions
from lensnet.data.bad_file import BadFileError
from lensnet.data.listing import BandPattern, Example, Listing, list_folder
from lensnet.data.readers import Examined, examine, examine_bands
from lensnet.data.reading_ahead import available_cpus, read_ahead
from lensnet.data.splits import SplitPlan
from lensnet.errors import DataError, LensnetError

if TYPE_CHECKING:
    from lensnet.simulation import Simulator

__all__ = ["FILLED", "FileReader", "FolderSource", "Loaded", "SimulatedSource", "Source"]

Shape = tuple[int, int, int]

FILLED = "filled_pixels"
"""Name in an example's metadata of how many pixels were not finite and have been filled."""

_JOBS_WORTH_PROCESSES = 400

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


@dataclass(frozen=True)
class FileReader:
    """How the files of an example become an image.

    Args:
        hdu: number or name of the FITS extension; None for the first that holds an image.
        max_nonfinite: share of the pixels that may be NaN or infinite.
        bands: how files are named where each band has one of its own; None where it has not.
    """

    hdu: int | str | None = None
    max_nonfinite: float = 0.05
    bands: BandPattern | None = None

    @classmethod
    def from_options(cls, options: Any) -> FileReader:
        """Takes from a data set's options what they say of reading; the rest keeps its default."""
        bands = getattr(options, "bands", None)
        return cls(
            hdu=getattr(options, "hdu", None),
            max_nonfinite=getattr(options, "max_nonfinite", cls.max_nonfinite),
            bands=BandPattern(bands, options.file_pattern) if bands else None,
        )

    def read(self, paths: Sequence[str | os.PathLike[str]]) -> Examined:
        """Reads an image from its file, or from a file for each band.

        Raises:
            BadFileError: it cannot be read.
        """
        if self.bands is None:
            return examine(paths[0], hdu=self.hdu, max_nonfinite=self.max_nonfinite)
        return examine_bands(paths, hdu=self.hdu, max_nonfinite=self.max_nonfinite)


class FolderSource:
    """The user's files in `[split/]class/image` folders.

    Args:
        root: the source directory.
        options: the data set's options.
        classes: the class folders in label order.
        split_folders: the folder of each split and the split's name; empty where there are none.
    """

    def __init__(
        self,
        root: Path,
        options: FileOptions,
        classes: Sequence[str],
        split_folders: Mapping[str, str],
    ):
        self.root = root
        self.classes = tuple(classes)
        self.max_bad = options.max_bad
        self.split_folders = dict(split_folders)
        self.reader = FileReader.from_options(options)

    def list(self) -> Listing:
        """Lists the examples; see `Source`."""
        return list_folder(self.root, self.classes, self.split_folders, self.reader.bands)

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
                try:
                    status = os.stat(self.root / name)
                    yield f"{name}\0{status.st_size}\0{status.st_mtime_ns}"
                except OSError:
                    yield f"{name}\0unreadable"

    def _load(self, example: Example) -> Loaded:
        name = example.files[0] if example.files else example.id
        if example.problem is not None:
            return Loaded(example, error=BadFileError(name, example.problem))
        try:
            found = self.reader.read([self.root / file for file in example.files])
        except BadFileError as error:
            relative = os.path.relpath(error.path, self.root)
            return Loaded(example, error=BadFileError(Path(relative).as_posix(), error.reason))
        known = {f"value_{place}": number for place, number in enumerate(found.extras)}
        if found.filled:
            known[FILLED] = found.filled
        return Loaded(example, image=found.image, target=example.target, metadata=known)


class SimulatedSource:
    """Images that a simulator makes.

    Args:
        simulator: what makes them.
        examples_per_class: how many of each class, or in all for a regression.
        seed: the seed of the images.
        processes: how many processes simulate; by default one for each CPU, or one in all if the
            images are few.
    """

    max_bad = 0.0

    def __init__(
        self,
        simulator: Simulator,
        examples_per_class: int,
        seed: int,
        processes: int | None = None,
    ):
        self.simulator = simulator
        self.examples_per_class = examples_per_class
        self.seed = seed
        self.processes = processes
        self.classes = tuple(simulator.classes)

    def list(self) -> Listing:
        """Lists the images to be made, as class/number; see `Source`."""
        return Listing(
            tuple(
                Example(id=f"{label or 'image'}/{index}", label=label)
                for label in self.classes or (None,)
                for index in range(self.examples_per_class)
            )
        )

    def split_of(self, example: Example, plan: SplitPlan) -> str:
        """Returns the split of an image; see `Source`."""
        stream, _, index = example.id.rpartition("/")
        return plan.assign_simulated(stream, int(index))

    def image_shape(self, training: Sequence[Example]) -> Shape:
        """Returns the shape that the simulator says; see `Source`."""
        return (self.simulator.image_size, self.simulator.image_size, 1)

    def load(self, examples: Sequence[Example]) -> Generator[Loaded, None, None]:
        """Simulates images, in several processes; see `Source`."""
        from lensnet.simulation import simulate_many

        jobs = [
            (example.label, int(example.id.rpartition("/")[2]), self.seed) for example in examples
        ]
        # Starting processes takes as long as simulating some hundred images.
        default = available_cpus() if len(jobs) >= _JOBS_WORTH_PROCESSES else 1
        simulating = simulate_many(self.simulator, jobs, self.processes or default)
        try:
            for example, made in zip(examples, simulating, strict=True):
                known = {name: number for name, number in made.metadata.items() if isfinite(number)}
                yield Loaded(example, image=made.image, target=made.target, metadata=known)
        except BrokenProcessPool as error:
            raise LensnetError(
                "A process that simulates images was killed, or could not start. A script that "
                'prepares simulated data does so below `if __name__ == "__main__":`, because '
                "the processes import it; if it does, there may be too little memory."
            ) from error

    def stamp(self, listing: Listing) -> Iterator[str]:
        """Yields the simulator with all its options, and how many images it makes."""
        yield f"{self.simulator!r} {self.examples_per_class}"
